import { readFile } from 'node:fs/promises'
import type http from 'node:http'
import { nodeHttp, nodeHttps } from '../runtime/node-modules.ts'
import { type ApiAnswer, causeOf, noAnswer, readAnswer } from './api-answer.ts'
import type { ApiSettings } from './api-settings.ts'
import { type WatchListener, WatchStream } from './watch-stream.ts'

export type { ApiAnswer } from './api-answer.ts'

/** How a client bounds what it waits for. */
export interface ApiBounds {
  /** Milliseconds for a whole answer, and for the head of a watch. */
  readonly timeout?: number
  /** Bytes of an answer. */
  readonly maxAnswer?: number
  /** Bytes of one event of a watch. */
  readonly maxEvent?: number
}

/** Parameters of a request, in the order in which they are sent. */
export type ApiParams = Readonly<Record<string, string | number | boolean>>

/** How a patch is written. */
export type PatchKind = 'json' | 'merge' | 'strategic-merge'

const TIMEOUT_MS = 10_000
const MAX_ANSWER = 32 * 1024 * 1024
/** etcd takes no object of more than 1.5 MiB; as JSON it can be some times that. */
const MAX_EVENT = 8 * 1024 * 1024

/**
 * A client of the Kubernetes API: JSON requests and watches, HTTP/1.1, as few connections as there are requests at one
 * time. Failures are answers: nothing here rejects or throws.
 */
export class ApiClient {
  readonly settings: ApiSettings
  readonly #bounds: Required<ApiBounds>
  readonly #base: URL
  #agent: http.Agent | null = null
  /** The authorities that the agent was made with. */
  #ca: string | undefined
  #closed = false
  readonly #open = new Set<http.ClientRequest>()

  /** @throws TypeError where the settings' URL is none */
  constructor(settings: ApiSettings, bounds: ApiBounds = {}) {
    this.settings = settings
    this.#base = new URL(settings.url)
    this.#bounds = { timeout: TIMEOUT_MS, maxAnswer: MAX_ANSWER, maxEvent: MAX_EVENT, ...bounds }
  }

  get(path: string, params: ApiParams = {}): Promise<ApiAnswer> {
    return this.#ask('GET', path, params)
  }

  /** @param path of the collection */
  create(path: string, object: unknown, params: ApiParams = {}): Promise<ApiAnswer> {
    return this.#ask('POST', path, params, object)
  }

  /** 409 where the object's `metadata.resourceVersion` is not the newest. */
  replace(path: string, object: unknown, params: ApiParams = {}): Promise<ApiAnswer> {
    return this.#ask('PUT', path, params, object)
  }

  /** @param kind RFC 7386 (`merge`), RFC 6902 (`json`), or Kubernetes' own */
  patch(path: string, patch: unknown, kind: PatchKind = 'merge', params: ApiParams = {}): Promise<ApiAnswer> {
    return this.#ask('PATCH', path, params, patch, `application/${kind}-patch+json`)
  }

  delete(path: string, params: ApiParams = {}): Promise<ApiAnswer> {
    return this.#ask('DELETE', path, params)
  }

  /**
   * Watches a collection: one request, whose answer is a line of JSON for each change. The listener hears events and
   * then one end, never from within this call; nothing after `close`.
   */
  watch(path: string, params: ApiParams, listener: WatchListener): WatchStream {
    const stream = new WatchStream(listener, this.#bounds)
    this.#begin('GET', path, { ...params, watch: true }).then(
      request => {
        if (typeof request === 'string') stream.fail(request)
        else stream.follow(request)
      },
      (bug: unknown) => stream.fail(causeOf(bug)),
    )
    return stream
  }

  /** Ends all that is under way, and closes its connections. */
  close(): void {
    this.#closed = true
    for (const request of this.#open) request.destroy()
    this.#agent?.destroy()
    this.#agent = null
  }

  async #ask(
    method: string,
    path: string,
    params: ApiParams,
    body?: unknown,
    type = 'application/json',
  ): Promise<ApiAnswer> {
    const text = body === undefined ? null : JSON.stringify(body)
    const token = await this.#token()
    const answer = await this.#once(method, path, params, text, type, token)
    // The token may have been renewed since it was read.
    if (answer.status !== 401 || typeof token !== 'string') return answer
    const renewed = await this.#token()
    return renewed === token ? answer : this.#once(method, path, params, text, type, renewed)
  }

  async #once(
    method: string,
    path: string,
    params: ApiParams,
    text: string | null,
    type: string,
    token: Token,
  ): Promise<ApiAnswer> {
    const request = await this.#begin(method, path, params, token, text === null ? null : type)
    if (typeof request === 'string') return noAnswer(request)
    return new Promise(resolve => {
      const answered = (answer: ApiAnswer): void => {
        clearTimeout(timer)
        resolve(answer)
      }
      const timer = setTimeout(() => {
        answered(noAnswer(`no answer within ${this.#bounds.timeout} ms`))
        request.destroy()
      }, this.#bounds.timeout)
      request.on('error', error => answered(noAnswer(causeOf(error))))
      request.on('response', response => readAnswer(response, this.#bounds.maxAnswer, answered))
      request.on('upgrade', (_response, socket) => {
        socket.destroy()
        answered(noAnswer('it spoke another protocol'))
      })
      request.end(text ?? undefined)
    })
  }

  /** A request that is still to be ended, or why there is none. */
  async #begin(
    method: string,
    path: string,
    params: ApiParams,
    known?: Token,
    type: string | null = null,
  ): Promise<http.ClientRequest | string> {
    const token = known ?? (await this.#token())
    if (token !== null && typeof token !== 'string') return token.fault
    const agent = await this.#connections()
    if (typeof agent === 'string') return agent
    const { protocol, hostname, port, pathname } = this.#base
    const query = new URLSearchParams(Object.entries(params).map(([name, value]) => [name, String(value)]))
    const options: http.RequestOptions = {
      agent,
      method,
      host: hostname.replace(/^\[(.*)\]$/, '$1'),
      port: port || (protocol === 'https:' ? 443 : 80),
      path: pathname.replace(/\/$/, '') + path + (query.size === 0 ? '' : `?${query.toString()}`),
      headers: {
        host: this.#base.host,
        accept: 'application/json',
        'user-agent': 'outrigger',
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(type === null ? {} : { 'content-type': type }),
      },
      maxHeaderSize: 64 * 1024,
    }
    try {
      const request = (protocol === 'https:' ? nodeHttps() : nodeHttp()).request(options)
      this.#open.add(request)
      // Whoever follows it hears its error too; one that was closed before has nobody.
      request.on('error', () => {})
      request.once('close', () => this.#open.delete(request))
      return request
    } catch (error) {
      // A token or a path that no header or request line can hold.
      return causeOf(error)
    }
  }

  /** The namespace we run in; empty: not known. */
  async namespace(): Promise<string> {
    const { namespaceFile } = this.settings
    if (namespaceFile === null) return ''
    return readFile(namespaceFile, 'utf8').then(
      text => text.trim(),
      () => '',
    )
  }

  async #token(): Promise<Token> {
    const { tokenFile } = this.settings
    if (tokenFile === null) return null
    try {
      const token = (await readFile(tokenFile, 'utf8')).trim()
      return /^[\x21-\x7e]+$/.test(token) ? token : { fault: `${tokenFile} holds no token` }
    } catch (error) {
      return { fault: `the token cannot be read: ${causeOf(error)}` }
    }
  }

  /** The connections that are kept; others where the authorities have changed. */
  async #connections(): Promise<http.Agent | string> {
    const { caFile } = this.settings
    let ca: string | undefined
    try {
      if (caFile !== null) ca = await readFile(caFile, 'utf8')
    } catch (error) {
      return `the authorities cannot be read: ${causeOf(error)}`
    }
    if (this.#closed) return 'closed'
    if (this.#agent !== null && ca === this.#ca) return this.#agent
    // Nobody is cut: what uses the old ones goes on, and closes them after it.
    const secure = this.#base.protocol === 'https:'
    const kept = { keepAlive: true, maxFreeSockets: 2, timeout: 0 }
    try {
      const before = this.#agent
      this.#agent = secure
        ? new (nodeHttps().Agent)({ ...kept, ...(ca === undefined ? {} : { ca }) })
        : new (nodeHttp().Agent)(kept)
      this.#ca = ca
      for (const free of Object.values(before?.freeSockets ?? {}).flat()) free?.destroy()
      return this.#agent
    } catch (error) {
      return causeOf(error)
    }
  }
}

/** What stands in the file; null: none is sent. */
type Token = string | null | { readonly fault: string }

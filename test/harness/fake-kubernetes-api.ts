import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { fail, parsed, send, status } from './fake-kubernetes-answer.ts'
import {
  type ApiPlace,
  FakeKubernetesStore,
  jsonPatch,
  mergePatch,
  placeOf,
  type Selects,
  selectorOf,
  type StoredChange,
  type StoredObject,
  versionOf,
} from './fake-kubernetes-store.ts'

/** A request as the server got it. */
export interface ApiRequest {
  readonly method: string
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly token: string
  readonly body: unknown
}

/** How it is started. */
export interface FakeKubernetesOptions {
  /** PEM text; without it, it speaks plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string }
  /** The tokens that it knows; none: whoever comes. */
  readonly tokens?: readonly string[]
}

interface Watch {
  readonly response: http.ServerResponse
  readonly bookmarks: boolean
  readonly kind: string
  readonly apiVersion: string
  end(how: 'close' | 'cut'): void
}

/**
 * A small Kubernetes API server: objects by their path (`/apis/GROUP/VERSION/namespaces/NS/RESOURCE/NAME`), with lists in
 * pages, watches that resume, bookmarks, 410, conflicts and patches as the real one has them.
 */
export class FakeKubernetesApi {
  readonly store = new FakeKubernetesStore()
  /** What came so far. */
  readonly requests: ApiRequest[] = []
  /** The tokens that it knows; empty: whoever comes. */
  readonly tokens: Set<string>
  /** What `/version` says. */
  gitVersion = 'v1.31.0'
  /** What it does with requests: answer; 500; take them and be silent; answer bytes that are no JSON. */
  mode: 'up' | 'failing' | 'silent' | 'garbage' = 'up'
  /** Answers a request itself where it returns true. */
  intercept: (request: ApiRequest, response: http.ServerResponse) => boolean = () => false
  /** Whether a watch behind the history is told by an event, as mostly, or by the status. */
  goneBy: 'event' | 'status' = 'event'
  readonly #options: FakeKubernetesOptions
  readonly #watches = new Set<Watch>()
  readonly #sockets = new Set<Socket>()
  #server: http.Server | https.Server
  #port = 0

  private constructor(options: FakeKubernetesOptions) {
    this.#options = options
    this.tokens = new Set(options.tokens ?? [])
    this.#server = this.#serve()
  }

  static async start(options: FakeKubernetesOptions = {}): Promise<FakeKubernetesApi> {
    const api = new FakeKubernetesApi(options)
    await api.#listen()
    return api
  }

  get port(): number {
    return this.#port
  }

  get url(): string {
    return `${this.#options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${this.#port}`
  }

  /** Watches that are open. */
  get watches(): number {
    return this.#watches.size
  }

  /** Keeps an object, and tells those who watch. */
  put(path: string, object: StoredObject): StoredObject {
    return this.store.put(path, object)
  }

  remove(path: string): void {
    if (!this.store.remove(path)) throw new Error(`there is no ${path}`)
  }

  get(path: string): StoredObject | undefined {
    return this.store.get(path)
  }

  /** Forgets the history: a watch that resumes from before is told 410. */
  compact(): void {
    this.store.compact()
  }

  /** Tells those who allow it how far they have come. */
  bookmark(): void {
    for (const { bookmarks, response, kind, apiVersion } of this.#watches) {
      const object = { kind, apiVersion, metadata: { resourceVersion: String(this.store.version) } }
      if (bookmarks) response.write(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`)
    }
  }

  /** Closes every watch: properly, or by cutting its connection. */
  endWatches(how: 'close' | 'cut' = 'close'): void {
    for (const watch of [...this.#watches]) watch.end(how)
  }

  /** Sends every watch these bytes. */
  sendWatches(bytes: string | Uint8Array): void {
    for (const { response } of this.#watches) response.write(bytes)
  }

  /** Goes away: its port refuses connections until `up`. */
  async down(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  /** Comes back at the same port, with what it kept. */
  async up(): Promise<void> {
    this.#server = this.#serve()
    await this.#listen()
  }

  async close(): Promise<void> {
    if (this.#server.listening) await this.down()
  }

  #serve(): http.Server | https.Server {
    const { tls } = this.#options
    const listener: http.RequestListener = (request, response) => this.#take(request, response)
    const server = tls === undefined ? http.createServer(listener) : https.createServer(tls, listener)
    server.on('connection', socket => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
    return server
  }

  async #listen(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as AddressInfo).port // it listens on TCP
  }

  #take(request: http.IncomingMessage, response: http.ServerResponse): void {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const url = new URL(request.url ?? '/', this.url)
      const text = Buffer.concat(parts).toString('utf8')
      const asked: ApiRequest = {
        method: request.method ?? '',
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        token: /^Bearer (.*)$/.exec(request.headers.authorization ?? '')?.[1] ?? '',
        body: text === '' ? null : parsed(text),
      }
      this.requests.push(asked)
      if (this.mode === 'silent' || this.intercept(asked, response)) return
      if (this.mode === 'failing') fail(response, 500, 'InternalError', 'etcd is away')
      else if (this.mode === 'garbage') response.writeHead(200).end('<html>not an API\n')
      else if (this.tokens.size > 0 && !this.tokens.has(asked.token))
        fail(response, 401, 'Unauthorized', 'Unauthorized')
      else this.#answer(asked, request.headers['content-type'] ?? '', response)
    })
  }

  #answer(asked: ApiRequest, type: string, response: http.ServerResponse): void {
    const { method, path, query } = asked
    if (path === '/version') {
      const [, major = '', minor = ''] = /^v(\d+)\.(\d+)/.exec(this.gitVersion) ?? []
      send(response, 200, { major, minor, gitVersion: this.gitVersion })
      return
    }
    const place = placeOf(path)
    if (place === null) fail(response, 404, 'NotFound', 'the server could not find the requested resource')
    else if (place.name === '' && method === 'POST') this.#create(path, asked.body, response)
    else if (place.name === '' && method === 'GET') {
      const selects = selectorOf(query['labelSelector'] ?? '', query['fieldSelector'] ?? '')
      if (selects === null) fail(response, 400, 'BadRequest', 'unable to parse requirement')
      else if (/^(?:true|1)$/.test(query['watch'] ?? '')) this.#watch(place, selects, query, response)
      else this.#list(place, selects, query, response)
    } else if (place.name === '') fail(response, 405, 'MethodNotAllowed', 'not allowed here')
    else this.#object(asked, type, response)
  }

  #create(path: string, body: unknown, response: http.ServerResponse): void {
    // What is no object has no name.
    const object = (body ?? {}) as StoredObject
    const { name = '', generateName = '' } = object.metadata ?? {}
    const full =
      name || (generateName === '' ? '' : `${String(generateName)}${this.store.version.toString(36)}`)
    if (full === '') fail(response, 422, 'Invalid', 'name or generateName is required')
    else if (this.store.get(`${path}/${full}`) !== undefined)
      fail(response, 409, 'AlreadyExists', `"${full}" already exists`)
    else send(response, 201, this.store.put(`${path}/${full}`, object))
  }

  #object({ method, path, body }: ApiRequest, type: string, response: http.ServerResponse): void {
    const before = this.store.get(path)
    if (before === undefined) fail(response, 404, 'NotFound', `"${path}" not found`)
    else if (method === 'GET') send(response, 200, before)
    else if (method === 'DELETE') {
      this.store.remove(path)
      send(response, 200, { kind: 'Status', apiVersion: 'v1', status: 'Success' })
    } else if (method === 'PUT' || method === 'PATCH') {
      let after: StoredObject
      try {
        after = (method === 'PUT' ? body : patched(before, body, type)) as StoredObject // checked by whoever reads it
      } catch (error) {
        fail(response, 422, 'Invalid', String(error))
        return
      }
      const version = after.metadata?.resourceVersion
      if (version !== undefined && version !== before.metadata?.resourceVersion)
        fail(
          response,
          409,
          'Conflict',
          'the object has been modified; please apply your changes to the latest',
        )
      else send(response, 200, this.store.put(path, after))
    } else fail(response, 405, 'MethodNotAllowed', 'not allowed here')
  }

  #list(place: ApiPlace, selects: Selects, query: ApiRequest['query'], response: http.ServerResponse): void {
    const limit = Number(query['limit'] ?? 0)
    const [version = this.store.version, after = ''] =
      query['continue'] === undefined ? [] : (JSON.parse(atob(query['continue'])) as [number, string]) // we wrote it
    if (this.store.since(place, version) === null) {
      fail(response, 410, 'Expired', 'The provided continue parameter is too old')
      return
    }
    const all = this.store.list(place).filter(([path, object]) => path > after && selects(object))
    const page = limit > 0 ? all.slice(0, limit) : all
    const left = all.length - page.length
    const last = page.at(-1)?.[0]
    const metadata = {
      resourceVersion: String(version),
      ...(left > 0 ? { continue: btoa(JSON.stringify([version, last])), remainingItemCount: left } : {}),
    }
    const items = page.map(([, object]) => object)
    send(response, 200, { kind: 'List', apiVersion: versionOf(place), metadata, items })
  }

  #watch(place: ApiPlace, selects: Selects, query: ApiRequest['query'], response: http.ServerResponse): void {
    const from = query['resourceVersion'] ?? ''
    const missed = from === '' || from === '0' ? [] : this.store.since(place, Number(from))
    if (missed === null && this.goneBy === 'status') {
      fail(response, 410, 'Expired', `too old resource version: ${from}`)
      return
    }
    response.writeHead(200, { 'content-type': 'application/json' })
    response.flushHeaders()
    const tell = (type: string, object: unknown): void => {
      response.write(`${JSON.stringify({ type, object })}\n`)
    }
    if (missed === null) {
      tell('ERROR', status(410, 'Expired', `too old resource version: ${from} (${this.store.version})`))
      response.end()
      return
    }
    const heard = ({ before, after, version }: StoredChange): void => {
      const was = before !== null && selects(before)
      const is = after !== null && selects(after)
      // One that the selector leaves is gone for whoever watches, at the version of the change.
      const last = { ...before, metadata: { ...before?.metadata, resourceVersion: String(version) } }
      if (is) tell(was ? 'MODIFIED' : 'ADDED', after)
      else if (was) tell('DELETED', last)
    }
    if (from === '' || from === '0')
      for (const [, object] of this.store.list(place)) if (selects(object)) tell('ADDED', object)
    for (const change of missed) heard(change)
    const unwatch = this.store.watch(place, heard)
    const seconds = Number(query['timeoutSeconds'] ?? 0)
    const timer = seconds > 0 ? setTimeout(() => watch.end('close'), seconds * 1000) : null
    const over = (): void => {
      unwatch()
      this.#watches.delete(watch)
      if (timer !== null) clearTimeout(timer)
    }
    const watch: Watch = {
      response,
      bookmarks: query['allowWatchBookmarks'] === 'true',
      kind: place.resource,
      apiVersion: versionOf(place),
      end: how => {
        over()
        if (how === 'close') response.end()
        else response.socket?.destroy()
      },
    }
    this.#watches.add(watch)
    response.once('close', over)
  }
}

function patched(before: StoredObject, patch: unknown, type: string): unknown {
  if (type === 'application/json-patch+json') return jsonPatch(before, patch)
  // The strategic one is the same but for lists that have a key.
  return mergePatch(before, patch)
}

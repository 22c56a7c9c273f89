import { nodeHttp, nodeHttps } from '../../runtime/node-modules.ts'
import { Timer, type TimerWheel } from '../../runtime/timer-wheel.ts'

/** What is asked for, and how long and how much of it is waited for. */
export interface JsonRequest {
  /** https, or http to a loopback address. */
  readonly url: string
  readonly method?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Milliseconds, for everything. */
  readonly timeout: number
  /** Of the response's body. */
  readonly maxBytes: number
  /** Gives it up. */
  readonly signal?: AbortSignal
}

/** Why there is no answer; for the log. */
export class FetchFailed extends Error {}

/**
 * Asks an identity provider for JSON. A redirect is a failure: keys and tokens come from where the configuration says,
 * and from nowhere else. One connection a request, since there is one in minutes.
 *
 * @returns status and JSON, whatever the status is
 * @throws FetchFailed where there is no answer, a redirect, too much of it, or no JSON
 */
export function fetchJson(
  request: JsonRequest,
  wheel: TimerWheel,
): Promise<{ status: number; json: unknown }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; json: unknown }>()
  const url = new URL(request.url)
  if (!isSafe(url)) return Promise.reject(new FetchFailed('the URL is not https'))
  const { request: open } = url.protocol === 'https:' ? nodeHttps() : nodeHttp()
  const sent = open(url, {
    method: request.method ?? 'GET',
    agent: false,
    headers: { accept: 'application/json', ...request.headers },
    maxHeaderSize: 16 * 1024,
    ...(request.signal === undefined ? {} : { signal: request.signal }),
  })
  const fail = (why: string): void => {
    wheel.remove(timer)
    reject(new FetchFailed(why))
    sent.destroy()
  }
  const timer = new Timer({ onTimer: () => fail('no answer in time') })
  wheel.schedule(timer, request.timeout)
  // Nobody's answer keeps a process from its end.
  sent.on('socket', socket => socket.unref())
  sent.on('error', error => fail('code' in error ? String(error.code) : error.message))
  sent.on('response', response => {
    const status = response.statusCode ?? 0
    if (status >= 300 && status < 400) return fail(`a redirect (${status})`)
    const chunks: Buffer[] = []
    let size = 0
    response.on('error', error => fail(error.message))
    response.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > request.maxBytes) fail('the answer is too large')
      else chunks.push(chunk)
    })
    response.on('end', () => {
      wheel.remove(timer)
      try {
        resolve({ status, json: JSON.parse(Buffer.concat(chunks).toString('utf8')) })
      } catch {
        reject(new FetchFailed(status === 200 ? 'the answer is no JSON' : `status ${status}`))
      }
    })
    response.on('close', () => {
      if (!response.complete) fail('the answer was cut')
    })
  })
  sent.end(request.body)
  return promise
}

/** Https; or http where nobody can be on the way. */
export function isSafe(url: URL): boolean {
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url))
}

/** Whether a URL names this machine. */
export function isLoopback({ hostname }: URL): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)
}

import http from 'node:http'
import type { WebhookMetrics } from './webhook-metrics.ts'
import { listenOn } from './listen-on.ts'

const MAX_CONNECTIONS = 64
const HEAD_MS = 5_000

/** What the kubelet and Prometheus ask: `/healthz`, `/readyz`, `/metrics`, and nothing else. */
export class HealthServer {
  readonly #server: http.Server
  readonly #notReady: () => string | null
  readonly #metrics: WebhookMetrics

  /** @param notReady why it is not ready, or null */
  constructor(notReady: () => string | null, metrics: WebhookMetrics) {
    this.#notReady = notReady
    this.#metrics = metrics
    this.#server = http.createServer(
      { headersTimeout: HEAD_MS, requestTimeout: HEAD_MS, keepAliveTimeout: HEAD_MS, maxHeaderSize: 8_192 },
      (request, response) => void this.#handle(request, response),
    )
    this.#server.maxConnections = MAX_CONNECTIONS
  }

  /** Begins to listen. @returns the port, or the code of the error */
  listen(port: number, address?: string): Promise<number | string> {
    return listenOn(this.#server, port, address)
  }

  async close(): Promise<void> {
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()))
    this.#server.closeAllConnections()
    await closed
  }

  async #handle(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    // Nobody has to send a body; one that comes ends the connection.
    if (!request.complete && (request.headers['content-length'] ?? '0') !== '0')
      response.setHeader('connection', 'close')
    response.setHeader('cache-control', 'no-store')
    const path = (request.url ?? '').split('?')[0] ?? ''
    if (!['/healthz', '/readyz', '/metrics'].includes(path)) return answer(response, 404, 'not found\n')
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD')
      return answer(response, 405, 'GET only\n')
    }
    const why = this.#notReady()
    if (path === '/healthz') return answer(response, 200, 'ok\n')
    if (path === '/readyz')
      return why === null ? answer(response, 200, 'ready\n') : answer(response, 503, `${why}\n`)
    this.#metrics.ready = why === null
    const { type, text } = await this.#metrics.exposition()
    answer(response, 200, text, type)
  }
}

function answer(
  response: http.ServerResponse,
  status: number,
  text: string,
  type = 'text/plain; charset=utf-8',
): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) }).end(text)
}

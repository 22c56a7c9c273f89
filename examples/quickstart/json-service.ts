import http from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'

/** What a handler answers: `body` is sent as JSON; `headers` are added. */
export interface Answer {
  readonly status: number
  readonly body: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** A request as a handler sees it. `id` is the last path segment of `/things/{id}` routes, else empty. */
export interface ServiceRequest {
  readonly id: string
  readonly headers: http.IncomingHttpHeaders
  /** Reads the body as a JSON object; a fault becomes a 4xx answer by itself. */
  readonly json: () => Promise<Readonly<Record<string, unknown>>>
}

export type Handler = (request: ServiceRequest) => Answer | Promise<Answer>

/** Handlers by path (`/orders`, or `/orders/{id}` for one segment more) and method. GET answers HEAD too. */
export type Handlers = Readonly<Record<string, Readonly<Record<string, Handler>>>>

const MAX_BODY_BYTES = 64 * 1024

/** An answer that a handler throws: the request cannot be served as asked. */
export class Refusal extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/**
 * Serves `handlers` on 127.0.0.1 and answers `GET /healthz`. Prints one line when it listens. SIGTERM or SIGINT ends it
 * when the requests in flight are answered.
 */
export function serve(name: string, port: number, handlers: Handlers): void {
  const server = http.createServer((request, response) => {
    void respond(handlers, request, response)
  })
  // Longer than the sidecar keeps idle connections, so that it is never the service that closes first.
  server.keepAliveTimeout = 75_000
  server.on('error', error => {
    console.error(`${name} cannot listen on 127.0.0.1:${port}: ${error.message}`)
    process.exit(3)
  })
  server.listen(port, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${port}`))

  const stop = async (): Promise<void> => {
    server.close(() => process.exit(0))
    server.closeIdleConnections()
    await pause(3000)
    server.closeAllConnections()
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop())
}

async function respond(
  handlers: Handlers,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const { status, body, headers } = await answer(handlers, request).catch((error: unknown) => {
    if (error instanceof Refusal) return failure(error.status, error.message)
    console.error(error)
    return failure(500, 'internal error')
  })
  const text = JSON.stringify(body) + '\n'
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    ...headers,
  })
  response.end(request.method === 'HEAD' ? undefined : text)
}

async function answer(handlers: Handlers, request: http.IncomingMessage): Promise<Answer> {
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/'
  if (path === '/healthz') return { status: 200, body: { status: 'ok' } }
  const [, collection = '', id = '', ...more] = path.split('/')
  const methods = more.length === 0 ? handlers[`/${collection}${id === '' ? '' : '/{id}'}`] : undefined
  if (methods === undefined) return failure(404, `nothing at ${path}`)
  const method = request.method === 'HEAD' ? 'GET' : (request.method ?? '')
  const handler = methods[method]
  if (handler === undefined) {
    const allowed = Object.keys(methods).flatMap(name => (name === 'GET' ? ['GET', 'HEAD'] : [name]))
    return failure(405, `${method} is not possible here`, { allow: allowed.join(', ') })
  }
  return handler({ id, headers: request.headers, json: () => readJson(request) })
}

async function readJson(request: http.IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const type = request.headers['content-type'] ?? ''
  if (type.split(';')[0]?.trim().toLowerCase() !== 'application/json')
    throw new Refusal(415, 'the body has to be application/json')
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request) {
    bytes += part.length
    if (bytes > MAX_BODY_BYTES) throw new Refusal(413, `the body is larger than ${MAX_BODY_BYTES} bytes`)
    parts.push(part)
  }
  let value: unknown
  try {
    value = JSON.parse(Buffer.concat(parts).toString('utf8'))
  } catch {
    throw new Refusal(400, 'the body is not valid JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Refusal(400, 'the body has to be a JSON object')
  return { ...value }
}

function failure(status: number, error: string, headers?: Readonly<Record<string, string>>): Answer {
  return { status, body: { error }, ...(headers && { headers }) }
}

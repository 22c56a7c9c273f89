import { BufferedBody, type BodySource, NO_BODY } from '../exchange/body.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { grpcKind, grpcMessage, grpcStatusOf } from '../exchange/grpc-status.ts'
import { headerValue, setHeader, type HeaderList } from '../exchange/headers.ts'
import { ProxyError, REASONS } from '../exchange/proxy-error.ts'
import type { FilterAnswer } from '../filters/filter.ts'
import type { Route } from '../snapshot/route.ts'

/** Statuses whose answer says when to come again. */
const RETRY_AFTER = '1'

/**
 * Answers with `application/problem+json` (RFC 9457), and keeps the reason for log and metric. Where the response head
 * is out already, the connection is closed so that the response looks as incomplete as it is.
 *
 * @param status where it is not the reason's own
 */
export function fail(
  exchange: Exchange,
  route: Route | null,
  error: ProxyError,
  status: number = error.status,
): void {
  if (exchange.finished) return
  exchange.reason = error.reason
  exchange.cause = error.cause
  if (exchange.status !== 0) {
    exchange.responder.abort(error)
    return
  }
  const { title } = REASONS[error.reason]
  if (grpcKind(exchange) !== null && speaksGrpc(exchange)) {
    failCall(exchange, route, error, title)
    return
  }
  const problem = {
    type: `urn:outrigger:reason:${error.reason}`,
    title,
    status,
    ...(error.detail === '' ? {} : { detail: error.detail }),
    ...(exchange.requestId === '' ? {} : { instance: exchange.requestId }),
    reason: error.reason,
    ...error.members,
  }
  const headers: HeaderList = ['content-type', 'application/problem+json']
  if (status === 503) headers.push('retry-after', RETRY_AFTER)
  for (let i = 0; error.headers !== null && i < error.headers.length; i += 2)
    setHeader(headers, error.headers[i] ?? '', error.headers[i + 1] ?? '')
  const body = Buffer.from(JSON.stringify(problem) + '\n')
  try {
    send(exchange, route, status, headers, body)
  } catch (thrown) {
    // A filter threw on the way back, as it would at every answer. Without the route there is none.
    if (route === null || exchange.status !== 0) throw thrown
    fail(exchange, null, bug(thrown))
  }
}

/** gRPC travels in HTTP/2; its form for browsers in every version. */
function speaksGrpc(exchange: Exchange): boolean {
  return exchange.version === 'HTTP/2' || grpcKind(exchange) === 'grpc-web'
}

/** A gRPC client reads no problem body: it gets a status in the response's head, with the reason in its message. */
function failCall(exchange: Exchange, route: Route | null, error: ProxyError, title: string): void {
  const type = headerValue(exchange.headers, 'content-type') ?? ''
  exchange.grpcStatus = grpcStatusOf(error.reason)
  const headers: HeaderList = ['content-type', type]
  headers.push('grpc-status', String(exchange.grpcStatus), 'grpc-message', grpcMessage(error, title))
  for (let i = 0; error.headers !== null && i < error.headers.length; i += 2)
    setHeader(headers, error.headers[i] ?? '', error.headers[i + 1] ?? '')
  try {
    sendBody(exchange, route, 200, headers, NO_BODY)
  } catch (thrown) {
    if (route === null || exchange.status !== 0) throw thrown
    fail(exchange, null, bug(thrown))
  }
}

/** Gives a filter's answer. */
export function answer(exchange: Exchange, route: Route, response: FilterAnswer): void {
  send(exchange, route, response.status, [...response.headers], Buffer.from(response.body))
}

/** Sends a whole response of our own through the route's response filters. */
export function send(
  exchange: Exchange,
  route: Route | null,
  status: number,
  headers: HeaderList,
  body: Buffer,
): void {
  sendBody(
    exchange,
    route,
    status,
    headers,
    body.length === 0 && status === 204 ? NO_BODY : new BufferedBody(body),
  )
}

function sendBody(
  exchange: Exchange,
  route: Route | null,
  status: number,
  headers: HeaderList,
  body: BodySource,
): void {
  if (exchange.requestId !== '') setHeader(headers, 'x-request-id', exchange.requestId)
  if (route !== null) filterResponse(exchange, route, headers)
  exchange.responder.respond(status, headers, body)
}

/** Runs the response hooks, last filter first. */
export function filterResponse(exchange: Exchange, route: Route, headers: HeaderList): void {
  const filters = route.filters
  for (let i = filters.length - 1; i >= 0; i--) filters[i]?.onResponse?.(exchange, headers)
}

/** What a thrown error becomes: a bug of ours, which costs this exchange and not the process. */
export function bug(error: unknown): ProxyError {
  return new ProxyError('internal', '', {
    cause: error instanceof Error ? (error.stack ?? error.message) : String(error),
  })
}

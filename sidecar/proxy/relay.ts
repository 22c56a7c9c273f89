import type { BodySource } from '../exchange/body.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { ResponseHead } from '../exchange/outgoing.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import type { Route } from '../snapshot/route.ts'
import { bindClient } from './affinity.ts'
import { bug, fail, filterResponse } from './answer.ts'
import type { Attempt } from './attempt.ts'
import type { ProxyParts } from './parts.ts'
import { noteGrpcStatus } from './grpc-call.ts'
import { openUpgraded } from './upgraded.ts'
import { responseHeaders } from './upstream-headers.ts'

/**
 * Passes an upstream's response to the client: its headers cleaned, through the route's filters.
 *
 * @param sticky the token by which the client asked for an endpoint; empty: it did not
 */
export function relay(
  exchange: Exchange,
  route: Route,
  head: ResponseHead,
  body: BodySource,
  attempt: Attempt,
  sticky: string,
  parts: ProxyParts,
): void {
  const { endpoint } = attempt
  exchange.endpoint = endpoint.label
  exchange.guardedAnswer = head.guarded ?? null
  try {
    const headers = responseHeaders(head.headers, head.version)
    const { affinity } = route.policies
    // A stand-in answers for once: the client keeps the endpoint that it has.
    if (affinity !== null && exchange.fallbackFor === '')
      bindClient(exchange, affinity, { status: head.status, token: endpoint.token, sticky }, headers)
    let way = body
    if (head.status === 101) {
      headers.push('upgrade', exchange.tunnel ?? '')
      way = openUpgraded(exchange, route, head, body, attempt, parts)
    } else {
      way = noteGrpcStatus(exchange, head, body)
      filterResponse(exchange, route, headers)
      if (exchange.responseTransform !== null) way = exchange.responseTransform(headers, way)
    }
    exchange.responder.respond(head.status, headers, way)
  } catch (error) {
    body.abort(new ProxyError('internal'))
    fail(exchange, route, bug(error))
  }
}

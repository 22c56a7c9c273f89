import type { BodySource } from '../exchange/body.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import type { ResponseHead } from '../http1/message.ts'
import type { Route } from '../snapshot/route.ts'
import type { Endpoint } from '../upstream/endpoint.ts'
import { bindClient } from './affinity.ts'
import { bug, fail, filterResponse } from './answer.ts'
import { releaseTunnel } from './done.ts'
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
  endpoint: Endpoint,
  sticky: string,
): void {
  exchange.endpoint = endpoint.label
  try {
    const headers = responseHeaders(head.headers, head.minor === 1 ? 'HTTP/1.1' : 'HTTP/1.0')
    const { affinity } = route.policies
    // A stand-in answers for once: the client keeps the endpoint that it has.
    if (affinity !== null && exchange.fallbackFor === '')
      bindClient(exchange, affinity, { status: head.status, token: endpoint.token, sticky }, headers)
    if (head.status === 101) {
      headers.push('upgrade', exchange.tunnel ?? '')
      // A tunnel may outlive many generations; it keeps its endpoint, and no configuration.
      releaseTunnel(exchange, route)
    } else {
      filterResponse(exchange, route, headers)
    }
    exchange.responder.respond(head.status, headers, body)
  } catch (error) {
    body.abort(new ProxyError('internal'))
    fail(exchange, route, bug(error))
  }
}

import type { Exchange, Peer } from '../exchange/exchange.ts'
import { headerValue } from '../exchange/headers.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import { canonicalize } from '../routing/canonical-request.ts'
import type { Role } from '../snapshot/policies.ts'
import type { Route } from '../snapshot/route.ts'
import { checkOrigin } from './websocket-origin.ts'
import { type Entry, type Listener, listenerFor } from '../snapshot/snapshot.ts'

/** The methods of RFC 9110 and RFC 5789. Others are refused (row 10); CONNECT has its own way. */
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])

/**
 * Which route takes a request: reads it, chooses the listener, makes the headers for the upstream, and looks the route
 * up. The wire and `outrigger explain` both ask here, so that what one says the other does. No I/O.
 *
 * Sets on the exchange, as far as it comes: `request`, `listener`, what `Listener.prepare` fills, `route`, `params`.
 *
 * @returns the route, or why there is none: `bad_path`, `bad_host`, `bad_request`, `method_unknown`,
 *   `method_not_allowed`, `forbidden_host`, `no_route`, `unknown_host`, `loop_detected`
 */
export function decide<U>(exchange: Exchange, entry: Entry<U>): Route<U> | ProxyError {
  // One canonical request, before anybody decides anything: policy and upstream must see the same.
  const host = headerValue(exchange.headers, 'host') ?? null
  const request = canonicalize(
    exchange.method,
    exchange.target,
    host,
    exchange.peer.encrypted,
    exchange.version,
  )
  if (request instanceof ProxyError) return request
  exchange.request = request
  if (!METHODS.has(exchange.method))
    return new ProxyError(exchange.method === 'TRACE' ? 'method_not_allowed' : 'method_unknown')
  // Inside a CONNECT the host was chosen when it was opened; another one would dodge what was decided then.
  if (exchange.connectHost !== null && request.host !== exchange.connectHost)
    return new ProxyError('forbidden_host')
  // The listener, by host: its role and trust decide what becomes of the headers.
  const listener = listenerFor(entry, request.host)
  if (listener === null) return new ProxyError('forbidden_host')
  // Who a client is was settled with the listener that it named when it opened TLS; another one may ask for more.
  if (exchange.peer.encrypted && entry.listeners.length > 1 && listener !== tlsListener(entry, exchange.peer))
    return new ProxyError('forbidden_host')
  exchange.listener = listener.name
  const refused = listener.prepare(exchange)
  if (refused !== null) return refused
  const found = listener.table.lookup(request, exchange.heard ?? exchange.headers)
  if (found.kind !== 'found') return unrouted(listener.role, found.kind === 'method' ? found.allow : null)
  exchange.route = found.name
  exchange.params = found.params
  return found.value
}

/**
 * What the request may ask of the connection: the size of its body, and the protocol to upgrade to. Tells the responder
 * the size, and takes `tunnel` away where the request goes on as a plain one.
 *
 * @returns null where it may go on, else `request_too_large`, `bad_request`, `upgrade_refused` or `origin_refused`
 */
export function limit(exchange: Exchange, route: Route<unknown>): ProxyError | null {
  const size = route.policies.requestSize
  const length = exchange.body.length
  if (size !== null && length !== 'none') {
    if (typeof length === 'number' && length > size) return new ProxyError('request_too_large')
    exchange.responder.limitBody(size)
  }
  const tunnel = exchange.tunnel
  if (tunnel === null) return null
  if (forwards(route) && route.policies.upgrade.protocols.includes(tunnel)) {
    if (exchange.method !== 'GET' || (length !== 'none' && length !== 0))
      return new ProxyError('bad_request', 'An upgrade is a GET without a body.')
    return checkOrigin(exchange, route)
  }
  // An upgrade that is not wanted is ignored; an extended CONNECT of HTTP/2 cannot be.
  if (exchange.version === 'HTTP/2' || (tunnel === 'websocket' && forwards(route)))
    return new ProxyError('upgrade_refused')
  // RFC 9110 section 7.8: an upgrade that is not wanted is ignored, and the request is a plain one (row 6: `h2c`).
  exchange.tunnel = null
  return null
}

function forwards(route: Route<unknown>): boolean {
  return route.action.kind === 'upstream' || route.action.kind === 'split'
}

/** The listener of the handshake, as the handshake itself chose it. */
function tlsListener<U>(entry: Entry<U>, peer: Peer): Listener<U> | undefined {
  return listenerFor(entry, peer.serverName) ?? entry.listeners[0]
}

function unrouted(role: Role, allow: string | null): ProxyError {
  if (allow !== null) return new ProxyError('method_not_allowed', '', { headers: ['allow', allow] })
  // An app must never take the sidecar's own 404 for that of the service it called.
  return new ProxyError(role === 'outbound' ? 'unknown_host' : 'no_route')
}

import type { Exchange } from '../exchange/exchange.ts'
import { headerValues } from '../exchange/headers.ts'
import { compileOrigins } from '../exchange/origins.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import type { Route } from '../snapshot/route.ts'

const ORIGIN = /^(https?):\/\/([^/]+)$/

/**
 * Whether a page may open a WebSocket here: the same-origin policy does not hold for them, and a browser sends its
 * cookies along, so that only `Origin` tells the own page from another's (RFC 6455 section 10.2). It is checked where the
 * route lists origins, and where a cookie, a certificate or a password that a browser keeps says who is calling; a client
 * that sends none is no browser.
 *
 * @returns null where it may, else `origin_refused`
 */
export function checkOrigin(exchange: Exchange, route: Route<unknown>): ProxyError | null {
  const { origins } = route.policies.upgrade.websocket
  if (exchange.tunnel !== 'websocket' || (origins === null && !exchange.ambient)) return null
  const sent = headerValues(exchange.headers, 'origin')
  if (sent.length === 0) return null
  const allows = compileOrigins(origins ?? [])
  if (sent.every(origin => isOwn(origin, exchange) || allows(origin))) return null
  return new ProxyError('origin_refused')
}

/** Whether it is the origin that the request itself was sent to. */
function isOwn(origin: string, exchange: Exchange): boolean {
  const request = exchange.request
  const match = ORIGIN.exec(origin)
  if (request === null || match === null) return false
  const [, scheme, authority] = match
  // Where TLS ends ahead of us a request comes as http. The other way round, anybody on the way can be the http page.
  if (scheme === 'http' && request.scheme === 'https') return false
  const port =
    request.port === 0 || request.port === (scheme === 'https' ? 443 : 80) ? '' : `:${request.port}`
  return authority === request.host + port
}

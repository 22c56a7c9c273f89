import type { Exchange } from '../exchange/exchange.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import { canonicalizeConnect } from '../routing/canonical-request.ts'
import { type Entry, listenerFor } from '../snapshot/snapshot.ts'
import { fail } from './answer.ts'

const HTTPS = 443

/**
 * A CONNECT (RFC 9110 section 9.3.6), which clients send that have us as `HTTP_PROXY`. Only on an outbound listener,
 * only to a host of its routes, and only once: the bytes inside are read as HTTP by the same connection, so that every
 * policy holds for what is asked there.
 */
export function connect(exchange: Exchange, entry: Entry): void {
  const named = canonicalizeConnect(exchange.target)
  if (named instanceof ProxyError) {
    fail(exchange, null, named)
    return
  }
  const listener = listenerFor(entry, named.host)
  if (listener === null || listener.role !== 'outbound') {
    fail(
      exchange,
      null,
      new ProxyError('method_not_allowed', '', {
        headers: ['allow', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'],
      }),
    )
    return
  }
  exchange.listener = listener.name
  if (exchange.connectHost !== null || exchange.body.length !== 'none') {
    fail(exchange, null, new ProxyError('bad_request', 'A CONNECT inside of a CONNECT, or one with a body.'))
    return
  }
  // What comes on this port is TLS, which we could only answer with bytes that the client takes for a broken handshake.
  if (named.port === HTTPS) {
    fail(exchange, null, new ProxyError('unknown_host', 'An https URL cannot pass here: ask for it by http.'))
    return
  }
  // Routed: some request for this host would find a route, whatever it asks for.
  if (!listener.table.knowsHost(named.host, named.port)) {
    fail(exchange, null, new ProxyError('unknown_host'))
    return
  }
  exchange.route = 'none'
  exchange.responder.acceptConnect(named.host)
}

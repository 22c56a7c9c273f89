import type { Exchange } from '../exchange/exchange.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import { canonicalizeConnect } from '../routing/canonical-request.ts'
import { type Entry, listenerFor } from '../snapshot/snapshot.ts'
import { fail } from './answer.ts'
import { ConnectTunnel } from './connect-tunnel.ts'
import type { ProxyParts } from './parts.ts'

const HTTPS = 443

/**
 * A CONNECT (RFC 9110 section 9.3.6), which clients send that have us as `HTTP_PROXY`. Only on an outbound listener,
 * by HTTP/1, and only once. To a host of its routes the bytes inside are read as HTTP by the same connection, so that every policy
 * holds for what is asked there; to others there is a plain tunnel, where the listener says so.
 */
export function connect(exchange: Exchange, entry: Entry, parts: ProxyParts): void {
  const named = canonicalizeConnect(exchange.target)
  if (named instanceof ProxyError) {
    fail(exchange, null, named)
    return
  }
  exchange.request = Object.freeze({
    method: 'CONNECT',
    scheme: exchange.peer.encrypted ? 'https' : 'http',
    ...named,
    path: '',
    query: '',
    hasQuery: false,
  })
  const listener = listenerFor(entry, named.host)
  // The headers go nowhere, but who asks has to be known, and a loop be seen.
  const refused = listener?.prepare(exchange) ?? null
  if (listener === null || listener.role !== 'outbound' || exchange.version === 'HTTP/2') {
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
  if (refused !== null) {
    fail(exchange, null, refused)
    return
  }
  // Routed: some request for this host would find a route, whatever it asks for. What comes on 443 is TLS all the same.
  const routed = listener.table.knowsHost(named.host, named.port)
  if (listener.tunnel !== null && (named.port === HTTPS || !routed)) {
    new ConnectTunnel(exchange, named, listener.tunnel, parts).start()
    return
  }
  // What comes on this port is TLS, which we could only answer with bytes that the client takes for a broken handshake.
  if (named.port === HTTPS) {
    fail(exchange, null, new ProxyError('unknown_host', 'An https URL cannot pass here: ask for it by http.'))
    return
  }
  if (!routed) {
    fail(exchange, null, new ProxyError('unknown_host'))
    return
  }
  exchange.route = 'none'
  exchange.responder.acceptConnect(named.host)
}

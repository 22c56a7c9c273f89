import type { BodySource } from '../exchange/body.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { headerValue, type HeaderList, listMembers } from '../exchange/headers.ts'
import type { ResponseHead } from '../exchange/outgoing.ts'
import type { Route } from '../snapshot/route.ts'
import { WebSocketTunnel } from '../websocket/websocket-tunnel.ts'
import type { Attempt } from './attempt.ts'
import { releaseTunnel } from './done.ts'
import type { ProxyParts } from './parts.ts'
import { countUpgraded } from './upgrade-accounts.ts'

/**
 * The upstream has agreed to an upgrade: from here on the bodies are the tunnel. Its generation goes back, it is counted,
 * and where it is a WebSocket its frames are followed.
 *
 * @param body what the upstream sends
 * @returns what goes to the client
 */
export function openUpgraded(
  exchange: Exchange,
  route: Route,
  head: ResponseHead,
  body: BodySource,
  attempt: Attempt,
  parts: ProxyParts,
): BodySource {
  // A tunnel may outlive many generations; it keeps its endpoint, and no configuration.
  releaseTunnel(exchange, route)
  countUpgraded(exchange, parts.tunnels)
  const compressed = compression(exchange, head.headers)
  if (compressed === null) return body
  const { ping, max } = route.policies.upgrade.websocket
  const expiresAt = exchange.caller?.expiresAt ?? null
  // A credential that was let in although it has just ended is not good for longer.
  const credential = expiresAt === null ? null : Math.max(0, expiresAt - parts.wall())
  const tunnel = new WebSocketTunnel(exchange, body, { ping, max, credential, compressed }, parts)
  exchange.tunnelControl = tunnel
  attempt.body = tunnel.up.way
  return tunnel.down.way
}

/**
 * Whether messages are compressed (RFC 7692); null where the frames cannot be followed: it is no WebSocket of RFC 6455,
 * or has an extension that may make frames of its own.
 */
function compression(exchange: Exchange, response: HeaderList): boolean | null {
  if (exchange.tunnel !== 'websocket') return null
  if (headerValue(exchange.headers, 'sec-websocket-version') !== '13') return null
  const extensions = listMembers(response, 'sec-websocket-extensions')
  const known = extensions.every(one => /^permessage-deflate[\t ]*(?:;|$)/i.test(one))
  return known ? extensions.length > 0 : null
}

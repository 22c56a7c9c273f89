import type { Exchange } from '../exchange/exchange.ts'
import type { TunnelCounters } from '../telemetry/tunnel-metrics.ts'
import type { Tunnels } from './tunnels.ts'

/** Counts a tunnel that an upgrade has opened. */
export function countUpgraded(exchange: Exchange, tunnels: Tunnels): void {
  const counters = countersOf(exchange, tunnels)
  counters.opened++
  counters.active++
  tunnels.upgraded.add(exchange)
}

/** Ends the accounts of such a tunnel. An exchange that was none is left alone. */
export function closeUpgraded(exchange: Exchange, tunnels: Tunnels): void {
  if (exchange.tunnel === null || !tunnels.upgraded.delete(exchange)) return
  const counters = countersOf(exchange, tunnels)
  counters.active--
  counters.bytesIn += exchange.bytesIn
  counters.bytesOut += exchange.bytesOut
  exchange.tunnelControl?.end()
  exchange.tunnelControl = null
  if (exchange.tunnel === 'websocket') tunnels.closes[exchange.closedBy === '' ? 'none' : exchange.closedBy]++
}

function countersOf(exchange: Exchange, tunnels: Tunnels): TunnelCounters {
  return exchange.tunnel === 'websocket' ? tunnels.websocket : tunnels.other
}

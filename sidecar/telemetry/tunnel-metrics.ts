import type { CloseSide } from '../exchange/tunnel-control.ts'
import type { Metrics } from './metrics.ts'

/** What is counted of the tunnels of one protocol; plain fields that the data path increments. */
export interface TunnelCounters {
  active: number
  opened: number
  failed: number
  bytesIn: number
  bytesOut: number
}

/** What is counted of tunnels: plain ones, WebSockets, and other upgrades. */
export interface TunnelMetrics {
  readonly connect: TunnelCounters
  readonly websocket: TunnelCounters
  readonly other: TunnelCounters
  /** WebSockets that ended, by who sent the first close frame. */
  readonly closes: Record<CloseSide | 'none', number>
}

/** Shows the counters in the catalogue. @returns them, at zero */
export function tunnelMetrics(metrics: Metrics): TunnelMetrics {
  const zero = (): TunnelCounters => ({ active: 0, opened: 0, failed: 0, bytesIn: 0, bytesOut: 0 })
  const tunnels = { connect: zero(), websocket: zero(), other: zero() }
  const closes = { client: 0, upstream: 0, outrigger: 0, none: 0 }
  const each = (
    values: (one: TunnelCounters) => readonly { readonly labels: object; readonly value: number }[],
  ) =>
    Object.entries(tunnels).flatMap(([protocol, one]) =>
      values(one).map(({ labels, value }) => ({ labels: { protocol, ...labels }, value })),
    )
  metrics.gauge('outrigger_active_tunnels', 'Tunnels that are open, by protocol.', () =>
    each(({ active }) => [{ labels: {}, value: active }]),
  )
  metrics.counter('outrigger_tunnels_total', 'Tunnels that were asked for, by protocol and result.', () =>
    each(({ opened, failed }) => [
      { labels: { result: 'opened' }, value: opened },
      { labels: { result: 'failed' }, value: failed },
    ]),
  )
  metrics.counter('outrigger_tunnel_bytes_total', 'Bytes that tunnels passed, counted when they end.', () =>
    each(({ bytesIn, bytesOut }) => [
      { labels: { direction: 'in' }, value: bytesIn },
      { labels: { direction: 'out' }, value: bytesOut },
    ]),
  )
  metrics.counter(
    'outrigger_websocket_closes_total',
    'WebSockets that ended, by who sent the first close frame.',
    () => Object.entries(closes).map(([by, value]) => ({ labels: { by }, value })),
  )
  return { ...tunnels, closes }
}

import type { Metrics } from './metrics.ts'

/** What is counted of plain tunnels; plain fields that the data path increments. */
export interface TunnelCounters {
  active: number
  opened: number
  failed: number
  bytesIn: number
  bytesOut: number
}

/** Shows the counters in the catalogue. @returns them, at zero */
export function tunnelMetrics(metrics: Metrics): TunnelCounters {
  const tunnels: TunnelCounters = { active: 0, opened: 0, failed: 0, bytesIn: 0, bytesOut: 0 }
  metrics.gauge('outrigger_active_tunnels', 'Plain tunnels that are open.', () => [
    { labels: {}, value: tunnels.active },
  ])
  metrics.counter('outrigger_tunnels_total', 'Plain tunnels that were asked for, by result.', () => [
    { labels: { result: 'opened' }, value: tunnels.opened },
    { labels: { result: 'failed' }, value: tunnels.failed },
  ])
  metrics.counter('outrigger_tunnel_bytes_total', 'Bytes that tunnels passed, counted when they end.', () => [
    { labels: { direction: 'in' }, value: tunnels.bytesIn },
    { labels: { direction: 'out' }, value: tunnels.bytesOut },
  ])
  return tunnels
}

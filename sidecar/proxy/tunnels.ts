import type { Exchange } from '../exchange/exchange.ts'
import type { TunnelCounters, TunnelMetrics } from '../telemetry/tunnel-metrics.ts'
import type { LookupQueue } from '../upstream/discovery/lookup-queue.ts'

/** What tunnels share. */
export interface Tunnels extends Omit<TunnelMetrics, 'connect'> {
  /** Of plain tunnels. */
  readonly lookups: LookupQueue
  readonly counters: TunnelCounters
  /** Those that upgrades opened and that have not ended. */
  readonly upgraded: Set<Exchange>
}

import type { TunnelCounters } from '../telemetry/tunnel-metrics.ts'
import type { LookupQueue } from '../upstream/discovery/lookup-queue.ts'

/** What plain tunnels share. */
export interface Tunnels {
  readonly lookups: LookupQueue
  readonly counters: TunnelCounters
}

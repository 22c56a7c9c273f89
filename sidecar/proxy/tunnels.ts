import type { Exchange, Peer } from '../exchange/exchange.ts'
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

/** Policy violation (RFC 6455 section 7.4.1). */
const POLICY_VIOLATION = 1008

/** Ends the tunnels of clients that are no longer let in. Those that nobody can follow end with their connections. */
export function endTunnels(peers: ReadonlySet<Peer>, { upgraded }: Tunnels): void {
  for (const exchange of upgraded)
    if (peers.has(exchange.peer))
      exchange.tunnelControl?.close(POLICY_VIOLATION, 'the certificate is no longer trusted')
}

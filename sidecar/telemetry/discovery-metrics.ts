import type { Sample } from './exposition.ts'
import type { Metrics } from './metrics.ts'
import { MAX_LABELS } from './series-table.ts'

/** A service that is watched, asked for at a scrape. */
export interface WatchedService {
  /** `orders.shop`. */
  readonly service: string
  readonly slices: number
  readonly watching: boolean
  /** Milliseconds since its API server was last heard; null: never. */
  readonly silence: number | null
  readonly counts: { readonly closed: number; readonly failed: number; readonly expired: number }
}

/** Adds the metrics of discovery, read at each scrape. */
export function discoveryMetrics(metrics: Metrics, watched: () => Iterable<WatchedService>): void {
  // Services of one name in two clusters are one series: the sum, or the worst of them.
  const services = (): WatchedService[] => {
    const byName = new Map<string, WatchedService>()
    for (const one of watched()) {
      const other = byName.get(one.service)
      if (other !== undefined) byName.set(one.service, together(one, other))
      else if (byName.size < MAX_LABELS) byName.set(one.service, one)
    }
    return [...byName.values()]
  }
  const each = (value: (service: WatchedService) => number) => (): Sample[] =>
    services().map(one => ({ labels: { service: one.service }, value: value(one) }))
  metrics.gauge(
    'outrigger_discovery_watching',
    'Whether the watch of a service is open: 1 or 0.',
    each(one => (one.watching ? 1 : 0)),
  )
  metrics.gauge(
    'outrigger_discovery_slices',
    'EndpointSlices that are known of a service.',
    each(one => one.slices),
  )
  metrics.gauge(
    'outrigger_discovery_last_event_age_seconds',
    'Time since the API server last said something of a service.',
    () =>
      services().flatMap(({ service, silence }) =>
        silence === null ? [] : [{ labels: { service }, value: silence / 1000 }],
      ),
  )
  metrics.counter(
    'outrigger_discovery_watch_restarts_total',
    'Watches of a service that ended, by cause: the server closed it, it failed, its place was forgotten.',
    () =>
      services().flatMap(({ service, counts }) =>
        Object.entries(counts).map(([cause, value]) => ({ labels: { service, cause }, value })),
      ),
  )
}

function together(one: WatchedService, other: WatchedService): WatchedService {
  return {
    service: one.service,
    slices: one.slices + other.slices,
    watching: one.watching && other.watching,
    silence:
      one.silence === null || other.silence === null
        ? (one.silence ?? other.silence)
        : Math.max(one.silence, other.silence),
    counts: {
      closed: one.counts.closed + other.counts.closed,
      failed: one.counts.failed + other.counts.failed,
      expired: one.counts.expired + other.counts.expired,
    },
  }
}

import type { Overload } from '../runtime/overload.ts'
import type { Metrics } from './metrics.ts'

/** Adds the metrics of overload, read at each scrape. */
export function overloadMetrics(metrics: Metrics, overload: Overload): void {
  metrics.gauge(
    'outrigger_overload_state',
    'How short the process is of room: 0 not, 1 connections end with their response, 2 requests are refused.',
    () => [{ labels: {}, value: overload.share > 0 ? 2 : overload.closing ? 1 : 0 }],
  )
  metrics.counter('outrigger_shed_total', 'Requests refused because the process had no room, by cause.', () =>
    Object.entries(overload.shed).map(([cause, value]) => ({ labels: { cause }, value })),
  )
}

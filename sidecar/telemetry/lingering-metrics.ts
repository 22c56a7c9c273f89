import type { LingeringCounters } from '../runtime/lingering.ts'
import type { Metrics } from './metrics.ts'

export type { LingeringCounters } from '../runtime/lingering.ts'

/** Shows the counters in the catalogue. @returns them, at zero */
export function lingeringMetrics(metrics: Metrics): LingeringCounters {
  const lingering: LingeringCounters = { active: 0, cut: 0 }
  metrics.gauge('outrigger_lingering_connections', 'Closing connections that are still read from.', () => [
    { labels: {}, value: lingering.active },
  ])
  metrics.counter(
    'outrigger_lingering_cut_total',
    'Connections that were closed at once because too many were closing.',
    () => [{ labels: {}, value: lingering.cut }],
  )
  return lingering
}

import type { OutlierHost, OutlierRecord } from './outlier-record.ts'
import type { OutlierSpec } from './upstream-spec.ts'

/** With fewer endpoints to compare there is no telling who is the odd one. */
const FEWEST_FOR_RATES = 5
const FEWEST_FOR_LATENCIES = 3
/** Milliseconds that a mean must lie above the median, whatever the factor: thrice 0.3 ms is nobody's trouble. */
const LEAST_DELAY = 10

/** An endpoint that stands out, and by how much, in words. */
interface Suspect {
  readonly record: OutlierRecord
  readonly detail: string
}

/** Those whose success rate lies too many standard deviations below the mean, the worst first. */
export function unreliable(
  hosts: readonly OutlierHost[],
  spec: NonNullable<OutlierSpec['successRate']>,
): Suspect[] {
  const rated = hosts
    .filter(({ outlier }) => outlier.successes + outlier.failures >= spec.minimumRequests)
    .map(({ outlier }) => ({
      record: outlier,
      rate: outlier.successes / (outlier.successes + outlier.failures),
    }))
  if (rated.length < FEWEST_FOR_RATES) return []
  const mean = rated.reduce((sum, one) => sum + one.rate, 0) / rated.length
  const variance = rated.reduce((sum, one) => sum + (one.rate - mean) ** 2, 0) / rated.length
  const bound = mean - spec.deviations * Math.sqrt(variance)
  // All alike: the mean of equal rates may differ from them in the last digit.
  if (variance < 1e-12) return []
  return rated
    .filter(one => one.rate < bound)
    .toSorted((a, b) => a.rate - b.rate)
    .map(({ record, rate }) => ({
      record,
      detail: `a success rate of ${percent(rate)}, all have ${percent(mean)}`,
    }))
}

/** Those whose mean latency is too many times the median one, the worst first. Only successes are timed. */
export function slowest(hosts: readonly OutlierHost[], spec: NonNullable<OutlierSpec['latency']>): Suspect[] {
  const timed = hosts
    .filter(({ outlier }) => outlier.successes >= spec.minimumRequests && outlier.successes > 0)
    .map(({ outlier }) => ({ record: outlier, mean: outlier.milliseconds / outlier.successes }))
    .toSorted((a, b) => b.mean - a.mean)
  if (timed.length < FEWEST_FOR_LATENCIES) return []
  const median = timed[Math.floor(timed.length / 2)]?.mean ?? 0
  const bound = Math.max(median * spec.factor, median + LEAST_DELAY)
  return timed
    .filter(one => one.mean >= bound)
    .map(({ record, mean }) => ({
      record,
      detail: `a mean latency of ${mean.toFixed(0)} ms, the median endpoint has ${median.toFixed(0)} ms`,
    }))
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}

import type { LoadOptions } from './load.ts'
import type { Bench, Field } from './row.ts'
import { sample, type Sample } from './sample.ts'
import { median } from './statistics.ts'

/** All samples of one contestant, in the order of the rounds. */
export interface Series {
  readonly name: string
  readonly samples: readonly Sample[]
}

const WARM_UP_SECONDS = 2

/** Warms everyone up, then gives each its turn in every round: A B C, A B C, ... */
export async function rounds(
  bench: Bench,
  field: Field,
  load: Omit<LoadOptions, 'port' | 'seconds'> = {},
): Promise<readonly Series[]> {
  const { seconds, rounds: count } = bench.options
  const series = field.entries.map(({ name, entry }) => ({ name, entry, samples: new Array<Sample>() }))
  for (const { name, entry } of series) {
    bench.say(`warming up ${name}`)
    await sample(entry, { ...load, seconds: Math.min(seconds, WARM_UP_SECONDS) })
  }
  for (let round = 1; round <= count; round++)
    for (const { name, entry, samples } of series) {
      const one = await sample(entry, { ...load, seconds })
      samples.push(one)
      bench.say(`round ${round} of ${count}: ${name}: ${one.rps.toFixed(0)} rps, ${one.cpu.toFixed(1)} us`)
    }
  return series.map(({ name, samples }) => ({ name, samples }))
}

/** One figure out of a series: the median of its rounds, or the best (the lowest, or the highest of `rps`). */
export function figure(series: Series, key: 'rps' | 'cpu' | 'p50' | 'p99' | 'rss', best: boolean): number {
  const values = series.samples.map(one => one[key])
  if (!best) return median(values)
  return key === 'rps' ? Math.max(...values) : Math.min(...values)
}

/** What the correctness check found over all rounds, as a cell and, where something was wrong, as a note. */
export function verdict(series: Series): { cell: string; notes: readonly string[] } {
  let compared = 0
  let wrong = 0
  let failures = 0
  for (const { check, failures: failed } of series.samples) {
    compared += check.compared
    wrong += check.wrong
    failures += failed
  }
  const notes = []
  if (wrong > 0) notes.push(`WRONG: ${series.name}: ${wrong} of ${compared} compared responses differ`)
  if (failures > 0) notes.push(`${series.name}: ${failures} requests of the load failed`)
  return { cell: wrong === 0 ? `${compared} ok` : `${wrong} WRONG`, notes }
}

import { seededRandom } from '../../sidecar/runtime/random.ts'

/** Random numbers that come again with the same seed, so that a case can be made again from its number. */
export class RandomSource {
  /** A number from 0 up to, not including, 1. */
  readonly next: () => number
  constructor(seed: number) {
    this.next = seededRandom(seed)
  }
  /** A whole number from 0 up to, not including, `limit`. */
  below(limit: number): number {
    return Math.floor(this.next() * limit)
  }
  chance(probability: number): boolean {
    return this.next() < probability
  }
  pick<T>(list: readonly T[]): T {
    const item = list[this.below(list.length)]
    if (item === undefined) throw new Error('nothing to pick from')
    return item
  }
}

/** How many cases a run makes: the first number among the arguments, else `FUZZ_CASES`, else `usual`. */
export function caseCount(usual: number): number {
  const argument = process.argv.slice(2).find(word => /^[0-9]+$/.test(word))
  return Number(argument ?? process.env['FUZZ_CASES'] ?? usual)
}

/** The seed of a run: `FUZZ_SEED`, else a fixed one, so that a failure in CI is one everywhere. */
export function seed(): number {
  return Number(process.env['FUZZ_SEED'] ?? 20261124)
}

/** A source of numbers in [0, 1). Injected wherever chance decides, so that a test can replay it. */
export type Random = () => number

export const systemRandom: Random = Math.random

/** A seeded generator (mulberry32), so that a test can replay what chance decided. The same seed gives the same numbers. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

/** A source of numbers in [0, 1). Injected wherever chance decides, so that a test can replay it. */
export type Random = () => number

export const systemRandom: Random = Math.random

/** A small seeded generator (mulberry32) for tests and fuzzing: the same seed gives the same numbers everywhere. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

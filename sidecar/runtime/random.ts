/** A source of numbers in [0, 1). Injected wherever chance decides, so that a test can replay it. */
export type Random = () => number

export const systemRandom: Random = Math.random

/** Where the time comes from. Everything that waits or measures takes one, so that tests step it by hand. */
export interface Clock {
  /** Monotonic milliseconds since an arbitrary start, with fractions. */
  now(): number
  /** Milliseconds since 1970, for what people and other machines read. Never for measuring: it jumps. */
  wall(): number
}

/** The machine's clocks. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
}

/** How long the serving thread works on a configuration before it lets requests have the event loop, in milliseconds. */
const SLICE_MS = 10

/** Long work in slices: after each that is over, what waits in the event loop goes first. */
export class Slices {
  readonly #now: () => number
  #since: number

  /** @param now monotonic milliseconds */
  constructor(now: () => number) {
    this.#now = now
    this.#since = now()
  }

  /** Whether the slice has had its time, so that `next` is to be awaited. */
  get over(): boolean {
    return this.#now() - this.#since >= SLICE_MS
  }

  async next(): Promise<void> {
    await new Promise(resolve => setImmediate(resolve))
    this.#since = this.#now()
  }
}

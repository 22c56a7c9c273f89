/** Timers that a test can step by hand. */
export interface Timers {
  /** Monotonic milliseconds. */
  now(): number
  set(callback: () => void, delay: number): NodeJS.Timeout | number
  clear(timer: NodeJS.Timeout | number): void
}

export const systemTimers: Timers = {
  now: () => performance.now(),
  set: (callback, delay) => setTimeout(callback, delay),
  clear: timer => clearTimeout(timer),
}

/**
 * Turns a burst of events into one call: after a stretch of quiet, but never later than a limit after the first event,
 * so that a file that is written without end is looked at too.
 */
export class QuietPeriod {
  readonly #call: () => void
  readonly #quiet: number
  readonly #latest: number
  readonly #timers: Timers
  #first = 0
  #timer: NodeJS.Timeout | number | null = null

  /** @param quiet stretch without an event, and @param latest limit after the first, both in milliseconds */
  constructor(call: () => void, quiet: number, latest: number, timers: Timers) {
    this.#call = call
    this.#quiet = quiet
    this.#latest = latest
    this.#timers = timers
  }

  event(): void {
    const now = this.#timers.now()
    if (this.#timer === null) this.#first = now
    else this.#timers.clear(this.#timer)
    const delay = Math.max(0, Math.min(this.#quiet, this.#first + this.#latest - now))
    this.#timer = this.#timers.set(() => {
      this.#timer = null
      this.#call()
    }, delay)
  }

  cancel(): void {
    if (this.#timer !== null) this.#timers.clear(this.#timer)
    this.#timer = null
  }
}

import type { KeyState } from './key-state.ts'

/** What sums of intervals may be off, as a share of one interval. */
const ROUNDING = 1e-6

/**
 * A bucket that holds `burst` and gets `quota` back in each `window`, as the generic cell rate algorithm (ITU-T I.371):
 * one number, the moment at which the bucket is full again.
 */
export class TokenBucket implements KeyState {
  readonly #window: number
  readonly #burst: number
  #fullAt = -Infinity

  constructor(window: number, burst: number) {
    this.#window = window
    this.#burst = burst
  }

  fits(now: number, quota: number, cost: number): boolean {
    const interval = this.#window / quota
    return this.#missing(now, interval) + (cost - ROUNDING) * interval <= this.#burst * interval
  }

  take(now: number, quota: number, cost: number): void {
    const interval = this.#window / quota
    this.#fullAt = now + this.#missing(now, interval) + cost * interval
  }

  giveBack(quota: number, cost: number): void {
    this.#fullAt -= (cost * this.#window) / quota
  }

  remaining(now: number, quota: number): number {
    const interval = this.#window / quota
    return Math.max(0, Math.floor(this.#burst - this.#missing(now, interval) / interval + ROUNDING))
  }

  reset(now: number, quota: number): number {
    return this.#missing(now, this.#window / quota)
  }

  wait(now: number, quota: number, cost: number): number {
    if (this.fits(now, quota, cost)) return 0
    const interval = this.#window / quota
    return this.#missing(now, interval) + (cost - this.#burst) * interval
  }

  /** Milliseconds until it is full: never more than an empty one takes, also where the burst became smaller. */
  #missing(now: number, interval: number): number {
    return Math.min(Math.max(0, this.#fullAt - now), this.#burst * interval)
  }
}

import type { KeyState } from './key-state.ts'

/** Into how many grains a window is divided where it holds more requests than that. */
export const GRAINS = 32

/** The log of a key that used nothing; never written. */
const NOTHING: number[] = []

/**
 * At most `quota` in any stretch of `window`, exactly: a log of when what was counted, whose entries leave one window
 * after they came.
 *
 * So that the log is bounded, requests of one grain (a 32nd of the window) share an entry, which leaves one window after
 * the **last** of them. Each thus counts for at least a whole window, so that the bound never breaks, and for at most a
 * 32nd longer. An entry is opened at the earliest one grain after the one before it was, and is gone a window and a grain
 * later: there are never more than 34 of them, whatever the quota is.
 */
export class SlidingWindow implements KeyState {
  readonly #window: number
  /** Pairs: when the last of an entry came, and how much the entry holds. The oldest stands at `#head`. */
  #log: number[] = NOTHING
  #head = 0
  /** When the first of the newest entry came. */
  #opened = -Infinity
  #used = 0

  constructor(window: number) {
    this.#window = window
  }

  fits(now: number, quota: number, cost: number): boolean {
    this.#prune(now)
    return this.#used + cost <= quota
  }

  take(now: number, _quota: number, cost: number): void {
    this.#prune(now)
    const log = this.#log
    this.#used += cost
    if (log.length === 0) {
      // Most keys are seen once: an array that was never pushed to holds two numbers and no room for more.
      this.#log = [now, cost]
      this.#opened = now
    } else if (now - this.#opened < this.#window / GRAINS) {
      log[log.length - 2] = now
      log[log.length - 1]! += cost
    } else {
      log.push(now, cost)
      this.#opened = now
    }
  }

  giveBack(_quota: number, cost: number): void {
    const log = this.#log
    let left = cost
    for (let i = log.length - 1; i > this.#head && left > 0; i -= 2) {
      const back = Math.min(left, log[i] as number)
      log[i]! -= back
      left -= back
      this.#used -= back
    }
  }

  remaining(now: number, quota: number): number {
    this.#prune(now)
    return Math.max(0, quota - this.#used)
  }

  reset(now: number): number {
    this.#prune(now)
    return this.#log.length === 0 ? 0 : (this.#log[this.#head] as number) + this.#window - now
  }

  wait(now: number, quota: number, cost: number): number {
    this.#prune(now)
    let over = this.#used + cost - quota
    if (over <= 0) return 0
    const log = this.#log
    for (let i = this.#head; i < log.length; i += 2) {
      over -= log[i + 1] as number
      if (over <= 0) return (log[i] as number) + this.#window - now
    }
    return this.#window
  }

  #prune(now: number): void {
    const log = this.#log
    let head = this.#head
    while (head < log.length && (log[head] as number) + this.#window <= now) {
      this.#used -= log[head + 1] as number
      head += 2
    }
    if (head === log.length && head > 0) {
      this.#log = NOTHING
      head = 0
      this.#opened = -Infinity
    } else if (head >= GRAINS) {
      log.splice(0, head)
      head = 0
    }
    this.#head = head
  }
}

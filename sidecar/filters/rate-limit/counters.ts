import type { Clock } from '../../runtime/clock.ts'
import { CalendarWindow, calendarWindow } from './calendar-window.ts'
import type { KeyState } from './key-state.ts'
import { RecentKeys } from './recent-keys.ts'
import type { Rate } from './schema.ts'
import { SlidingWindow } from './sliding-window.ts'
import { TokenBucket } from './token-bucket.ts'

/** The counts of one limit in this process, by key. */
export interface Counter {
  /** The clock that its states are asked with. */
  now(): number
  state(key: string, now: number): KeyState
}

/** The shortest life of a key, so that a window of some milliseconds does not turn its keys over all the time. */
const SHORTEST_LIFE_MS = 1000
/** How much longer than this month or year another one may be. */
const LONGER_MS = 3 * 86_400_000

/** Opens the counts of a limit. Holds no timer. */
export function openCounter(rate: Rate, clock: Clock): Counter {
  switch (rate.kind) {
    case 'sliding':
      return new Counts(
        rate.window * 1.1,
        () => clock.now(),
        () => new SlidingWindow(rate.window),
      )
    case 'bucket': {
      // With a quota of one, a bucket takes the longest.
      const longest = rate.window * rate.burst
      return new Counts(
        longest,
        () => clock.now(),
        () => new TokenBucket(rate.window, rate.burst),
      )
    }
    case 'calendar': {
      const { start, end } = calendarWindow(rate.unit, clock.wall())
      return new Counts(
        end - start + LONGER_MS,
        () => clock.wall(),
        () => new CalendarWindow(rate.unit),
      )
    }
    case 'concurrent':
      return new InFlight()
  }
}

class Counts implements Counter {
  readonly now: () => number
  readonly #keys: RecentKeys<KeyState>
  readonly #open: () => KeyState

  constructor(life: number, now: () => number, open: () => KeyState) {
    this.now = now
    this.#keys = new RecentKeys(Math.max(life, SHORTEST_LIFE_MS))
    this.#open = open
  }

  state(key: string, now: number): KeyState {
    return this.#keys.get(key, now, this.#open)
  }
}

/** Requests that are under way, by key. What is under way is bounded elsewhere, and a key without any is forgotten. */
class InFlight implements Counter {
  readonly #keys = new Map<string, Places>()

  now(): number {
    return 0
  }

  state(key: string): KeyState {
    return this.#keys.get(key) ?? new Places(key, this.#keys)
  }
}

class Places implements KeyState {
  readonly #key: string
  readonly #keys: Map<string, Places>
  #used = 0

  constructor(key: string, keys: Map<string, Places>) {
    this.#key = key
    this.#keys = keys
  }

  fits(_now: number, quota: number, cost: number): boolean {
    return this.#used + cost <= quota
  }

  take(_now: number, _quota: number, cost: number): void {
    if (this.#used === 0) this.#keys.set(this.#key, this)
    this.#used += cost
  }

  giveBack(_quota: number, cost: number): void {
    this.#used -= cost
    if (this.#used <= 0) this.#keys.delete(this.#key)
  }

  remaining(_now: number, quota: number): number {
    return Math.max(0, quota - this.#used)
  }

  reset(): number {
    return 0
  }

  /** Nobody knows when a request ends. */
  wait(now: number, quota: number, cost: number): number {
    return this.fits(now, quota, cost) ? 0 : 1000
  }
}

import type { KeyState } from './key-state.ts'
import type { CalendarUnit } from './schema.ts'

const DAY_MS = 86_400_000
/** 1970-01-01 was a Thursday: so many days after a Monday. */
const THURSDAY = 3
/** A window that begins later than this was begun by a clock that was wrong, not by one that was set back a little. */
const AHEAD_MS = DAY_MS

/** The day, week (from Monday), month or year in UTC that holds a moment, in milliseconds since 1970. */
export function calendarWindow(
  unit: CalendarUnit,
  wall: number,
): { readonly start: number; readonly end: number } {
  const day = Math.floor(wall / DAY_MS)
  switch (unit) {
    case 'day':
      return { start: day * DAY_MS, end: (day + 1) * DAY_MS }
    case 'week': {
      const monday = day - ((day + THURSDAY) % 7)
      return { start: monday * DAY_MS, end: (monday + 7) * DAY_MS }
    }
    case 'month': {
      const date = new Date(wall)
      const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()]
      return { start: Date.UTC(year, month, 1), end: Date.UTC(year, month + 1, 1) }
    }
    case 'year': {
      const year = new Date(wall).getUTCFullYear()
      return { start: Date.UTC(year, 0, 1), end: Date.UTC(year + 1, 0, 1) }
    }
  }
}

/**
 * At most `quota` in each day, week, month or year. By the wall clock, which jumps: a clock that is set back into the
 * window before goes on counting in the one that was begun, so that nobody gets a second quota of it.
 */
export class CalendarWindow implements KeyState {
  readonly #unit: CalendarUnit
  #start = -Infinity
  #end = -Infinity
  #used = 0

  constructor(unit: CalendarUnit) {
    this.#unit = unit
  }

  fits(now: number, quota: number, cost: number): boolean {
    this.#turn(now)
    return this.#used + cost <= quota
  }

  take(now: number, _quota: number, cost: number): void {
    this.#turn(now)
    this.#used += cost
  }

  giveBack(_quota: number, cost: number): void {
    this.#used = Math.max(0, this.#used - cost)
  }

  remaining(now: number, quota: number): number {
    this.#turn(now)
    return Math.max(0, quota - this.#used)
  }

  reset(now: number): number {
    this.#turn(now)
    return this.#used === 0 ? 0 : this.#end - now
  }

  wait(now: number, quota: number, cost: number): number {
    return this.fits(now, quota, cost) ? 0 : this.#end - now
  }

  #turn(now: number): void {
    if (now < this.#end && (now >= this.#start || this.#start - now <= AHEAD_MS)) return
    const { start, end } = calendarWindow(this.#unit, now)
    this.#start = start
    this.#end = end
    this.#used = 0
  }
}

import type { Clock } from '../runtime/clock.ts'

/** The counters of one label value. */
export interface Series {
  readonly name: string
  /** Grows with each thing recorded, so that two looks tell whether there was any. */
  readonly activity: number
  /** Called when the table no longer shows the series. */
  detach(): void
}

/** How many label values there may be; the rest share one that is called `_other`. */
export const MAX_LABELS = 2_000
/** How long the series of a removed name stands without activity before it goes, in milliseconds. */
export const IDLE_MS = 600_000

/** While there is no room it is looked for at most this often, in milliseconds: each look reads every count. */
const LOOK_MS = 1000

export const OTHER = '_other'

/**
 * Series by label value, bounded. A name that is asked for again after a reload continues its counters. A name that no
 * configuration holds any more is shown until it was idle for ten minutes, so that its last values are scraped.
 */
export class SeriesTable<S extends Series> {
  readonly #clock: Clock
  readonly #open: (name: string) => S
  readonly #series = new Map<string, S>()
  /** Names that no active configuration holds: since when, and the activity seen then. */
  readonly #leaving = new Map<string, { since: number; activity: number }>()
  readonly #kept: ReadonlySet<string>
  #other: S | null = null
  #sweptAt = -Infinity

  /** @param kept names that are always held */
  constructor(clock: Clock, open: (name: string) => S, kept: readonly string[] = []) {
    this.#clock = clock
    this.#open = open
    this.#kept = new Set(kept)
    for (const name of kept) this.#series.set(name, open(name))
  }

  /** The series of a name: an existing one, a new one, or the shared one where there are too many. */
  get(name: string): S {
    const held = this.#series.get(name)
    if (held !== undefined) return held
    if (name === OTHER || this.#full()) return (this.#other ??= this.#open(OTHER))
    const series = this.#open(name)
    this.#series.set(name, series)
    // A configuration that fails before it is active never calls `retain`: its names go as removed ones do.
    this.#leaving.set(name, { since: this.#clock.now(), activity: 0 })
    return series
  }

  /** Shows a series again that was detached and is still used; answers the one to count on from now on. */
  readmit(series: S): S {
    const held = this.#series.get(series.name)
    if (held !== undefined) return held
    if (this.#full()) return this.get(OTHER)
    this.#series.set(series.name, series)
    this.#leaving.set(series.name, { since: this.#clock.now(), activity: series.activity })
    return series
  }

  /** Says which names the active configuration holds; the others begin to leave. */
  retain(names: Iterable<string>): void {
    const active = new Set(names)
    for (const [name, series] of this.#series) {
      if (active.has(name)) this.#leaving.delete(name)
      else if (!this.#leaving.has(name) && !this.#kept.has(name))
        this.#leaving.set(name, { since: this.#clock.now(), activity: series.activity })
    }
    this.sweep()
  }

  /** Drops what left and was idle for long enough. */
  sweep(): void {
    const now = this.#clock.now()
    this.#sweptAt = now
    for (const [name, leaving] of this.#leaving) {
      const series = this.#series.get(name)
      if (series === undefined) {
        this.#leaving.delete(name)
      } else if (series.activity !== leaving.activity) {
        leaving.activity = series.activity
        leaving.since = now
      } else if (now - leaving.since >= IDLE_MS) {
        this.#series.delete(name)
        this.#leaving.delete(name)
        series.detach()
      }
    }
  }

  /** What stands now, as a list of its own: it does not change while it is rendered in slices. */
  list(): S[] {
    const list = [...this.#series.values()]
    if (this.#other !== null) list.push(this.#other)
    return list
  }

  #full(): boolean {
    if (this.#series.size < MAX_LABELS) return false
    if (this.#clock.now() - this.#sweptAt >= LOOK_MS) this.sweep()
    return this.#series.size >= MAX_LABELS
  }
}

import type { Clock } from '../runtime/clock.ts'
import type { Metrics } from './metrics.ts'
import type { Sample } from './exposition.ts'

/** How many callers have a label of their own. */
const MOST = 100
/** How many of the others are watched, to see whether one of them is more active. */
const WATCHED = 1_000
/** How often the least active makes room for a more active one, in milliseconds. */
const REVIEW_MS = 60_000
/** How many routes a caller is counted by; the rest share one label. */
const ROUTES = 100

/** What stands for all callers without a label of their own. */
const OTHER = 'other'
const ANONYMOUS = 'anonymous'

/** What one caller did: requests by route, five classes of statuses each. */
interface Usage {
  recent: number
  readonly routes: Map<string, Float64Array>
}

/**
 * Requests by caller, for those who want to know who uses what: the most active 100 by name, the rest as `other`. Once
 * a minute the least active of the 100 makes room for one of the others that did more in that minute; its counts go.
 */
export class ConsumerMetrics {
  readonly #clock: Clock
  readonly #usage = new Map<string, Usage>()
  /** Requests of the others since the last review. */
  readonly #others = new Map<string, number>()
  #reviewedAt: number

  constructor(clock: Clock, metrics: Metrics) {
    this.#clock = clock
    this.#reviewedAt = clock.now()
    metrics.counter(
      'outrigger_consumer_requests_total',
      'Requests of routes with authentication, by caller, route and class of the status.',
      () => this.#samples(),
    )
  }

  /** @param name null: nobody proved who it is */
  record(name: string | null, route: string, status: number): void {
    const usage = this.#usageOf(name === null ? ANONYMOUS : this.label(name))
    usage.recent++
    const label = usage.routes.has(route) || usage.routes.size < ROUTES ? route : '_other'
    let classes = usage.routes.get(label)
    if (classes === undefined) usage.routes.set(label, (classes = new Float64Array(5)))
    const index = Math.floor(status / 100) - 1
    // What left before a status is counted as 499.
    classes[index >= 0 && index < 5 ? index : 3]!++
  }

  /** The label of a caller: its name, or `other`. */
  label(name: string): string {
    if (this.#clock.now() - this.#reviewedAt >= REVIEW_MS) this.#review()
    if (this.#usage.has(name)) return name
    if (this.#usage.size < MOST + 2) {
      this.#usageOf(name)
      return name
    }
    const count = this.#others.get(name)
    if (count !== undefined || this.#others.size < WATCHED) this.#others.set(name, (count ?? 0) + 1)
    return OTHER
  }

  #usageOf(label: string): Usage {
    let usage = this.#usage.get(label)
    if (usage === undefined) this.#usage.set(label, (usage = { recent: 0, routes: new Map() }))
    return usage
  }

  #review(): void {
    this.#reviewedAt = this.#clock.now()
    const least = [...this.#usage]
      .filter(([name]) => name !== OTHER && name !== ANONYMOUS)
      .sort((a, b) => a[1].recent - b[1].recent)
    const most = [...this.#others].sort((a, b) => b[1] - a[1])
    for (const [index, [name, count]] of most.entries()) {
      const [leaving, usage] = least[index] ?? []
      if (leaving === undefined || usage === undefined || usage.recent >= count) break
      this.#usage.delete(leaving)
      this.#usageOf(name)
    }
    this.#others.clear()
    for (const usage of this.#usage.values()) usage.recent = 0
  }

  *#samples(): Generator<Sample> {
    for (const [consumer, { routes }] of this.#usage) {
      for (const [route, classes] of routes) {
        for (const [index, value] of classes.entries()) {
          if (value > 0) yield { labels: { consumer, route, class: `${index + 1}xx` }, value }
        }
      }
    }
  }
}

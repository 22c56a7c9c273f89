import { REASONS } from '../exchange/proxy-error.ts'
import { escapeLabel, formatValue } from './exposition.ts'
import type { RouteRecorder } from './recorder.ts'
import type { Series } from './series-table.ts'

/** Methods with a label of their own (RFC 9110 section 9.3, RFC 5789); all others are `_OTHER`. */
const METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'PATCH',
  'OPTIONS',
  'CONNECT',
  'TRACE',
  '_OTHER',
] as const

// A switch over interned strings costs a few pointer comparisons; a Map hashes first.
function methodIndex(method: string): number {
  switch (method) {
    case 'GET':
      return 0
    case 'HEAD':
      return 1
    case 'POST':
      return 2
    case 'PUT':
      return 3
    case 'DELETE':
      return 4
    case 'PATCH':
      return 5
    case 'OPTIONS':
      return 6
    case 'CONNECT':
      return 7
    case 'TRACE':
      return 8
    default:
      return 9
  }
}

const REASON_CODES: readonly string[] = [...Object.keys(REASONS), 'other']
const REASON_INDEX = new Map(REASON_CODES.map((reason, index) => [reason, index]))

/** Upper bounds of the duration histogram. A changed list starts the histograms again, the counters go on. */
export interface Buckets {
  /** In milliseconds, ascending. */
  readonly bounds: Float64Array
  /** The label of each bound, in seconds. */
  readonly labels: readonly string[]
}

/** Buckets of the upper bounds given: sorted, without repetitions and what is no bound. */
export function bucketsOf(milliseconds: readonly number[]): Buckets {
  const sorted = [...new Set(milliseconds)]
    .filter(bound => bound > 0 && bound < Infinity)
    .sort((a, b) => a - b)
  return { bounds: Float64Array.from(sorted), labels: sorted.map(bound => String(bound / 1000)) }
}

/**
 * Status codes in the order in which they were first seen, shared by all routes: a method of a route then holds a
 * short array instead of one of 500. Slot 0 is what is no status of 100 to 599.
 */
export class StatusSlots {
  readonly codes: string[] = ['_OTHER']
  readonly #slots = new Uint16Array(600)

  slot(status: number): number {
    if (!(status >= 100 && status < 600)) return 0
    const slot = this.#slots[status]
    // A fraction is no index and finds nothing.
    if (slot === undefined) return 0
    return slot === 0 ? this.#open(status) : slot
  }

  #open(status: number): number {
    const slot = this.codes.length
    this.codes.push(String(status))
    this.#slots[status] = slot
    return slot
  }
}

/** What one method of one route counts. */
class MethodSeries {
  /** By slot of `StatusSlots`; grown when a higher slot comes. */
  statuses: Float64Array
  /** One count for each bucket and one for what is above the last; not cumulative. */
  durations: Float64Array
  buckets: Buckets
  seconds = 0
  constructor(slots: number, buckets: Buckets) {
    this.statuses = new Float64Array(slots)
    this.durations = new Float64Array(buckets.bounds.length + 1)
    this.buckets = buckets
  }
}

/** What routes share: the status slots, the current buckets, and how to come back after having been dropped. */
export interface RouteContext {
  readonly statuses: StatusSlots
  buckets: Buckets
  readmit(route: RouteMetrics): RouteMetrics
}

/** The counters of one route: requests by method and status, durations by method, own answers by reason. */
export class RouteMetrics implements RouteRecorder, Series {
  readonly name: string
  readonly #label: string
  readonly #context: RouteContext
  readonly #methods: (MethodSeries | null)[] = METHODS.map(() => null)
  #errors: Float64Array | null = null
  #detached = false

  constructor(name: string, context: RouteContext) {
    this.name = name
    this.#label = escapeLabel(name)
    this.#context = context
  }

  record(method: string, status: number, seconds: number): void {
    if (this.#detached) return this.#readmit().record(method, status, seconds)
    const index = methodIndex(method)
    const context = this.#context
    let series = this.#methods[index] ?? null
    if (series === null || series.buckets !== context.buckets) series = this.#method(index)
    const slot = context.statuses.slot(status)
    if (slot >= series.statuses.length) grow(series, context.statuses.codes.length)
    // Both indexes are inside: the array was grown, and the bucket is at most the last.
    ;(series.statuses[slot] as number)++
    const milliseconds = seconds * 1000
    const { bounds } = series.buckets
    let bucket = 0
    while (bucket < bounds.length && milliseconds > (bounds[bucket] as number)) bucket++
    ;(series.durations[bucket] as number)++
    // A clock that went wrong must not take the sum with it for ever.
    if (seconds > 0 && seconds < Infinity) series.seconds += seconds
  }

  /** One exchange that Outrigger answered or ended by itself. */
  error(reason: string): void {
    if (this.#detached) return this.#readmit().error(reason)
    this.#errors ??= new Float64Array(REASON_CODES.length)
    ;(this.#errors[REASON_INDEX.get(reason) ?? REASON_CODES.length - 1] as number)++
  }

  get activity(): number {
    let sum = 0
    for (const series of this.#methods) if (series !== null) for (const count of series.statuses) sum += count
    if (this.#errors !== null) for (const count of this.#errors) sum += count
    return sum
  }

  detach(): void {
    this.#detached = true
    this.#methods.fill(null)
    this.#errors = null
  }

  renderRequests(): string {
    let text = ''
    for (let i = 0; i < METHODS.length; i++) {
      const series = this.#methods[i] ?? null
      if (series === null) continue
      const prefix = `gateway_requests_total{method="${METHODS[i]}",route="${this.#label}",status_code="`
      for (let slot = 0; slot < series.statuses.length; slot++) {
        const count = series.statuses[slot] ?? 0
        if (count > 0) text += `${prefix}${this.#context.statuses.codes[slot]}"} ${count}\n`
      }
    }
    return text
  }

  renderDurations(): string {
    let text = ''
    for (let i = 0; i < METHODS.length; i++) {
      const series = this.#methods[i] ?? null
      if (series === null || series.buckets !== this.#context.buckets) continue
      const labels = `method="${METHODS[i]}",route="${this.#label}"`
      const prefix = `gateway_request_duration_seconds_bucket{${labels},le="`
      let count = 0
      for (let bucket = 0; bucket < series.buckets.labels.length; bucket++) {
        count += series.durations[bucket] ?? 0
        text += `${prefix}${series.buckets.labels[bucket]}"} ${count}\n`
      }
      count += series.durations[series.buckets.labels.length] ?? 0
      text += `${prefix}+Inf"} ${count}\n`
      text += `gateway_request_duration_seconds_sum{${labels}} ${formatValue(series.seconds)}\n`
      text += `gateway_request_duration_seconds_count{${labels}} ${count}\n`
    }
    return text
  }

  renderErrors(): string {
    if (this.#errors === null) return ''
    let text = ''
    for (let i = 0; i < REASON_CODES.length; i++) {
      const count = this.#errors[i] ?? 0
      if (count > 0)
        text += `outrigger_errors_total{route="${this.#label}",reason="${REASON_CODES[i]}"} ${count}\n`
    }
    return text
  }

  #method(index: number): MethodSeries {
    const fresh = new MethodSeries(this.#context.statuses.codes.length, this.#context.buckets)
    const old = this.#methods[index] ?? null
    if (old !== null) fresh.statuses.set(old.statuses)
    this.#methods[index] = fresh
    return fresh
  }

  #readmit(): RouteMetrics {
    this.#detached = false
    const target = this.#context.readmit(this)
    if (target !== this) this.#detached = true
    return target
  }
}

function grow(series: MethodSeries, slots: number): void {
  const grown = new Float64Array(slots)
  grown.set(series.statuses)
  series.statuses = grown
}

import type { Clock } from '../runtime/clock.ts'
import { family, header, writeInSlices } from './exposition.ts'
import type { MetricType, Sample } from './exposition.ts'
import { RouteMetrics, StatusSlots, bucketsOf } from './route-metrics.ts'
import type { RouteContext } from './route-metrics.ts'
import { MAX_LABELS, SeriesTable } from './series-table.ts'
import { UPSTREAM_COUNTERS, UPSTREAM_GAUGES, UpstreamMetrics } from './upstream-metrics.ts'
import type { UpstreamState } from './upstream-metrics.ts'

/** Upper bounds of the duration histogram in milliseconds, where the configuration names none. */
export const DEFAULT_BUCKETS: readonly number[] = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000]

/** What is asked for at a scrape instead of being counted. Each is given by the part that knows. */
export interface GaugeSources {
  /** Open client connections. */
  activeConnections(): number
  /** Exchanges that have begun and not ended. */
  activeRequests(): number
  upstreams(): Iterable<UpstreamState>
  /** Lines that the writers of access log and process log dropped so far. */
  droppedLines(): { readonly access: number; readonly process: number; readonly audit: number }
}

interface ReadMetric {
  readonly name: string
  readonly type: MetricType
  readonly help: string
  readonly read: () => Iterable<Sample>
}

/** Metrics of others in the same text format, put behind ours. */
type TextSource = () => Promise<string>

/**
 * The one catalogue of metrics. Hot ones are plain and typed-array counters bound when a route or an upstream is
 * compiled; everything else is read when it is scraped.
 */
export class Metrics {
  readonly #clock: Clock
  readonly #routes: SeriesTable<RouteMetrics>
  readonly #upstreams: SeriesTable<UpstreamMetrics>
  readonly #context: RouteContext
  readonly #read = new Map<string, ReadMetric>()
  readonly #texts: TextSource[] = []
  #sources: GaugeSources | null = null
  #reloads = { success: 0, failure: 0 }
  #lastReload: { readonly ok: boolean; readonly seconds: number } | null = null
  #configHash = ''
  #rendering: Promise<void> = Promise.resolve()

  /** @param build what `outrigger_build_info` says */
  constructor(clock: Clock, build: { readonly version: string; readonly node: string }) {
    this.#clock = clock
    this.#context = {
      statuses: new StatusSlots(),
      buckets: bucketsOf(DEFAULT_BUCKETS),
      readmit: route => this.#routes.readmit(route),
    }
    this.#routes = new SeriesTable(clock, name => new RouteMetrics(name, this.#context), ['none'])
    this.#upstreams = new SeriesTable(clock, name => new UpstreamMetrics(name))
    this.gauge('outrigger_build_info', 'The version that runs; the value is always 1.', () => [
      { labels: { version: build.version, node: build.node }, value: 1 },
    ])
  }

  /** The counters of a route. The same name continues the same counters; beyond 2,000 names all share `_other`. */
  route(name: string): RouteMetrics {
    return this.#routes.get(name)
  }

  /** The counters of an upstream, by the same rules. */
  upstream(name: string): UpstreamMetrics {
    return this.#upstreams.get(name)
  }

  /** Counts an exchange that ended with a reason of ours. */
  error(route: string, reason: string): void {
    this.#routes.get(route).error(reason)
  }

  /** Says what the active configuration holds. What it does not is dropped after ten minutes without activity. */
  retain(active: { readonly routes: Iterable<string>; readonly upstreams: Iterable<string> }): void {
    this.#routes.retain(active.routes)
    this.#upstreams.retain(active.upstreams)
  }

  /** Sets the upper bounds of the duration histogram in milliseconds. Other bounds than before start it again at zero. */
  setBuckets(milliseconds: readonly number[]): void {
    const buckets = bucketsOf(milliseconds)
    if (buckets.labels.join() !== this.#context.buckets.labels.join()) this.#context.buckets = buckets
  }

  /** Says who knows the gauges. */
  connect(sources: GaugeSources): void {
    this.#sources = sources
  }

  /**
   * Counts a try to load the configuration, the first one included.
   * @param hash of the configuration that serves now; null where the try failed
   */
  reloaded(hash: string | null): void {
    if (hash === null) this.#reloads.failure++
    else this.#reloads.success++
    if (hash !== null) this.#configHash = hash
    this.#lastReload = { ok: hash !== null, seconds: this.#clock.wall() / 1000 }
  }

  /** Adds a gauge of few samples, read at each scrape. A name that is there is replaced. */
  gauge(name: string, help: string, read: () => Iterable<Sample>): void {
    this.#read.set(name, { name, type: 'gauge', help, read })
  }

  /** Adds a counter of few samples that is kept elsewhere, read at each scrape. A name that is there is replaced. */
  counter(name: string, help: string, read: () => Iterable<Sample>): void {
    this.#read.set(name, { name, type: 'counter', help, read })
  }

  /** Adds metrics that come as text, e.g. those of the process. Their names must not be ours. */
  text(source: TextSource): void {
    this.#texts.push(source)
  }

  /**
   * Writes everything in the text format, in slices of 5 ms. Scrapes take turns, so that many at once hold the event
   * loop no longer than one does.
   */
  render(write: (chunk: string) => void | Promise<void>): Promise<void> {
    const turn = this.#rendering.then(() => this.#render(write))
    this.#rendering = turn.catch(() => {})
    return turn
  }

  async #render(write: (chunk: string) => void | Promise<void>): Promise<void> {
    this.#routes.sweep()
    this.#upstreams.sweep()
    await writeInSlices(this.#blocks(), write, () => this.#clock.now())
    for (const source of this.#texts) await write(await source())
  }

  *#blocks(): Generator<string> {
    const routes = this.#routes.list()
    yield header('gateway_requests_total', 'counter', 'Requests, by method, route and the status sent.')
    for (const route of routes) yield route.renderRequests()
    yield header(
      'gateway_request_duration_seconds',
      'histogram',
      'Time from the complete request head to the end of the response.',
    )
    for (const route of routes) yield route.renderDurations()
    yield header(
      'outrigger_errors_total',
      'counter',
      'Exchanges that Outrigger answered or ended itself, by reason.',
    )
    for (const route of routes) yield route.renderErrors()
    const upstreams = this.#upstreams.list()
    for (const metric of UPSTREAM_COUNTERS) {
      yield header(metric.name, 'counter', metric.help)
      for (const upstream of upstreams) yield metric.lines(upstream, metric.name)
    }
    if (this.#sources !== null) yield* this.#gauges(this.#sources)
    yield this.#configuration()
    for (const metric of this.#read.values())
      yield family(metric.name, metric.type, metric.help, metric.read())
  }

  *#gauges(sources: GaugeSources): Generator<string> {
    const one = (value: number): Sample[] => [{ labels: {}, value }]
    yield family(
      'gateway_active_connections',
      'gauge',
      'Open client connections.',
      one(sources.activeConnections()),
    )
    yield family('outrigger_active_requests', 'gauge', 'Requests in progress.', one(sources.activeRequests()))
    const { access, process, audit } = sources.droppedLines()
    yield family(
      'outrigger_log_lines_dropped_total',
      'counter',
      'Log lines dropped because the reader stalled.',
      [
        { labels: { log: 'access' }, value: access },
        { labels: { log: 'process' }, value: process },
        { labels: { log: 'audit' }, value: audit },
      ],
    )
    // A name twice would be a duplicate series, and more than the bound would be unbounded.
    const states = new Map<string, UpstreamState>()
    for (const state of sources.upstreams()) {
      if (states.size >= MAX_LABELS) break
      if (!states.has(state.upstream)) states.set(state.upstream, state)
    }
    for (const metric of UPSTREAM_GAUGES) {
      yield header(metric.name, 'gauge', metric.help)
      for (const state of states.values()) yield metric.lines(state, metric.name)
    }
  }

  #configuration(): string {
    let text = family(
      'outrigger_config_reloads_total',
      'counter',
      'Tries to load the configuration, by result.',
      [
        { labels: { result: 'success' }, value: this.#reloads.success },
        { labels: { result: 'failure' }, value: this.#reloads.failure },
      ],
    )
    const last = this.#lastReload
    if (last === null) return text
    text += family(
      'outrigger_config_last_reload_successful',
      'gauge',
      'Whether the last try to load the configuration took effect: 1 or 0.',
      [{ labels: {}, value: last.ok ? 1 : 0 }],
    )
    text += family(
      'outrigger_config_last_reload_timestamp_seconds',
      'gauge',
      'When the configuration was last tried to be loaded, in seconds since 1970.',
      [{ labels: {}, value: last.seconds }],
    )
    if (this.#configHash === '') return text
    return (
      text +
      family(
        'outrigger_config_info',
        'gauge',
        'The hash of the serving configuration; the value is always 1.',
        [{ labels: { hash: this.#configHash }, value: 1 }],
      )
    )
  }
}

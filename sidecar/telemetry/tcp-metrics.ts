import type { Sample } from './exposition.ts'
import type { Metrics } from './metrics.ts'
import { MAX_LABELS, OTHER } from './series-table.ts'

/** What is counted of the connections of one TCP route; plain fields that the data path increments. */
export class TcpCounters {
  active = 0
  bytesIn = 0
  bytesOut = 0
  /** By result: `ok`, or the reason for which it ended early. */
  readonly results = new Map<string, number>()

  /** A connection is over. */
  ended(result: string): void {
    this.results.set(result, (this.results.get(result) ?? 0) + 1)
  }
}

/** The connections of TCP listeners, by route; `none` where none matched. Routes beyond a bound share `_other`. */
export class TcpMetrics {
  readonly #routes = new Map<string, TcpCounters>()

  constructor(metrics: Metrics) {
    metrics.gauge(
      'outrigger_active_tcp_connections',
      'Connections of TCP listeners that are open, by route.',
      () => this.#samples(one => [[{}, one.active]]),
    )
    metrics.counter(
      'outrigger_tcp_connections_total',
      'Connections of TCP listeners that ended, by route and result: ok, or the reason.',
      () => this.#samples(one => [...one.results].map(([result, count]) => [{ result }, count])),
    )
    metrics.counter(
      'outrigger_tcp_bytes_total',
      'Bytes that TCP listeners passed, by route and direction.',
      () =>
        this.#samples(one => [
          [{ direction: 'in' }, one.bytesIn],
          [{ direction: 'out' }, one.bytesOut],
        ]),
    )
  }

  /** The counters of a route; the same name continues the same. */
  route(name: string): TcpCounters {
    const label = this.#routes.has(name) || this.#routes.size < MAX_LABELS ? name : OTHER
    let counters = this.#routes.get(label)
    if (counters === undefined) this.#routes.set(label, (counters = new TcpCounters()))
    return counters
  }

  *#samples(read: (one: TcpCounters) => [Record<string, string>, number][]): Generator<Sample> {
    for (const [route, one] of this.#routes)
      for (const [labels, value] of read(one)) yield { labels: { route, ...labels }, value }
  }
}

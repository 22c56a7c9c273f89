import type { Sample } from './exposition.ts'
import type { Metrics } from './metrics.ts'
import type { RepetitionLimit } from './repetition.ts'

/** How a PROXY protocol header was taken. */
export type ProxyHeaderResult = 'ok' | 'untrusted' | 'invalid' | 'timeout' | 'closed'

/** PROXY protocol headers of clients: counted, and those that cost the connection logged once a second at most. */
export class ProxyHeaderMetrics {
  readonly #counts = new Map<string, { readonly address: string; readonly result: string; count: number }>()
  readonly #log: RepetitionLimit

  constructor(metrics: Metrics, log: RepetitionLimit) {
    this.#log = log
    metrics.counter(
      'outrigger_proxy_headers_total',
      'PROXY protocol headers of clients, by listening address and result.',
      () => this.#samples(),
    )
  }

  /**
   * @param address where it came in
   * @param peer whose it was
   * @param cause what was wrong with it
   */
  count(address: string, result: ProxyHeaderResult, peer: string, cause: string): void {
    const key = `${address} ${result}`
    const known = this.#counts.get(key)
    if (known === undefined) this.#counts.set(key, { address, result, count: 1 })
    else known.count++
    // A load balancer's check opens a connection and closes it: nothing to tell.
    if (result === 'ok' || result === 'closed') return
    this.#log.write(`proxy header ${key}`, 'warn', 'a connection was refused for its PROXY protocol header', {
      address,
      peer,
      result,
      ...(cause === '' ? {} : { cause }),
    })
  }

  *#samples(): Generator<Sample> {
    for (const { address, result, count } of this.#counts.values())
      yield { labels: { address, result }, value: count }
  }
}

import { AddressResults } from './address-results.ts'
import type { Metrics } from './metrics.ts'
import type { RepetitionLimit } from './repetition.ts'

/** How a PROXY protocol header was taken. */
export type ProxyHeaderResult = 'ok' | 'untrusted' | 'invalid' | 'timeout' | 'closed'

/** PROXY protocol headers of clients: counted, and those that cost the connection logged once a second at most. */
export class ProxyHeaderMetrics {
  readonly #results: AddressResults
  readonly #log: RepetitionLimit

  constructor(metrics: Metrics, log: RepetitionLimit) {
    this.#log = log
    this.#results = new AddressResults(
      metrics,
      'outrigger_proxy_headers_total',
      'PROXY protocol headers of clients, by listening address and result.',
    )
  }

  /**
   * @param address where it came in
   * @param peer whose it was
   * @param cause what was wrong with it
   */
  count(address: string, result: ProxyHeaderResult, peer: string, cause: string): void {
    this.#results.count(address, result)
    // A load balancer's check opens a connection and closes it: nothing to tell.
    if (result === 'ok' || result === 'closed') return
    this.#log.write(
      `proxy header ${address} ${result}`,
      'warn',
      'a connection was refused for its PROXY protocol header',
      {
        address,
        peer,
        result,
        ...(cause === '' ? {} : { cause }),
      },
    )
  }
}

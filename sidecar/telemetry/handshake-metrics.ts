import type { Sample } from './exposition.ts'
import type { Metrics } from './metrics.ts'
import type { RepetitionLimit } from './repetition.ts'

/** How TLS handshakes of clients ended: counted, and failures logged once a second at most. By listening address and result. Bounded: addresses are configured, results few. */
export class HandshakeMetrics {
  readonly #counts = new Map<string, { readonly address: string; readonly result: string; count: number }>()

  readonly #log: RepetitionLimit

  constructor(metrics: Metrics, log: RepetitionLimit) {
    this.#log = log
    metrics.counter(
      'outrigger_tls_handshakes_total',
      'TLS handshakes of clients, by listening address and result.',
      () => this.#samples(),
    )
  }

  /** @param failure a Node or OpenSSL code, or what the certificate lacked; empty where the handshake succeeded */
  count(address: string, failure: string): void {
    const result = resultOf(failure)
    const key = `${address} ${result}`
    const known = this.#counts.get(key)
    if (known === undefined) this.#counts.set(key, { address, result, count: 1 })
    else known.count++
    if (failure !== '')
      this.#log.write(`handshake ${key}`, 'warn', 'a TLS handshake failed', { address, cause: failure })
  }

  *#samples(): Generator<Sample> {
    for (const { address, result, count } of this.#counts.values())
      yield { labels: { address, result }, value: count }
  }
}

/** A few words for all that OpenSSL may say. */
function resultOf(failure: string): string {
  if (failure === '') return 'ok'
  if (failure === 'ERR_TLS_HANDSHAKE_TIMEOUT') return 'timeout'
  if (failure === 'ECONNRESET' || failure === 'EPIPE') return 'closed'
  if (failure.startsWith('ERR_SSL_')) return 'protocol'
  return 'client_certificate'
}

import { AddressResults } from './address-results.ts'
import type { Metrics } from './metrics.ts'
import type { RepetitionLimit } from './repetition.ts'

/** How TLS handshakes of clients ended: counted, and failures logged once a second at most. */
export class HandshakeMetrics {
  readonly #results: AddressResults
  readonly #log: RepetitionLimit

  constructor(metrics: Metrics, log: RepetitionLimit) {
    this.#log = log
    this.#results = new AddressResults(
      metrics,
      'outrigger_tls_handshakes_total',
      'TLS handshakes of clients, by listening address and result.',
    )
  }

  /** @param failure a Node or OpenSSL code, or what the certificate lacked; empty where the handshake succeeded */
  count(address: string, failure: string): void {
    const result = resultOf(failure)
    this.#results.count(address, result)
    if (failure === '') return
    this.#log.write(`handshake ${address} ${result}`, 'warn', 'a TLS handshake failed', {
      address,
      cause: failure,
    })
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

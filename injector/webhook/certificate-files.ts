import { readFile } from 'node:fs/promises'
import type { KeyPair } from '../../sidecar/certificates/authority.ts'
import type { Clock } from '../../sidecar/runtime/clock.ts'
import type { ServingCertificate, UseCertificate } from './serving-certificate.ts'
import type { WebhookMetrics } from './webhook-metrics.ts'
import { isPair, notAfterOf } from './certificate-state.ts'

/** A certificate from files that somebody else renews: cert-manager, which sees to `caBundle` too. */
export class CertificateFiles implements ServingCertificate {
  readonly #cert: string
  readonly #key: string
  readonly #use: UseCertificate
  readonly #clock: Clock
  readonly #metrics: WebhookMetrics
  #pair: KeyPair | null = null

  constructor(
    files: { readonly cert: string; readonly key: string },
    use: UseCertificate,
    clock: Clock,
    metrics: WebhookMetrics,
  ) {
    this.#cert = files.cert
    this.#key = files.key
    this.#use = use
    this.#clock = clock
    this.#metrics = metrics
  }

  get isReady(): boolean {
    return this.#pair !== null && this.#clock.wall() < notAfterOf(this.#pair.cert)
  }

  async refresh(): Promise<string | null> {
    try {
      const [cert, key] = await Promise.all([readFile(this.#cert, 'utf8'), readFile(this.#key, 'utf8')])
      if (cert === this.#pair?.cert && key === this.#pair.key) return null
      // Between two renames they are no pair: what is in use stays, and the next look finds both.
      if (!isPair({ cert, key })) return `${this.#cert} and ${this.#key} do not belong together`
      this.#use({ cert, key })
      this.#pair = { cert, key }
      this.#metrics.expiry('serving', notAfterOf(cert))
      return null
    } catch (error) {
      return `${this.#cert}, ${this.#key}: ${error instanceof Error ? error.message : String(error)}`
    }
  }
}

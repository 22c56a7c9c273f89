// Its index loads what collects OpenTelemetry's, 13 MiB.
import Counter from 'prom-client/lib/counter.js'
import Gauge from 'prom-client/lib/gauge.js'
import Histogram from 'prom-client/lib/histogram.js'
import Registry from 'prom-client/lib/registry.js'

/** What the webhook counts, as Prometheus reads it. */
export class WebhookMetrics {
  readonly #registry = new Registry()
  readonly #pods = this.#counter(
    'outrigger_injector_pods_total',
    'Pods that were asked about, by what was done and why.',
    ['result', 'reason'],
  )
  readonly #refused = this.#counter(
    'outrigger_injector_refused_total',
    'Requests that were no review to answer, by reason.',
    ['reason'],
  )
  readonly #seconds = new Histogram({
    name: 'outrigger_injector_duration_seconds',
    help: 'From the last byte of a review to its answer.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers: [this.#registry],
  })
  readonly #apiErrors = this.#counter(
    'outrigger_injector_api_errors_total',
    'Requests to the API server that failed, by what they were for.',
    ['for'],
  )
  readonly #events = this.#counter(
    'outrigger_injector_events_total',
    'Kubernetes events: sent, failed, repeated (not sent again) or dropped (too many).',
    ['result'],
  )
  readonly #bundles = this.#counter(
    'outrigger_injector_ca_bundle_patches_total',
    'How often caBundle was not what it should be, and was written.',
    [],
  )
  readonly #handshakes = this.#counter(
    'outrigger_injector_handshake_errors_total',
    'TLS handshakes that failed: of who does not trust caBundle, or speaks no TLS.',
    [],
  )
  readonly #expiry = new Gauge({
    name: 'outrigger_injector_certificate_expiry_timestamp_seconds',
    help: 'When a certificate in use ends, in seconds since 1970.',
    labelNames: ['certificate'],
    registers: [this.#registry],
  })
  readonly #ready = new Gauge({
    name: 'outrigger_injector_ready',
    help: '1 where it can answer and the API server can trust it.',
    registers: [this.#registry],
  })

  pod(result: string, reason: string): void {
    this.#pods.inc({ result, reason })
  }

  refused(reason: string): void {
    this.#refused.inc({ reason })
  }

  answered(seconds: number): void {
    this.#seconds.observe(seconds)
  }

  apiError(purpose: ApiPurpose): void {
    this.#apiErrors.inc({ for: purpose })
  }

  event(result: 'sent' | 'failed' | 'repeated' | 'dropped'): void {
    this.#events.inc({ result })
  }

  handshakeFailed(): void {
    this.#handshakes.inc()
  }

  bundlePatched(): void {
    this.#bundles.inc()
  }

  /** @param notAfter on the wall clock, in milliseconds */
  expiry(certificate: 'serving' | 'authority', notAfter: number): void {
    this.#expiry.set({ certificate }, notAfter / 1000)
  }

  set ready(isReady: boolean) {
    this.#ready.set(isReady ? 1 : 0)
  }

  /** The text of Prometheus, and its content type. */
  async exposition(): Promise<{ readonly type: string; readonly text: string }> {
    return { type: this.#registry.contentType, text: await this.#registry.metrics() }
  }

  #counter<T extends string>(name: string, help: string, labelNames: readonly T[]): Counter<T> {
    return new Counter({ name, help, labelNames, registers: [this.#registry] })
  }
}

/** What the API server is asked for. */
export type ApiPurpose = 'namespace' | 'services' | 'version' | 'secret' | 'webhook' | 'event'

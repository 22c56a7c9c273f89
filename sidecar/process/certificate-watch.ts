import type { CertificateLife } from '../exchange/certificate-life.ts'
import type { Clock } from '../runtime/clock.ts'
import { Timer, type TimerOwner, type TimerWheel } from '../runtime/timer-wheel.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Log } from '../telemetry/process-log.ts'

/** How often a certificate that should have been renewed is spoken of. */
const HOUR_MS = 3_600_000

/** Says in metrics and, before it is too late, in the log when the certificates that are in use end. */
export class CertificateWatch implements TimerOwner {
  readonly #snapshot: () => Snapshot
  readonly #clock: Clock
  readonly #wheel: TimerWheel
  readonly #log: Log
  readonly #timer = new Timer(this)

  constructor(parts: {
    readonly snapshot: () => Snapshot
    readonly clock: Clock
    readonly wheel: TimerWheel
    readonly log: Log
    readonly metrics: Metrics
  }) {
    this.#snapshot = parts.snapshot
    this.#clock = parts.clock
    this.#wheel = parts.wheel
    this.#log = parts.log
    parts.metrics.gauge(
      'outrigger_certificate_expiry_timestamp_seconds',
      'When a certificate in use ends, in seconds since 1970.',
      () => this.#samples(),
    )
  }

  start(): void {
    this.#wheel.schedule(this.#timer, HOUR_MS)
  }

  stop(): void {
    this.#wheel.remove(this.#timer)
  }

  onTimer(): void {
    const now = this.#clock.wall()
    for (const { file, notAfter, renewBy } of this.#lives().values()) {
      if (now < renewBy) continue
      const ends = new Date(notAfter).toISOString()
      if (now < notAfter) this.#log.warn('a certificate ends soon', { file, ends })
      else this.#log.error('a certificate has ended', { file, ends })
    }
    this.start()
  }

  *#samples(): Generator<{ labels: Record<string, string>; value: number }> {
    for (const { file, notAfter } of this.#lives().values())
      yield { labels: { file }, value: notAfter / 1000 }
  }

  /** By file: one that several listeners name is one. */
  #lives(): Map<string, CertificateLife> {
    const lives = new Map<string, CertificateLife>()
    const snapshot = this.#snapshot()
    for (const entry of snapshot.entries.values()) {
      for (const { tls } of entry.listeners)
        for (const certificate of tls?.certificates ?? []) lives.set(certificate.file, certificate)
    }
    for (const { spec } of snapshot.upstreams.values()) {
      const life = spec.tls?.life ?? null
      if (life !== null) lives.set(life.file, life)
    }
    return lives
  }
}

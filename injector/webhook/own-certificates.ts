import type { Clock } from '../../sidecar/runtime/clock.ts'
import type { Log } from '../../sidecar/telemetry/process-log.ts'
import type { CaBundle, ReadBundles } from './ca-bundle.ts'
import type { CertificateSecret } from './certificate-secret.ts'
import type { CertificateState, CertificateWish } from './certificate-state.ts'
import type { ServingCertificate, UseCertificate } from './serving-certificate.ts'
import type { WebhookMetrics } from './webhook-metrics.ts'
import { besides, bundleOf, isEarly, isUsable, notAfterOf, renew } from './certificate-state.ts'

/** How often it is tried again at once where another replica was faster. */
const TRIES = 4

/** What the certificates are kept with. */
export interface OwnCertificateParts {
  readonly secret: CertificateSecret
  readonly bundle: CaBundle
  readonly wish: CertificateWish
  readonly use: UseCertificate
  readonly clock: Clock
  readonly metrics: WebhookMetrics
  readonly log: Log
}

/**
 * Certificates of an authority of our own, which the replicas share in a Secret: one makes them, the others read them.
 * Sees to it that the API server trusts them.
 */
export class OwnCertificates implements ServingCertificate {
  readonly #parts: OwnCertificateParts
  #state: CertificateState | null = null
  #isTrusted = false

  constructor(parts: OwnCertificateParts) {
    this.#parts = parts
  }

  get isReady(): boolean {
    const state = this.#state
    return this.#isTrusted && state !== null && this.#parts.clock.wall() < notAfterOf(state.serving.cert)
  }

  async refresh(): Promise<string | null> {
    let why = ''
    for (let tries = 0; tries < TRIES; tries++) {
      const result = await this.#once()
      if (result === null) return null
      why = result
      if (why !== 'conflict') break
    }
    return why === 'conflict' ? 'others write the same certificates' : why
  }

  /**
   * The bundle is read before the Secret: if another replica wrote both in between, the patch finds that the bundle is
   * not as it was read.
   */
  async #once(): Promise<string | null> {
    const { bundle, secret, metrics, log } = this.#parts
    const bundles = await bundle.read()
    const read = await secret.read()
    if (typeof read === 'string') return this.#failed('secret', `the Secret cannot be read: ${read}`)
    const known = typeof bundles === 'string' ? null : bundles
    const now = this.#parts.clock.wall()
    const time = Math.max(now, read.writtenAt)
    const before = this.#choose(read.state, now, time)
    const renewed = await renew(before, this.#parts.wish, isAnnounced(before, known), now, time)
    const state = renewed ?? before
    if (state === null) return 'there is no certificate'
    if (state !== read.state) {
      const problem = await secret.write(state, read.object)
      if (problem === 'conflict') return problem
      if (problem !== null) return this.#failed('secret', `the Secret cannot be written: ${problem}`)
      log.info('certificates renewed', namesOf(state))
    }
    this.#take(state)
    if (typeof bundles === 'string') return this.#failed('webhook', bundles)
    const wanted = bundleOf(state)
    if (bundles.bundles.every(one => one === wanted)) {
      this.#isTrusted = true
      return null
    }
    const problem = await bundle.write(bundles, wanted)
    if (problem === 'conflict') return problem
    this.#isTrusted = problem === null
    if (problem !== null) return this.#failed('webhook', `caBundle cannot be written: ${problem}`)
    metrics.bundlePatched()
    log.info('caBundle written')
    return null
  }

  /** What is gone or broken is written again from what we serve with. */
  #choose(read: CertificateState | null, now: number, time: number): CertificateState | null {
    const isLater = read !== null && isEarly(read, time)
    if (isLater)
      this.#parts.log.warn(
        'certificates that are good only later: the clock of a replica is wrong',
        namesOf(read),
      )
    if (read !== null && !isLater && isUsable(read, now)) return read
    const own = this.#state
    return own === null ? read : read === null || !isUsable(own, now) ? own : besides(own, read)
  }

  #take(state: CertificateState): void {
    const { use, metrics } = this.#parts
    if (state.serving.cert !== this.#state?.serving.cert) use(state.serving)
    this.#state = state
    metrics.expiry('serving', notAfterOf(state.serving.cert))
    metrics.expiry('authority', notAfterOf(state.current.cert))
  }

  #failed(purpose: 'secret' | 'webhook', why: string): string {
    this.#parts.metrics.apiError(purpose)
    return why
  }
}

function isAnnounced(state: CertificateState | null, known: ReadBundles | null): boolean {
  const next = state?.next ?? null
  return next !== null && known !== null && known.bundles.every(one => one.includes(next.cert.trim()))
}

function namesOf(state: CertificateState): Record<string, string | boolean> {
  return {
    serving: new Date(notAfterOf(state.serving.cert)).toISOString(),
    authority: new Date(notAfterOf(state.current.cert)).toISOString(),
    next: state.next !== null,
    previous: state.previous !== null,
  }
}

import type { Lease } from '../runtime/registry.ts'
import type { Breaker } from './breaker.ts'
import type { Endpoint } from './endpoint.ts'
import type { HealthCheck } from './health-check.ts'
import type { OutlierHost, OutlierRecord } from './outlier-record.ts'
import type { FoundEndpoint } from './discovery/source.ts'
import type { UpstreamSpec } from './upstream-spec.ts'

/**
 * What keeps an endpoint from taking its share, the gravest first: `unhealthy` its check fails, `ejected` and `probing`
 * by its traffic, `open` and `half-open` by its breaker.
 */
export type Condition = 'healthy' | 'unhealthy' | 'ejected' | 'probing' | 'open' | 'half-open'

/** The least that slow start gives, as a share of the full weight. */
const COLDEST = 0.1

/** What a member is made of; each lease is given back by `release`. */
export interface MemberLeases {
  readonly endpoint: Lease<Endpoint>
  readonly check: Lease<HealthCheck> | null
  /** The endpoint's own breaker, where breakers are for each endpoint. */
  readonly breaker: Lease<Breaker> | null
}

/** An endpoint as one upstream of one generation sees it: its place there, and its condition by the rules there. */
export class Member implements OutlierHost {
  readonly endpoint: Endpoint
  readonly check: HealthCheck | null
  readonly breaker: Breaker | null
  readonly spec: FoundEndpoint
  readonly #leases: MemberLeases
  readonly #upstream: UpstreamSpec
  readonly #onChange: () => void
  #before: Condition

  /** @param onChange called when the check or the breaker changed */
  constructor(spec: FoundEndpoint, upstream: UpstreamSpec, leases: MemberLeases, onChange: () => void) {
    this.spec = spec
    this.endpoint = leases.endpoint.value
    this.check = leases.check?.value ?? null
    this.breaker = leases.breaker?.value ?? null
    this.#leases = leases
    this.#upstream = upstream
    this.#onChange = onChange
    this.check?.watch(onChange)
    this.breaker?.watch(onChange)
    this.#before = this.condition
  }

  get label(): string {
    return this.endpoint.label
  }

  get outlier(): OutlierRecord {
    return this.endpoint.outlier
  }

  /** Whether its traffic may speak against it here. */
  get judged(): boolean {
    return this.#upstream.outlierDetection !== null
  }

  get condition(): Condition {
    if (this.check !== null && !this.check.healthy) return 'unhealthy'
    if (this.judged && this.outlier.state !== 'in') return this.outlier.state
    if (this.breaker !== null && this.breaker.state !== 'closed') return this.breaker.state
    return 'healthy'
  }

  /** Whether it could take requests, ejection aside. */
  get usable(): boolean {
    return (
      this.spec.weight > 0 &&
      (this.check?.healthy ?? true) &&
      (this.breaker === null || this.breaker.state === 'closed')
    )
  }

  /** Begins slow start where it has just recovered. Called when a picker is made, with the time. */
  notice(now: number): void {
    const condition = this.condition
    if (
      condition === 'healthy' &&
      this.#before !== 'healthy' &&
      this.#upstream.loadBalance.slowStart !== null
    )
      this.endpoint.warmSince = now
    this.#before = condition
  }

  /** Which share of its weight slow start gives it now: 1 is all. */
  warmth(now: number): number {
    const { slowStart } = this.#upstream.loadBalance
    const since = this.endpoint.warmSince
    if (slowStart === null || since === null) return 1
    if (now - since < slowStart) return Math.max(COLDEST, (now - since) / slowStart)
    return 1
  }

  release(): void {
    this.check?.unwatch(this.#onChange)
    this.breaker?.unwatch(this.#onChange)
    this.#leases.check?.release()
    this.#leases.breaker?.release()
    this.#leases.endpoint.release()
  }
}

import type { Lease } from '../runtime/registry.ts'
import type { Resolver } from './discovery/resolver.ts'
import { type Endpoint, addressLabel } from './endpoint.ts'
import type { LiveState } from './live-state.ts'
import { Member } from './member.ts'
import type { EndpointSpec, UpstreamSpec } from './upstream-spec.ts'

interface Source {
  readonly spec: EndpointSpec
  readonly lease: Lease<Resolver>
}

/** What hears of changes. */
export interface RosterOwner {
  /** There are other endpoints. */
  onMembers(): void
  /** A check or a breaker of one changed. */
  onCondition(): void
}

/** The endpoints of an upstream, from the newest answers about the names that were written. */
export class Roster {
  readonly #spec: UpstreamSpec
  readonly #live: LiveState
  readonly #owner: RosterOwner
  readonly #sources: readonly Source[]
  readonly #onAddresses = () => this.#resolve()
  readonly #onCondition = () => this.#owner.onCondition()
  #members: readonly Member[] = []
  #byEndpoint = new Map<Endpoint, Member>()
  /** Whether there have been endpoints for a while, so that one that comes now joins them. */
  #established = false

  /** Tells its owner nothing before it was asked. */
  constructor(spec: UpstreamSpec, live: LiveState, owner: RosterOwner) {
    this.#spec = spec
    this.#live = live
    this.#owner = owner
    this.#sources = spec.endpoints.map(endpoint => ({
      spec: endpoint,
      lease: live.resolver(endpoint.address),
    }))
    this.#update()
    for (const source of this.#sources) source.lease.value.watch(this.#onAddresses)
  }

  get members(): readonly Member[] {
    return this.#members
  }

  memberOf(endpoint: Endpoint): Member | undefined {
    return this.#byEndpoint.get(endpoint)
  }

  /** What was written, and what the last look-up said where it failed. */
  get names(): readonly { readonly written: string; readonly error: string }[] {
    return this.#sources.map(source => ({
      written: addressLabel(source.spec.address),
      error: source.lease.value.error,
    }))
  }

  /** Whether an answer about its names is still outstanding, so that having no endpoint is no failure yet. */
  get resolving(): boolean {
    return this.#sources.some(
      source => source.lease.value.addresses === null && source.lease.value.error === '',
    )
  }

  /** Gives back every lease. What is under way keeps its endpoint. */
  release(): void {
    for (const source of this.#sources) {
      source.lease.value.unwatch(this.#onAddresses)
      source.lease.release()
    }
    for (const member of this.#members) member.release()
    this.#members = []
    this.#byEndpoint.clear()
  }

  /** Those that stay keep what they are; those that went close their connections. */
  #resolve(): void {
    const gone = this.#update()
    this.#owner.onMembers()
    for (const member of gone) member.release()
  }

  /** @returns those that are no longer there */
  #update(): Iterable<Member> {
    const before = new Map(this.#members.map(member => [member.label, member]))
    const after = new Map<string, Member>()
    for (const { spec, lease } of this.#sources) {
      for (const address of lease.value.addresses ?? []) {
        const resolved = resolve(spec, address)
        const label = addressLabel(resolved)
        if (after.has(label)) continue
        const kept = before.get(label)
        // The same address under another name may have another weight.
        if (kept?.spec === spec) before.delete(label)
        after.set(label, kept?.spec === spec ? kept : this.#join(spec, resolved))
      }
    }
    const first = this.#members.length === 0
    this.#members = [...after.values()]
    this.#byEndpoint = new Map(this.#members.map(member => [member.endpoint, member]))
    this.#welcome(first)
    return before.values()
  }

  #join(spec: EndpointSpec, address: EndpointSpec['address']): Member {
    const { name, healthCheck, circuitBreaker } = this.#spec
    const written = spec.address.kind === 'tcp' ? spec.address.host : 'localhost'
    const endpoint = this.#live.endpoint(this.#spec, address, written)
    const leases = {
      endpoint,
      check: healthCheck === null ? null : this.#live.check(this.#spec, healthCheck, endpoint.value, written),
      breaker:
        circuitBreaker?.scope === 'endpoint'
          ? this.#live.breaker(name, endpoint.value.label, circuitBreaker)
          : null,
    }
    return new Member(spec, this.#spec, leases, this.#onCondition)
  }

  /**
   * Slow start for endpoints that join others. At the beginning all are new, those of a name that is answered a moment
   * later too, and nobody is to be spared.
   */
  #welcome(first: boolean): void {
    const endpoints = this.#members.map(member => member.endpoint)
    // Another generation has brought them up.
    if (first && endpoints.some(endpoint => !endpoint.fresh)) this.#established = true
    const now = this.#live.wheel.now()
    for (const endpoint of endpoints) {
      if (endpoint.fresh && this.#established && this.#spec.loadBalance.slowStart !== null)
        endpoint.warmSince = now
      endpoint.fresh = false
    }
    if (!this.resolving && endpoints.length > 0) this.#established = true
  }
}

function resolve(spec: EndpointSpec, address: string): EndpointSpec['address'] {
  return spec.address.kind === 'unix' ? spec.address : { kind: 'tcp', host: address, port: spec.address.port }
}

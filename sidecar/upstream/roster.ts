import type { FoundEndpoint, Source } from './discovery/source.ts'
import { type Endpoint, addressLabel } from './endpoint.ts'
import type { LiveState } from './live-state.ts'
import { Member } from './member.ts'
import type { UpstreamSpec } from './upstream-spec.ts'

/** What hears of changes. */
export interface RosterOwner {
  /** There are other endpoints. */
  onMembers(): void
  /** A check or a breaker of one changed. */
  onCondition(): void
}

/** The endpoints of an upstream, from what its sources found last. */
export class Roster {
  readonly #spec: UpstreamSpec
  readonly #live: LiveState
  readonly #owner: RosterOwner
  readonly #sources: readonly Source[]
  readonly #onFound = () => this.#changed()
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
    this.#sources = live.sources(spec)
    this.#update()
    for (const source of this.#sources) source.watch(this.#onFound)
  }

  get members(): readonly Member[] {
    return this.#members
  }

  memberOf(endpoint: Endpoint): Member | undefined {
    return this.#byEndpoint.get(endpoint)
  }

  /** What was written, and what the last answer about it said where it failed. */
  get names(): readonly { readonly written: string; readonly error: string }[] {
    return this.#sources.map(({ written, error }) => ({ written, error }))
  }

  /** Whether an answer is still outstanding, so that having no endpoint is no failure yet. */
  get resolving(): boolean {
    return this.#sources.some(({ endpoints, error }) => endpoints === null && error === '')
  }

  /** Gives back every lease. What is under way keeps its endpoint. */
  release(): void {
    for (const source of this.#sources) source.release()
    for (const member of this.#members) member.release()
    this.#members = []
    this.#byEndpoint.clear()
  }

  /** Those that stay keep what they are; those that went close their connections. */
  #changed(): void {
    const gone = this.#update()
    this.#owner.onMembers()
    for (const member of gone) member.release()
  }

  /** @returns those that are no longer there */
  #update(): Iterable<Member> {
    const before = new Map(this.#members.map(member => [member.label, member]))
    const after = new Map<string, Member>()
    for (const { endpoints } of this.#sources) {
      for (const found of endpoints ?? []) {
        const label = addressLabel(found.address)
        if (after.has(label)) continue
        const kept = before.get(label)
        // The same address may have another weight or zone now, or come from elsewhere.
        const stays = kept !== undefined && isAlike(kept.spec, found)
        if (stays) before.delete(label)
        after.set(label, stays ? kept : this.#join(found))
      }
    }
    const first = this.#members.length === 0
    this.#members = [...after.values()]
    this.#byEndpoint = new Map(this.#members.map(member => [member.endpoint, member]))
    this.#welcome(first)
    return before.values()
  }

  #join(found: FoundEndpoint): Member {
    const { name, healthCheck, circuitBreaker } = this.#spec
    const endpoint = this.#live.endpoint(this.#spec, found.address, found.name)
    const leases = {
      endpoint,
      check:
        healthCheck === null ? null : this.#live.check(this.#spec, healthCheck, endpoint.value, found.name),
      breaker:
        circuitBreaker?.scope === 'endpoint'
          ? this.#live.breaker(name, endpoint.value.label, circuitBreaker)
          : null,
    }
    return new Member(found, this.#spec, leases, this.#onCondition)
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

/** Whether it is the same to an upstream, its address aside. */
function isAlike(one: FoundEndpoint, other: FoundEndpoint): boolean {
  return (
    one.weight === other.weight &&
    one.zone === other.zone &&
    one.priority === other.priority &&
    one.name === other.name
  )
}

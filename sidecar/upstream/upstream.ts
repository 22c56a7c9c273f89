import { ProxyError } from '../exchange/proxy-error.ts'
import type { Lease } from '../runtime/registry.ts'
import type { UpstreamRecorder } from '../telemetry/recorder.ts'
import type { Resolver } from './discovery/resolver.ts'
import { type Endpoint, addressLabel } from './endpoint.ts'
import type { LiveState } from './live-state.ts'
import type { Balancer, Candidate, PickAsk, Picker } from './picker.ts'
import type { Outcome, Ticket } from './outcome.ts'
import type { UpstreamLoad, UpstreamWaiter } from './load.ts'
import type { EndpointSpec, UpstreamSpec } from './upstream-spec.ts'

interface Source {
  readonly spec: EndpointSpec
  readonly lease: Lease<Resolver>
}

/**
 * A service behind us as one generation sees it: its specification, and leases on the live state it shares with other
 * generations. Names are resolved to endpoints, endpoints to a picker, and both are replaced when an answer changes.
 */
export class Upstream {
  readonly spec: UpstreamSpec
  readonly recorder: UpstreamRecorder
  readonly #live: LiveState
  readonly #load: Lease<UpstreamLoad>
  readonly #sources: readonly Source[]
  readonly #balancer: Lease<Balancer>
  readonly #onChange = () => this.#rebuild()
  #endpoints = new Map<string, { readonly lease: Lease<Endpoint>; readonly weight: number }>()
  #picker: Picker

  constructor(spec: UpstreamSpec, live: LiveState) {
    this.spec = spec
    this.#live = live
    this.recorder = live.recorder(spec.name)
    this.#load = live.load(spec.name)
    this.#balancer = live.balancer(spec.name, spec.loadBalance.policy)
    this.#sources = spec.endpoints.map(endpoint => ({
      spec: endpoint,
      lease: live.resolver(endpoint.address),
    }))
    for (const source of this.#sources) source.lease.value.watch(this.#onChange)
    this.#picker = this.#balancer.value.picker([])
    this.#rebuild()
  }

  /** How many requests are under way, over all generations. */
  get load(): UpstreamLoad {
    return this.#load.value
  }

  /** The endpoints that are known now. */
  get endpoints(): readonly Endpoint[] {
    return [...this.#endpoints.values()].map(one => one.lease.value)
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

  /** Chooses an endpoint, or says why there is none. */
  pick(ask: PickAsk): Endpoint | ProxyError {
    const endpoint = this.#picker.pick(ask)
    if (endpoint !== null) return endpoint
    const failed = this.#sources.find(source => source.lease.value.error !== '')
    return failed === undefined
      ? new ProxyError('no_endpoint', '', { repeatable: 'never_processed' })
      : new ProxyError('upstream_unresolved', '', {
          cause: `${addressLabel(failed.spec.address)}: ${failed.lease.value.error}`,
          repeatable: 'never_processed',
        })
  }

  /**
   * Takes a place for one request; `leave` gives it back. Where the upstream is full, or its name not resolved yet,
   * the waiter is called later.
   * @returns true: go on now; false: wait; an error: there is no room to wait either
   */
  enter(waiter: UpstreamWaiter): boolean | ProxyError {
    const load = this.#load.value
    const { inFlight, pending } = this.spec.limits
    if (load.inFlight < inFlight && !(this.#endpoints.size === 0 && this.resolving)) {
      load.inFlight++
      return true
    }
    if (load.waiting.length >= pending) {
      this.recorder.pendingRefused++
      return new ProxyError('upstream_overloaded', '', { repeatable: 'never_processed' })
    }
    load.waiting.push(waiter)
    return false
  }

  /** An attempt begins at an endpoint that was just picked. Ends with exactly one of `settled` and `abandoned`. */
  begin(endpoint: Endpoint): Ticket {
    endpoint.inFlight++
    return 0
  }

  /** What the attempt showed. Read before this returns, and not kept. */
  settled(endpoint: Endpoint, _ticket: Ticket, _outcome: Outcome): void {
    endpoint.inFlight--
  }

  /** The attempt was cut by the client, by a drain or by a hedge that won: it shows nothing of the endpoint. */
  abandoned(endpoint: Endpoint, _ticket: Ticket): void {
    endpoint.inFlight--
  }

  /** Gives a request's place back, and lets the next one in. */
  leave(): void {
    const load = this.#load.value
    load.inFlight--
    this.#admit()
  }

  /** A waiter gave up. */
  withdraw(waiter: UpstreamWaiter): void {
    const waiting = this.#load.value.waiting
    const at = waiting.indexOf(waiter)
    if (at !== -1) waiting.splice(at, 1)
  }

  /** Gives back every lease. What is under way keeps its endpoint. */
  release(): void {
    for (const source of this.#sources) {
      source.lease.value.unwatch(this.#onChange)
      source.lease.release()
    }
    for (const one of this.#endpoints.values()) one.lease.release()
    this.#endpoints.clear()
    this.#balancer.release()
    this.#load.release()
  }

  #admit(): void {
    const load = this.#load.value
    // One that leaves while it is let in makes room that the loop below sees: no recursion, however many wait.
    if (load.admitting) return
    load.admitting = true
    try {
      while (load.waiting.length > 0 && load.inFlight < this.spec.limits.inFlight) {
        const waiter = load.waiting.shift()
        load.inFlight++
        waiter?.onRoom()
      }
    } finally {
      load.admitting = false
    }
  }

  /** The endpoints of the newest answers. Those that stay keep their connections; those that went close theirs. */
  #rebuild(): void {
    const before = this.#endpoints
    const after: typeof before = new Map()
    for (const source of this.#sources) {
      for (const address of source.lease.value.addresses ?? []) {
        const resolved = resolve(source.spec, address)
        const label = addressLabel(resolved)
        if (after.has(label)) continue
        const kept = before.get(label)
        before.delete(label)
        const lease = kept?.lease ?? this.#live.endpoint(this.spec, resolved)
        after.set(label, { lease, weight: source.spec.weight })
      }
    }
    this.#endpoints = after
    const candidates: Candidate[] = [...after.values()].map(one => ({
      endpoint: one.lease.value,
      weight: one.weight,
    }))
    this.#picker = this.#balancer.value.picker(candidates)
    for (const gone of before.values()) gone.lease.release()
    if (!(after.size === 0 && this.resolving)) this.#admit()
  }
}

function resolve(spec: EndpointSpec, address: string): EndpointSpec['address'] {
  return spec.address.kind === 'unix' ? spec.address : { kind: 'tcp', host: address, port: spec.address.port }
}

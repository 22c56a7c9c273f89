import net from 'node:net'
import type { Address } from '../exchange/address.ts'
import type { Random } from '../runtime/random.ts'
import type { ReadBuffers } from '../runtime/read-buffers.ts'
import type { Lease, Registry } from '../runtime/registry.ts'
import type { TimerWheel } from '../runtime/timer-wheel.ts'
import type { UpstreamRecorder } from '../telemetry/recorder.ts'
import { LeastRequest } from './balancers/least-request.ts'
import { RoundRobin } from './balancers/round-robin.ts'
import { DnsResolver, type Every } from './discovery/dns.ts'
import type { LookupQueue } from './discovery/lookup-queue.ts'
import type { Resolver } from './discovery/resolver.ts'
import { StaticResolver } from './discovery/static.ts'
import { addressLabel, Endpoint } from './endpoint.ts'
import type { Balancer } from './picker.ts'
import { UpstreamLoad } from './load.ts'
import type { UpstreamSpec } from './upstream-spec.ts'

/** What upstreams are made of that outlives them, and where each kind of it gets its identity. */
export class LiveState {
  readonly #registry: Registry
  readonly #wheel: TimerWheel
  readonly #buffers: ReadBuffers
  readonly #lookups: LookupQueue
  readonly #every: Every
  readonly #random: Random
  readonly recorder: (upstream: string) => UpstreamRecorder

  constructor(parts: {
    registry: Registry
    wheel: TimerWheel
    buffers: ReadBuffers
    lookups: LookupQueue
    every: Every
    random: Random
    recorder: (upstream: string) => UpstreamRecorder
  }) {
    this.#registry = parts.registry
    this.#wheel = parts.wheel
    this.#buffers = parts.buffers
    this.#lookups = parts.lookups
    this.#every = parts.every
    this.#random = parts.random
    this.recorder = parts.recorder
  }

  load(upstream: string): Lease<UpstreamLoad> {
    return this.#registry.acquire(
      ['load', upstream],
      () => new UpstreamLoad(),
      () => {},
    )
  }

  balancer(upstream: string, kind: UpstreamSpec['loadBalance']['policy']): Lease<Balancer> {
    return this.#registry.acquire<Balancer>(
      ['balancer', upstream, kind],
      () => (kind === 'round-robin' ? new RoundRobin() : new LeastRequest(this.#random)),
      () => {},
    )
  }

  resolver(address: Address): Lease<Resolver> {
    const host = address.kind === 'unix' ? address.path : address.host
    const fixed = address.kind === 'unix' || net.isIP(host) !== 0
    return this.#registry.acquire<Resolver>(
      ['resolver', fixed, host],
      () => (fixed ? new StaticResolver(host) : new DnsResolver(host, this.#lookups, this.#every)),
      resolver => resolver.close(),
    )
  }

  /** The newest settings win: an endpoint that two generations share reads them at its next use. */
  endpoint(spec: UpstreamSpec, address: Address): Lease<Endpoint> {
    const lease = this.#registry.acquire(
      ['endpoint', spec.name, addressLabel(address)],
      () => new Endpoint(address, spec.connection, this.recorder(spec.name), this.#buffers, this.#wheel),
      endpoint => endpoint.pool.close(),
    )
    lease.value.pool.configure(spec.connection)
    return lease
  }
}

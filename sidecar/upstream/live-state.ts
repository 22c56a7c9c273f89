import net from 'node:net'
import type { Address } from '../exchange/address.ts'
import type { ConnectionPool } from '../exchange/outgoing.ts'
import { Pool } from '../http1/pool.ts'
import { SessionPool } from '../http2/session-pool.ts'
import { SessionQuota } from '../http2/session-quota.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Destination } from '../runtime/destination.ts'
import type { LingeringCounters } from '../runtime/lingering.ts'
import type { MemoryBudget } from '../runtime/memory-budget.ts'
import type { Random } from '../runtime/random.ts'
import type { ReadBuffers } from '../runtime/read-buffers.ts'
import type { Lease, Registry } from '../runtime/registry.ts'
import type { TimerWheel } from '../runtime/timer-wheel.ts'
import type { WatchedService } from '../telemetry/discovery-metrics.ts'
import type { Log } from '../telemetry/process-log.ts'
import type { UpstreamRecorder } from '../telemetry/recorder.ts'
import { RepetitionLimit } from '../telemetry/repetition.ts'
import { AdaptiveLimit } from './adaptive-limit.ts'
import { createBalancer } from './balancers/balancer.ts'
import { Breaker } from './breaker.ts'
import { CheckSlots } from './checks/check-slots.ts'
import { DnsResolver, type Every } from './discovery/dns.ts'
import type { LookupQueue } from './discovery/lookup-queue.ts'
import { KubernetesServices } from './discovery/kubernetes-services.ts'
import { KubernetesSource } from './discovery/kubernetes-source.ts'
import { ResolvedSource } from './discovery/resolved-source.ts'
import type { Resolver } from './discovery/resolver.ts'
import type { Source } from './discovery/source.ts'
import { StaticResolver } from './discovery/static.ts'
import { addressLabel, Endpoint } from './endpoint.ts'
import { HealthCheck } from './health-check.ts'
import { OutlierRecord } from './outlier-record.ts'
import { OutlierDetector } from './outlier.ts'
import { ClientPools } from './client-pools.ts'
import { ClientTls } from './client-tls.ts'
import type { Balancer } from './picker.ts'
import { UpstreamLoad } from './load.ts'
import { ownHeader } from './proxy-header.ts'
import { UpstreamEvents } from './upstream-events.ts'
import type { CircuitBreakerSpec, HealthCheckSpec, UpstreamSpec } from './upstream-spec.ts'

/** What the live state of a process is made with. */
export interface LiveParts {
  readonly registry: Registry
  readonly wheel: TimerWheel
  readonly buffers: ReadBuffers
  readonly budget: MemoryBudget
  readonly lingering: LingeringCounters
  readonly lookups: LookupQueue
  readonly every: Every
  readonly random: Random
  readonly clock: Clock
  readonly log: Log
  recorder(upstream: string): UpstreamRecorder
}

/**
 * What upstreams are made of that outlives them, and where each kind of it gets its identity. What a key leaves out is
 * a setting: the newest one wins, also for those that began with another.
 */
export class LiveState {
  readonly #parts: LiveParts
  readonly #log: RepetitionLimit
  readonly #slots = new CheckSlots()
  readonly #services: KubernetesServices

  constructor(parts: LiveParts) {
    this.#parts = parts
    this.#log = new RepetitionLimit(parts.log, parts.clock)
    this.#services = new KubernetesServices({ ...parts, log: this.#log })
  }

  get wheel(): TimerWheel {
    return this.#parts.wheel
  }

  get random(): Random {
    return this.#parts.random
  }

  recorder(upstream: string): UpstreamRecorder {
    return this.#parts.recorder(upstream)
  }

  events(upstream: string): UpstreamEvents {
    return new UpstreamEvents(upstream, this.recorder(upstream), this.#log)
  }

  load(upstream: string): Lease<UpstreamLoad> {
    return this.#parts.registry.acquire(
      ['load', upstream],
      () => new UpstreamLoad(),
      () => {},
    )
  }

  balancer(upstream: string, spec: UpstreamSpec['loadBalance']): Lease<Balancer> {
    return this.#parts.registry.acquire<Balancer>(
      ['balancer', upstream, spec.policy],
      () => createBalancer(spec, this.random, () => this.wheel.now()),
      () => {},
    )
  }

  /** Where an upstream's endpoints come from; each source gives back what it holds. */
  sources({ endpoints, discovery, loadBalance }: UpstreamSpec): Source[] {
    const written = endpoints.map(one => new ResolvedSource(one, this.#resolver(one.address)))
    return discovery === undefined
      ? written
      : [...written, new KubernetesSource(discovery, loadBalance.zone, this.#services.acquire(discovery))]
  }

  /** The Services of Kubernetes that are watched now. */
  get watched(): Iterable<WatchedService> {
    return this.#services.states
  }

  #resolver(address: Address): Lease<Resolver> {
    const { registry, lookups, every } = this.#parts
    const host = address.kind === 'unix' ? address.path : address.host
    const fixed = address.kind === 'unix' || net.isIP(host) !== 0
    return registry.acquire<Resolver>(
      ['resolver', fixed, host],
      () =>
        fixed
          ? new StaticResolver(host)
          : new DnsResolver(host, lookups, every, (...heard) => this.#nameHeard(...heard)),
      resolver => resolver.close(),
    )
  }

  #nameHeard(name: string, error: string, kept: number): void {
    const key = `name ${name}`
    if (error === '') this.#log.write(`${key} found`, 'info', 'a name is found again', { name })
    else this.#log.write(key, 'warn', 'a name is not found', { name, cause: error, addresses_kept: kept })
  }

  /** @param name as it was written: what an encrypted endpoint has to prove where nothing else is asked */
  endpoint(spec: UpstreamSpec, address: Address, name: string): Lease<Endpoint> {
    const { registry } = this.#parts
    // One pool per identity: what is expected there and who we are is part of what the endpoint is.
    const [hash, serverName] = identity(spec, name)
    const { proxyProtocol: version } = spec
    const preface = version === null ? null : ownHeader(version)
    const tls = (): ClientTls | null => (spec.tls === null ? null : new ClientTls(spec.tls, serverName))
    const lease = registry.acquire(
      ['endpoint', spec.name, addressLabel(address), spec.protocol, hash, serverName, version],
      () => {
        const record = this.#outlierRecord(spec.name, addressLabel(address))
        const quota = spec.protocol === 'http2' ? this.#quota(spec.name) : null
        return {
          record,
          quota,
          endpoint: new Endpoint(address, tls(), record.value, at => this.#pools(at, spec, quota), preface),
        }
      },
      ({ record, quota, endpoint }) => {
        endpoint.pool.close()
        record.release()
        quota?.release()
      },
    )
    const { endpoint, quota } = lease.value
    endpoint.pool.configure(spec.connection)
    if (quota !== null) quota.value.limit = spec.limits.connections ?? Infinity
    return { value: endpoint, release: () => lease.release() }
  }

  /** The connections to an endpoint: of all together, or of each client by itself where it is told whom they are for. */
  #pools(target: Destination, spec: UpstreamSpec, quota: Lease<SessionQuota> | null): ConnectionPool {
    const { proxyProtocol: version, connection } = spec
    return version === null
      ? this.#pool(target, spec, quota)
      : new ClientPools(target, version, connection, at => this.#pool(at, spec, quota))
  }

  #pool(target: Destination, spec: UpstreamSpec, quota: Lease<SessionQuota> | null): ConnectionPool {
    const counters = this.recorder(spec.name)
    return quota === null
      ? new Pool(target, spec.connection, counters, this.#parts.buffers, this.wheel)
      : new SessionPool(target, spec.connection, counters, quota.value, this.#parts)
  }

  #quota(upstream: string): Lease<SessionQuota> {
    return this.#parts.registry.acquire(
      ['sessions', upstream],
      () => new SessionQuota(),
      () => {},
    )
  }

  /** By address alone: a new certificate makes another endpoint, and no better one. */
  #outlierRecord(upstream: string, label: string): Lease<OutlierRecord> {
    return this.#parts.registry.acquire(
      ['outlier', upstream, label],
      () => new OutlierRecord(),
      () => {},
    )
  }

  outliers(upstream: string): Lease<OutlierDetector> {
    return this.#parts.registry.acquire(
      ['outliers', upstream],
      () => new OutlierDetector(this.wheel, this.events(upstream)),
      () => {},
    )
  }

  adaptive(upstream: string, bounds: { readonly min: number; readonly max: number }): Lease<AdaptiveLimit> {
    const lease = this.#parts.registry.acquire(
      ['adaptive', upstream],
      () => new AdaptiveLimit(bounds, () => this.wheel.now(), this.random),
      () => {},
    )
    lease.value.configure(bounds)
    return lease
  }

  /** @param label the endpoint whose breaker it is; null: the upstream's */
  breaker(upstream: string, label: string | null, spec: CircuitBreakerSpec): Lease<Breaker> {
    const lease = this.#parts.registry.acquire(
      ['breaker', upstream, label, spec.trip.kind],
      () => {
        const breaker = new Breaker(spec, this.wheel)
        const events = this.events(upstream)
        breaker.watch(() =>
          events.breaker(label, breaker.state, ((breaker.openUntil ?? 0) - this.wheel.now()) / 1000),
        )
        return breaker
      },
      breaker => breaker.dispose(),
    )
    lease.value.configure(spec)
    return lease
  }

  /**
   * Upstreams that ask one address the same question share the answer.
   * @param name as for `endpoint`
   */
  check(upstream: UpstreamSpec, spec: HealthCheckSpec, endpoint: Endpoint, name: string): Lease<HealthCheck> {
    const { registry, buffers, budget, lingering, random } = this.#parts
    const host = spec.host === '' ? upstream.authority : spec.host
    const lease = registry.acquire(
      [
        'check',
        endpoint.label,
        upstream.protocol,
        upstream.proxyProtocol,
        ...identity(upstream, name),
        spec.kind,
        spec.target,
        host,
        spec.statuses.join(),
      ],
      () => {
        const parts = { wheel: this.wheel, buffers, budget, lingering, random, slots: this.#slots }
        const check = new HealthCheck(endpoint.target, upstream, spec, parts)
        const events = this.events(upstream.name)
        let healthy = check.healthy
        check.watch(() => {
          if (check.healthy !== healthy) events.check(endpoint.label, check.fault)
          healthy = check.healthy
        })
        return check
      },
      check => check.close(),
    )
    lease.value.configure(spec)
    return lease
  }
}

/** What an encrypted endpoint has to prove, and what we show it; empty where it is not encrypted. */
function identity({ tls }: UpstreamSpec, name: string): [hash: string, serverName: string] {
  return tls === null ? ['', ''] : [tls.hash, tls.serverName || name]
}

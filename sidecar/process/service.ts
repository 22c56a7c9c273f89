import type { AcceptorParts } from '../listener/acceptor-parts.ts'
import type { FilterState } from '../config/compile/filter-leases.ts'
import { DateHeader } from '../http1/head-writer.ts'
import { done } from '../proxy/done.ts'
import { handle, refuse } from '../proxy/handle.ts'
import type { ProxyParts } from '../proxy/parts.ts'
import { TcpConnection } from '../proxy/tcp.ts'
import { endTunnels } from '../proxy/tunnels.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import { MemoryBudget } from '../runtime/memory-budget.ts'
import { Overload } from '../runtime/overload.ts'
import { type Random, systemRandom } from '../runtime/random.ts'
import { ReadBuffers } from '../runtime/read-buffers.ts'
import { Registry } from '../runtime/registry.ts'
import { FINE_TICK_MS, TimerWheel } from '../runtime/timer-wheel.ts'
import { Generation } from '../snapshot/generation.ts'
import { Holder } from '../snapshot/holder.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import type { AccessLog } from '../telemetry/access-log.ts'
import { ConsumerMetrics } from '../telemetry/consumer-metrics.ts'
import { discoveryMetrics } from '../telemetry/discovery-metrics.ts'
import { FilterCounters } from '../telemetry/filter-counters.ts'
import { GrpcMetrics } from '../telemetry/grpc-metrics.ts'
import { HandshakeMetrics } from '../telemetry/handshake-metrics.ts'
import { ProxyHeaderMetrics } from '../telemetry/proxy-header-metrics.ts'
import { TcpMetrics } from '../telemetry/tcp-metrics.ts'
import { lingeringMetrics } from '../telemetry/lingering-metrics.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { overloadMetrics } from '../telemetry/overload-metrics.ts'
import type { AuditLog } from '../telemetry/audit-log.ts'
import type { Log } from '../telemetry/process-log.ts'
import { RepetitionLimit } from '../telemetry/repetition.ts'
import { tunnelMetrics } from '../telemetry/tunnel-metrics.ts'
import { type Every, systemLookup } from '../upstream/discovery/dns.ts'
import { type Lookup, LookupQueue } from '../upstream/discovery/lookup-queue.ts'
import { LiveState } from '../upstream/live-state.ts'
import { CertificateWatch } from './certificate-watch.ts'
import { KeyWatch } from './key-watch.ts'
import { connectionLimit, memoryLimit } from './machine-limits.ts'

/** What a process brings to its data plane; tests bring their own clock and name server. */
export interface ServiceSettings {
  readonly log: Log
  readonly accessLog: AccessLog
  readonly audit: AuditLog
  readonly metrics: Metrics
  readonly clock?: Clock
  readonly random?: Random
  readonly lookup?: Lookup
  readonly every?: Every
}

const NOTHING: Snapshot = {
  hash: '',
  entries: new Map(),
  upstreams: new Map(),
  routes: new Map(),
  logPolicy: () => 'all',
}

/** The data plane of one process: what all its listeners, requests and upstreams share, wired together once. */
export class Service {
  readonly clock: Clock
  readonly wheel: TimerWheel
  /** For short pauses. */
  readonly fine: TimerWheel
  readonly budget: MemoryBudget
  readonly overload: Overload
  readonly buffers: ReadBuffers
  readonly registry = new Registry()
  readonly holder: Holder
  readonly live: LiveState
  readonly filterState: FilterState
  readonly proxy: ProxyParts
  readonly acceptors: AcceptorParts
  readonly handshakes: HandshakeMetrics
  readonly certificates: CertificateWatch
  readonly keys: KeyWatch
  readonly #log: Log
  /** What the process does not end before. */
  readonly #last = new Set<Promise<void>>()

  constructor(settings: ServiceSettings) {
    const { log, accessLog, metrics } = settings
    this.#log = log
    this.clock = settings.clock ?? systemClock
    const repeated = new RepetitionLimit(log, this.clock)
    this.handshakes = new HandshakeMetrics(metrics, repeated)
    const proxyHeaders = new ProxyHeaderMetrics(metrics, repeated)
    this.wheel = new TimerWheel(this.clock)
    this.fine = new TimerWheel(this.clock, FINE_TICK_MS)
    this.budget = new MemoryBudget(memoryLimit())
    this.overload = new Overload(this.budget, settings.random ?? systemRandom)
    overloadMetrics(metrics, this.overload)
    this.buffers = new ReadBuffers(this.budget, error => this.fault(error))
    this.holder = new Holder(new Generation(NOTHING, () => {}))
    const lingering = lingeringMetrics(metrics)
    this.live = new LiveState({
      registry: this.registry,
      wheel: this.wheel,
      buffers: this.buffers,
      budget: this.budget,
      lingering,
      lookups: this.#lookups(settings, 2),
      every: settings.every ?? realEvery,
      random: settings.random ?? systemRandom,
      clock: this.clock,
      log,
      recorder: name => metrics.upstream(name),
    })
    discoveryMetrics(metrics, () => this.live.watched)
    const consumers = new ConsumerMetrics(this.clock, metrics)
    const calls = new GrpcMetrics(metrics)
    this.filterState = this.#filterState(settings, consumers)
    this.certificates = new CertificateWatch({
      snapshot: () => this.holder.current.snapshot,
      clock: this.clock,
      wheel: this.wheel,
      log,
      metrics,
    })
    this.keys = new KeyWatch({ clock: this.clock, wheel: this.wheel, log, metrics })
    const unrouted = metrics.route('none')
    const tunnels = tunnelMetrics(metrics)
    const proxy: ProxyParts = {
      holder: this.holder,
      wheel: this.wheel,
      fine: this.fine,
      random: settings.random ?? systemRandom,
      wall: () => this.clock.wall(),
      budget: this.budget,
      overload: this.overload,
      buffers: this.buffers,
      accessLog,
      audit: settings.audit,
      log,
      // With look-ups of their own: whatever an app asks for never holds up the names of upstreams.
      tunnels: {
        lookups: this.#lookups(settings, 1),
        ...tunnels,
        counters: tunnels.connect,
        upgraded: new Set(),
      },
      tcp: new TcpMetrics(metrics),
      active: 0,
      recordUnrouted: (method, status, seconds) => unrouted.record(method, status, seconds),
      recordConsumer: (name, route, status) => consumers.record(name, route, status),
      recordCall: exchange => calls.record(exchange),
      recordError: (route, reason) => metrics.error(route, reason),
      done: exchange => done(exchange, proxy),
    }
    this.proxy = proxy
    const { overload } = this
    const most = connectionLimit()
    this.acceptors = {
      wheel: this.wheel,
      buffers: this.buffers,
      budget: this.budget,
      date: new DateHeader(this.clock),
      lingering,
      log,
      get maxConnections() {
        return overload.connections(most)
      },
      overload: this.overload,
      connections: 0,
      handle: exchange => handle(exchange, proxy),
      refuse: (exchange, error) => refuse(exchange, error, proxy),
      entry: key => this.holder.current.snapshot.entries.get(key),
      trusts: (key, address) =>
        this.holder.current.snapshot.entries.get(key)?.listeners.some(one => one.trusts(address)) ?? false,
      handshake: (key, failure) => this.handshakes.count(key, failure),
      proxyHeader: (key, result, peer, cause) => proxyHeaders.count(key, result, peer, cause),
      ending: (key, peers) => {
        log.info('connections end: what these clients showed is not enough any more', {
          address: key,
          connections: peers.size,
        })
        endTunnels(peers, proxy.tunnels)
      },
      tcp: (channel, peer, host) => new TcpConnection(channel, peer, host, proxy),
    }
  }

  /** Lets the clocks run on the event loop. */
  run(): void {
    for (const wheel of [this.wheel, this.fine]) wheel.run(error => this.fault(error))
    this.certificates.start()
    this.keys.start()
  }

  stop(): void {
    this.certificates.stop()
    this.keys.stop()
    this.wheel.stop()
    this.fine.stop()
  }

  /** Waits for what state that was closed still has to say: a moment at most. */
  async ended(): Promise<void> {
    await Promise.allSettled(this.#last)
  }

  #filterState({ log, metrics, random }: ServiceSettings, consumers: ConsumerMetrics): FilterState {
    const counters = new FilterCounters(metrics)
    const repeated = new RepetitionLimit(log, this.clock)
    return {
      registry: this.registry,
      parts: {
        wheel: this.wheel,
        fine: this.fine,
        clock: this.clock,
        random: random ?? systemRandom,
        outlast: work => {
          this.#last.add(work)
          void work.finally(() => this.#last.delete(work))
        },
        budget: this.budget,
        buffers: this.buffers,
        warn: (text, fields) => repeated.write(text, 'warn', text, fields),
        counter: (name, help, labels) => counters.get(name, help, labels),
        gauge: (name, help, labels) => counters.get(name, help, labels, 'gauge'),
        clientLabel: name => consumers.label(name),
      },
    }
  }

  /** @param threads of the pool that they may have, and as many more for those that hang */
  #lookups(settings: ServiceSettings, threads: number): LookupQueue {
    return new LookupQueue(settings.lookup ?? systemLookup, {
      wheel: this.wheel,
      slots: threads,
      stuck: threads,
      fault: error => this.fault(error),
    })
  }

  /** A bug in a callback of the data path. Its connection is closed; the process goes on. */
  fault(error: unknown): void {
    this.#log.error('a bug in Outrigger closed a connection', { error })
  }
}

function realEvery(milliseconds: number, call: () => void): { stop(): void } {
  const timer = setInterval(call, milliseconds).unref()
  return { stop: () => clearInterval(timer) }
}

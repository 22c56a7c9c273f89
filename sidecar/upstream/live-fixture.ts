import type { Clock } from '../runtime/clock.ts'
import { MemoryBudget } from '../runtime/memory-budget.ts'
import { seededRandom } from '../runtime/random.ts'
import { ReadBuffers } from '../runtime/read-buffers.ts'
import { Registry } from '../runtime/registry.ts'
import { TimerWheel } from '../runtime/timer-wheel.ts'
import type { Log, LogFields, LogLevel } from '../telemetry/process-log.ts'
import { UpstreamMetrics } from '../telemetry/upstream-metrics.ts'
import { type Lookup, LookupQueue } from './discovery/lookup-queue.ts'
import { LiveState } from './live-state.ts'
import type { UpstreamWaiter } from './load.ts'
import type { OutlierSpec, UpstreamLimits, UpstreamSpec } from './upstream-spec.ts'

/** One line of the process log. */
interface Line {
  readonly level: LogLevel
  readonly message: string
  readonly fields: LogFields
}

/** Live state on a test's own clock, name server and chance; what it wrote and counted. The test drives the wheel. */
export function liveState<C extends Clock>(
  clock: C,
): {
  readonly live: LiveState
  readonly registry: Registry
  readonly clock: C
  readonly wheel: TimerWheel
  readonly metrics: UpstreamMetrics
  readonly lines: Line[]
  /** Answers the oldest look-up that is outstanding. */
  readonly answer: (...addresses: string[]) => void
  readonly fail: () => void
  /** Has all names looked up again. */
  readonly tick: () => void
} {
  const registry = new Registry()
  const wheel = new TimerWheel(clock)
  const asked: Parameters<Lookup>[1][] = []
  const ticks = new Set<() => void>()
  const metrics = new UpstreamMetrics('app')
  const lines: Line[] = []
  const budget = new MemoryBudget(1e6)
  const live = new LiveState({
    registry,
    wheel,
    buffers: new ReadBuffers(budget),
    budget,
    lingering: { active: 0, cut: 0 },
    lookups: new LookupQueue((_name, done) => asked.push(done)),
    every: (_milliseconds, call) => {
      ticks.add(call)
      return { stop: () => ticks.delete(call) }
    },
    random: seededRandom(1),
    clock,
    log: logTo(lines),
    recorder: () => metrics,
  })
  return {
    live,
    registry,
    clock,
    wheel,
    metrics,
    lines,
    answer: (...addresses) => asked.shift()?.(null, addresses),
    fail: () => asked.shift()?.(Object.assign(new Error('x'), { code: 'ENOTFOUND' }), []),
    tick: () => ticks.forEach(call => call()),
  }
}

function logTo(lines: Line[]): Log {
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      lines.push({ level, message, fields })
    }
  return {
    level: 'trace',
    trace: at('trace'),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    fatal: at('fatal'),
  }
}

/** A written endpoint at an address or a name. */
export function tcp(
  host: string,
  port = 80,
  more: Partial<UpstreamSpec['endpoints'][number]> = {},
): UpstreamSpec['endpoints'][number] {
  return { address: { kind: 'tcp', host, port }, weight: 1, zone: '', priority: 0, ...more }
}

/** Limits of which two are interesting. */
export function limits(
  inFlight: number,
  pending: number,
  more: Partial<UpstreamLimits> = {},
): UpstreamLimits {
  return { inFlight, pending, connections: null, retries: null, adaptive: null, ...more }
}

/** The defaults of outlier detection. */
export const OUTLIERS: OutlierSpec = {
  consecutiveErrors: 5,
  successRate: null,
  latency: null,
  interval: 10_000,
  ejection: 30_000,
  maxEjection: 300_000,
  maxEjectedPercent: 10,
}

/** An upstream with one endpoint, round-robin, and nothing that judges it. */
export function upstreamSpec(more: Partial<UpstreamSpec> = {}): UpstreamSpec {
  return {
    name: 'app',
    endpoints: [tcp('10.0.0.1')],
    authority: 'app',
    https: false,
    basePath: '',
    loadBalance: { policy: 'round-robin', by: [], zone: '', slowStart: null, panicPercent: 50 },
    healthCheck: null,
    outlierDetection: null,
    circuitBreaker: null,
    limits: limits(2, 2),
    tls: null,
    proxyProtocol: null,
    protocol: 'http1',
    connection: { connect: 1000, keepAlive: 1000 },
    ...more,
  }
}

/** Counts how often it was let in. */
export class CountingWaiter implements UpstreamWaiter {
  entered = 0
  readonly #then: () => void
  constructor(then: () => void = () => {}) {
    this.#then = then
  }
  onRoom(): void {
    this.entered++
    this.#then()
  }
}

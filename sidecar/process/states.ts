import type { Clock } from '../runtime/clock.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import type { UpstreamState } from '../telemetry/upstream-metrics.ts'
import type { Breaker } from '../upstream/breaker.ts'
import type { Member } from '../upstream/member.ts'
import type { Upstream } from '../upstream/upstream.ts'
import type { Service } from './service.ts'

/** Open client connections of the process. */
export function activeConnections(service: Service): number {
  return service.acceptors.connections
}

/** How open a breaker is, as the metric says it. */
const OPENNESS = { closed: 0, 'half-open': 1, open: 2 } as const

/** As which state a condition is counted. */
const COUNTED_AS = {
  healthy: 'healthy',
  unhealthy: 'unhealthy',
  open: 'unhealthy',
  ejected: 'ejected',
  probing: 'probing',
  'half-open': 'probing',
} as const

/** What each upstream has at the moment, for the gauges. */
export function* upstreamStates(snapshot: Snapshot): Generator<UpstreamState> {
  for (const upstream of snapshot.upstreams.values()) {
    let idle = 0
    let open = 0
    const endpoints = { healthy: 0, unhealthy: 0, ejected: 0, probing: 0 }
    for (const member of upstream.members) {
      idle += member.endpoint.pool.idle
      open += member.endpoint.pool.open
      endpoints[COUNTED_AS[member.condition]]++
    }
    const breakers = breakersOf(upstream)
    yield {
      upstream: upstream.spec.name,
      inFlight: upstream.load.inFlight,
      pending: upstream.load.waiting.length,
      idle,
      active: open - idle,
      endpoints,
      breaker: breakers.length === 0 ? null : Math.max(...breakers.map(({ state }) => OPENNESS[state])),
      panic: upstream.panic,
    }
  }
}

/** Upstreams with their endpoints, for the admin endpoint and for people. Times are ISO 8601. */
export function describeUpstreams(snapshot: Snapshot, clock: Clock): unknown {
  const words = new StateWords(clock)
  return [...snapshot.upstreams.values()].map(upstream => ({
    name: upstream.spec.name,
    loadBalance: upstream.spec.loadBalance,
    inFlight: upstream.load.inFlight,
    pending: upstream.load.waiting.length,
    limits: upstream.spec.limits,
    limit: upstream.limit,
    ...(upstream.breaker === null ? {} : { circuitBreaker: words.breaker(upstream.breaker) }),
    health: words.health(upstream),
    names: upstream.names,
    endpoints: upstream.members.map(member => ({
      address: member.label,
      state: member.condition,
      why: words.member(member),
      priority: member.spec.priority,
      zone: member.spec.zone,
      weight: member.spec.weight,
      inFlight: member.endpoint.inFlight,
      connections: { open: member.endpoint.pool.open, idle: member.endpoint.pool.idle },
    })),
  }))
}

function breakersOf(upstream: Upstream): readonly Breaker[] {
  if (upstream.breaker !== null) return [upstream.breaker]
  return upstream.members.flatMap(({ breaker }) => (breaker === null ? [] : [breaker]))
}

/** States and their reasons in words. Live state counts on the monotonic clock; people read the wall's. */
class StateWords {
  readonly #now: number
  readonly #wall: number

  constructor(clock: Clock) {
    this.#now = clock.now()
    this.#wall = clock.wall()
  }

  health(upstream: Upstream): string {
    if (upstream.panic) return 'panic: too few endpoints are healthy, health is ignored'
    if (upstream.lastResort) return 'ejected endpoints are used: there are no others'
    return 'counts'
  }

  breaker(breaker: Breaker): string {
    if (breaker.openUntil !== null) return `open until ${this.#time(breaker.openUntil)}`
    return breaker.state
  }

  /** Why a member is in its condition, all that speaks against it. */
  member(member: Member): string {
    const { check, outlier, breaker } = member
    const words: string[] = []
    if (check !== null && !check.healthy)
      words.push(`check failing since ${this.#time(check.since)}: ${check.fault}`)
    if (member.judged && outlier.state === 'ejected')
      words.push(
        `ejected since ${this.#time(outlier.since)} until ${this.#time(outlier.until)} for ${outlier.detail}`,
      )
    if (member.judged && outlier.state === 'probing')
      words.push(`probing since ${this.#time(outlier.since)}, after an ejection for ${outlier.detail}`)
    if (breaker !== null && breaker.state !== 'closed') words.push(`breaker ${this.breaker(breaker)}`)
    if (words.length > 0) return words.join('; ')
    const warmth = member.warmth(this.#now)
    return warmth < 1 ? `healthy, slow start ${Math.floor(warmth * 100)} %` : 'healthy'
  }

  #time(moment: number): string {
    return new Date(this.#wall + moment - this.#now).toISOString()
  }
}

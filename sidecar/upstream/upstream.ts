import type { ClientEnds } from '../exchange/outgoing.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import type { Lease } from '../runtime/registry.ts'
import { Timer, type TimerOwner } from '../runtime/timer-wheel.ts'
import type { UpstreamRecorder } from '../telemetry/recorder.ts'
import type { AdaptiveLimit } from './adaptive-limit.ts'
import type { Breaker } from './breaker.ts'
import { type Eligibility, eligibility } from './eligibility.ts'
import type { Endpoint } from './endpoint.ts'
import { groupPicker } from './group-picker.ts'
import type { LiveState } from './live-state.ts'
import type { Member } from './member.ts'
import type { Balancer, PickAsk, Picker } from './picker.ts'
import type { Outcome, Ticket } from './outcome.ts'
import { isGatewayError } from './outcome.ts'
import type { OutlierDetector, OutlierMember } from './outlier.ts'
import type { UpstreamLoad, UpstreamWaiter } from './load.ts'
import { Roster, type RosterOwner } from './roster.ts'
import { circuitOpen, unavailable } from './unavailable.ts'
import type { OutlierSpec, UpstreamSpec } from './upstream-spec.ts'

/** In how many steps an endpoint comes up in slow start. */
const WARM_STEPS = 20

/**
 * A service behind us as one generation sees it: its specification, and leases on the live state it shares with other
 * generations. Names are resolved to endpoints; from those that are eligible a picker is made, and made anew at the
 * first pick after something changed.
 */
export class Upstream implements OutlierMember, RosterOwner, TimerOwner {
  readonly spec: UpstreamSpec
  readonly recorder: UpstreamRecorder
  readonly #live: LiveState
  readonly #load: Lease<UpstreamLoad>
  readonly #roster: Roster
  readonly #balancer: Lease<Balancer>
  readonly #outliers: Lease<OutlierDetector> | null
  /** One for the whole upstream; those of endpoints are the members'. */
  readonly #breaker: Lease<Breaker> | null
  readonly #adaptive: Lease<AdaptiveLimit> | null
  readonly #timer = new Timer(this)
  /** How many connections may be open, idle ones too; null: as many as come to be. */
  readonly #mostOpen: number | null
  #stale = true
  #picker: Picker
  #eligible: Eligibility = { groups: [], panic: false, lastResort: false }
  /** Those that only a probe may be sent to. */
  #probing: readonly Member[] = []

  constructor(spec: UpstreamSpec, live: LiveState) {
    this.spec = spec
    this.#live = live
    // What clients that have gone left behind is of no use to others.
    this.#mostOpen = spec.limits.connections ?? (spec.proxyProtocol === null ? null : spec.limits.inFlight)
    this.recorder = live.recorder(spec.name)
    this.#load = live.load(spec.name)
    this.#balancer = live.balancer(spec.name, spec.loadBalance)
    this.#outliers = spec.outlierDetection === null ? null : live.outliers(spec.name)
    const { circuitBreaker } = spec
    this.#breaker =
      circuitBreaker?.scope === 'upstream' ? live.breaker(spec.name, null, circuitBreaker) : null
    const { adaptive, inFlight } = spec.limits
    this.#adaptive = adaptive === null ? null : live.adaptive(spec.name, { min: adaptive.min, max: inFlight })
    this.#picker = this.#balancer.value.picker([])
    this.#roster = new Roster(spec, live, this)
    this.#outliers?.value.join(this)
  }

  /** How many requests are under way, over all generations. */
  get load(): UpstreamLoad {
    return this.#load.value
  }

  /** The upstream's own breaker, if it has one. */
  get breaker(): Breaker | null {
    return this.#breaker?.value ?? null
  }

  /** How many may be in flight now: what is configured, or what its own answers show that it can do. */
  get limit(): number {
    const { inFlight } = this.spec.limits
    const most = this.#shares ? inFlight : Math.min(inFlight, this.#connections)
    return this.#adaptive === null ? most : Math.min(most, this.#adaptive.value.limit)
  }

  /** Whether one more may be let in now: there is room, and its endpoints are known. */
  get open(): boolean {
    return this.load.inFlight < this.limit && !(this.members.length === 0 && this.resolving)
  }

  get #connections(): number {
    return this.spec.limits.connections ?? Infinity
  }

  /** Whether requests in flight share connections: sessions of HTTP/2, but for those that are one client's alone. */
  get #shares(): boolean {
    return this.spec.protocol === 'http2' && this.spec.proxyProtocol === null
  }

  /** Whether no connection may be opened beside those that work: `limits.connections`. Those of HTTP/2 are shared. */
  get connectionsTaken(): boolean {
    if (this.spec.limits.connections === null || this.#shares) return false
    return (
      this.members.reduce((sum, { endpoint: { pool } }) => sum + pool.size - pool.idle, 0) >=
      this.#connections
    )
  }

  /** The endpoints that are known now. */
  get endpoints(): readonly Endpoint[] {
    return this.members.map(member => member.endpoint)
  }

  /** The endpoints with their place and condition here. */
  get members(): readonly Member[] {
    return this.#roster.members
  }

  /** Whether health is ignored, since too few are healthy. */
  get panic(): boolean {
    this.#refresh()
    return this.#eligible.panic
  }

  /** Whether endpoints are used that are ejected, since there are no others. */
  get lastResort(): boolean {
    this.#refresh()
    return this.#eligible.lastResort
  }

  get outlierSpec(): OutlierSpec {
    // Asked only where this joined a detector, which takes a specification.
    return this.spec.outlierDetection as OutlierSpec
  }

  get outlierHosts(): readonly Member[] {
    return this.#roster.members
  }

  onOutlierChange(): void {
    this.#stale = true
  }

  onCondition(): void {
    this.#stale = true
  }

  onMembers(): void {
    this.#stale = true
    this.#outliers?.value.changed()
    this.#load.value.admit()
  }

  /** What was written, and what the last look-up said where it failed. */
  get names(): readonly { readonly written: string; readonly error: string }[] {
    return this.#roster.names
  }

  /** Whether an answer about its names is still outstanding, so that having no endpoint is no failure yet. */
  get resolving(): boolean {
    return this.#roster.resolving
  }

  /** Chooses an endpoint, or says why there is none. Takes nothing: `begin` does. */
  pick(ask: PickAsk): Endpoint | ProxyError {
    const breaker = this.#breaker?.value
    if (breaker !== undefined && !breaker.available) return circuitOpen([breaker], this.#live.wheel.now())
    this.#refresh()
    const endpoint = this.#probe(ask) ?? this.#picker.pick(ask)
    if (endpoint !== null) return endpoint
    if (this.members.length > 0) return unavailable(this.members, this.#live.wheel.now())
    const failed = this.names.find(name => name.error !== '')
    return failed === undefined
      ? new ProxyError('no_endpoint', '', { repeatable: 'never_processed' })
      : new ProxyError('upstream_unresolved', '', {
          cause: `${failed.written}: ${failed.error}`,
          repeatable: 'never_processed',
        })
  }

  /**
   * Takes a place for one request; `leave` gives it back. Where the upstream is full, or its name not resolved yet,
   * the waiter is called later.
   * @returns true: go on now; false: wait; an error: there is no room to wait either, or the breaker is open
   */
  enter(waiter: UpstreamWaiter): boolean | ProxyError {
    const breaker = this.#breaker?.value
    if (breaker !== undefined && !breaker.available) return circuitOpen([breaker], this.#live.wheel.now())
    const load = this.#load.value
    if (this.open) {
      load.inFlight++
      return true
    }
    const { pending } = this.spec.limits
    if (load.waiting.length >= Math.min(pending, this.#adaptive?.value.queue ?? pending)) {
      this.recorder.pendingRefused++
      return new ProxyError('upstream_overloaded', '', { repeatable: 'never_processed' })
    }
    load.waiting.push({ waiter, door: this })
    return false
  }

  /**
   * An attempt begins at an endpoint that was just picked. Ends with exactly one of `settled` and `abandoned`.
   * @param peer whose request it is; absent: it is our own
   */
  begin(endpoint: Endpoint, peer?: ClientEnds): Ticket {
    endpoint.inFlight++
    if (this.#mostOpen !== null) this.#makeRoom(endpoint, this.#mostOpen, peer)
    const probe = this.#outliers?.value.begin(endpoint.outlier) ?? false
    const breaker = this.#breakerOf(endpoint)
    const admission = breaker === null ? 0 : breaker.admit()
    return admission * 2 + (probe ? 1 : 0)
  }

  /** What the attempt showed. Read before this returns, and not kept. */
  settled(endpoint: Endpoint, ticket: Ticket, outcome: Outcome): void {
    endpoint.inFlight--
    this.#balancer.value.observe?.(endpoint, outcome)
    this.#outliers?.value.settled(endpoint.outlier, outcome, ticket % 2 === 1)
    if (this.#adaptive !== null) this.#sample(this.#adaptive.value, outcome)
    if (ticket > 1) this.#breakerOf(endpoint)?.record(Math.floor(ticket / 2), !isGatewayError(outcome.status))
  }

  /** The attempt was cut by the client, by a drain or by a hedge that won: it shows nothing of the endpoint. */
  abandoned(endpoint: Endpoint, ticket: Ticket): void {
    endpoint.inFlight--
    this.#outliers?.value.abandoned(endpoint.outlier, ticket % 2 === 1)
    if (ticket > 1) this.#breakerOf(endpoint)?.abandon(Math.floor(ticket / 2))
  }

  /** Gives a request's place back, and lets the next one in. */
  leave(): void {
    const load = this.#load.value
    load.inFlight--
    load.admit()
  }

  /** A waiter gave up. */
  withdraw(waiter: UpstreamWaiter): void {
    this.#load.value.withdraw(waiter)
  }

  /** Gives back every lease. What is under way keeps its endpoint. */
  release(): void {
    this.#live.wheel.remove(this.#timer)
    this.#outliers?.value.leave(this)
    this.#outliers?.release()
    this.#roster.release()
    this.#breaker?.release()
    this.#adaptive?.release()
    this.#balancer.release()
    this.#load.release()
  }

  onTimer(): void {
    this.#stale = true
  }

  #breakerOf(endpoint: Endpoint): Breaker | null {
    if (this.#breaker !== null) return this.#breaker.value
    return this.spec.circuitBreaker === null ? null : (this.#roster.memberOf(endpoint)?.breaker ?? null)
  }

  #sample(adaptive: AdaptiveLimit, { status, error, milliseconds }: Outcome): void {
    const dropped = status === 503 || status === 429 || error?.reason === 'upstream_timeout'
    // A connection that was refused took no time, and says nothing of the service's pace.
    if (status !== 0 || dropped) adaptive.sample(milliseconds, this.load.inFlight, dropped)
  }

  /** Closes an idle connection, to another endpoint or of another client, where one more would be too many. */
  #makeRoom(endpoint: Endpoint, connections: number, peer: ClientEnds | undefined): void {
    if (endpoint.pool.ready(peer)) return
    const { endpoints } = this
    if (endpoints.reduce((sum, one) => sum + one.pool.size, 0) < connections) return
    // Whoever made room for this one is about to leave a connection that only the same client could use.
    if (!this.#evict() && this.spec.proxyProtocol !== null) setImmediate(() => this.#evict())
  }

  #evict(): boolean {
    return this.endpoints.some(({ pool }) => pool.evict())
  }

  /** An endpoint that is to be tried, and that no request tries at this moment. */
  #probe(ask: PickAsk): Endpoint | null {
    if (this.#probing.length === 0 || ask.sticky !== '') return null
    for (const { endpoint, breaker, condition } of this.#probing) {
      const ready =
        condition === 'probing'
          ? (this.#outliers?.value.mayProbe(endpoint.outlier) ?? false)
          : condition === 'half-open' && (breaker?.available ?? false)
      if (ready && endpoint !== ask.avoid) return endpoint
    }
    return null
  }

  /** A new picker, where something changed since the last one was made. */
  #refresh(): void {
    if (!this.#stale) return
    this.#stale = false
    const now = this.#live.wheel.now()
    for (const member of this.members) member.notice(now)
    const panicked = this.#eligible.panic
    this.#eligible = eligibility(this.members, this.spec.loadBalance, now)
    this.#probing = this.members.filter(
      // One of weight 0 takes nobody new, a probe neither.
      ({ condition, spec }) => spec.weight > 0 && (condition === 'probing' || condition === 'half-open'),
    )
    this.#picker = groupPicker(this.#eligible.groups, this.#balancer.value, this.#live.random)
    if (this.#eligible.panic !== panicked) this.#tellPanic()
    const { slowStart } = this.spec.loadBalance
    if (slowStart !== null && this.members.some(member => member.warmth(now) < 1))
      this.#live.wheel.schedule(this.#timer, slowStart / WARM_STEPS)
  }

  #tellPanic(): void {
    const healthy = this.members.filter(member => member.condition === 'healthy').length
    this.#live.events(this.spec.name).panic(this.#eligible.panic, healthy, this.members.length)
  }
}

// The one file of it that is needed: the whole package costs some 20 ms at the start of a process, this 2.
import { ConsecutiveBreaker } from 'cockatiel/dist/breaker/ConsecutiveBreaker.js'
import { Timer, type TimerOwner, type TimerWheel } from '../runtime/timer-wheel.ts'
import { FailureRatio } from './failure-ratio.ts'
import type { CircuitBreakerSpec } from './upstream-spec.ts'

/** Where a breaker stands. */
export type BreakerState = 'closed' | 'open' | 'half-open'

/**
 * What an attempt was admitted with, given back with its result; 0: not admitted. It says in which stretch the attempt
 * began: what began before the breaker opened says nothing about whether it may close.
 */
export type Admission = number

/** What decides that a closed breaker opens. Called at once for each result, without a promise. */
interface Trip {
  success(): void
  /** @returns whether it opens */
  failure(): boolean
}

/**
 * A circuit breaker: while open, nothing is sent to what fails. After `openFor` it lets `halfOpenRequests` probes
 * through; when all of them succeeded it closes, when one fails it opens again, and whoever else asks meanwhile is
 * refused at once. Live state, shared by generations.
 *
 * Each admission ends with exactly one of `record` and `abandon`. A probe that has neither after another `openFor`
 * gives its place to the next: a request that is answered after minutes must not keep the breaker from closing.
 */
export class Breaker implements TimerOwner {
  readonly #wheel: TimerWheel
  readonly #timer = new Timer(this)
  readonly #watchers = new Set<() => void>()
  #spec: CircuitBreakerSpec
  #trip: Trip
  #state: BreakerState = 'closed'
  /** The stretch: moves on with every change of state. */
  #stretch: Admission = 1
  #openUntil = 0
  #opened = 0
  /** Probes that are under way, and those that succeeded, of this half-open stretch. */
  #probing = 0
  #succeeded = 0

  constructor(spec: CircuitBreakerSpec, wheel: TimerWheel) {
    this.#spec = spec
    this.#wheel = wheel
    this.#trip = tripOf(spec, wheel)
  }

  get state(): BreakerState {
    return this.#state
  }

  /** When it lets probes through, on the wheel's clock; null where it is not open. */
  get openUntil(): number | null {
    return this.#state === 'open' ? this.#openUntil : null
  }

  /** How often it has opened. */
  get opened(): number {
    return this.#opened
  }

  /** Whether `admit` would admit, for a picker that passes over what would not. Takes nothing. */
  get available(): boolean {
    if (this.#state === 'half-open') return this.#probing + this.#succeeded < this.#spec.halfOpenRequests
    return this.#state === 'closed'
  }

  /** Calls back after each change of state. */
  watch(watcher: () => void): void {
    this.#watchers.add(watcher)
  }

  unwatch(watcher: () => void): void {
    this.#watchers.delete(watcher)
  }

  /** Asks for one attempt; while half open this takes a probe. @returns 0 where it is refused */
  admit(): Admission {
    if (!this.available) return 0
    if (this.#state === 'half-open') this.#probing++
    return this.#stretch
  }

  /** An attempt ended. One of an earlier stretch is not counted. */
  record(admission: Admission, success: boolean): void {
    if (admission !== this.#stretch) return
    if (this.#state === 'half-open') this.#probed(success)
    else if (success) this.#trip.success()
    else if (this.#trip.failure()) this.#open()
  }

  /** An attempt was cut by us or by the client: it shows nothing, and a probe goes back. */
  abandon(admission: Admission): void {
    if (admission === this.#stretch && this.#state === 'half-open') this.#probing--
  }

  /** Settings of the newest generation. Another threshold begins to count anew; open stays open, for its old time. */
  configure(spec: CircuitBreakerSpec): void {
    if (!sameTrip(this.#spec, spec)) this.#trip = tripOf(spec, this.#wheel)
    this.#spec = spec
    if (this.#state === 'half-open' && this.#succeeded >= spec.halfOpenRequests) this.#close()
  }

  /** Takes its timer out of the wheel: no generation uses it any more. */
  dispose(): void {
    this.#wheel.remove(this.#timer)
    this.#watchers.clear()
  }

  onTimer(): void {
    this.#probing = 0
    if (this.#state === 'open') this.#succeeded = 0
    // Half open, and its probes are silent: others get their places, and what the silent ones may still say comes late.
    this.#enter('half-open', this.#spec.openFor)
  }

  #probed(success: boolean): void {
    this.#probing--
    if (!success) this.#open()
    else if (++this.#succeeded >= this.#spec.halfOpenRequests) this.#close()
  }

  #open(): void {
    this.#opened++
    this.#openUntil = this.#wheel.now() + this.#spec.openFor
    this.#enter('open', this.#spec.openFor)
  }

  #close(): void {
    this.#trip = tripOf(this.#spec, this.#wheel)
    this.#enter('closed', Infinity)
  }

  #enter(state: BreakerState, until: number): void {
    const changed = state !== this.#state
    this.#state = state
    this.#stretch++
    this.#wheel.schedule(this.#timer, until)
    if (changed) for (const watcher of [...this.#watchers]) watcher()
  }
}

function tripOf({ trip }: CircuitBreakerSpec, wheel: TimerWheel): Trip {
  if (trip.kind === 'consecutive') return new ConsecutiveBreaker(trip.failures)
  return new FailureRatio(trip.ratio, trip.window, trip.minimumRequests, () => wheel.now())
}

function sameTrip({ trip: a }: CircuitBreakerSpec, { trip: b }: CircuitBreakerSpec): boolean {
  if (a.kind === 'consecutive') return b.kind === 'consecutive' && a.failures === b.failures
  return (
    b.kind === 'ratio' &&
    a.ratio === b.ratio &&
    a.window === b.window &&
    a.minimumRequests === b.minimumRequests
  )
}

import { type BodySource, NO_BODY } from '../exchange/body.ts'
import type { Exchange, Work } from '../exchange/exchange.ts'
import type { HeaderList } from '../exchange/headers.ts'
import type { ResponseHead } from '../exchange/outgoing.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import { Timer, type TimerOwner } from '../runtime/timer-wheel.ts'
import type { RetryPolicy } from '../snapshot/policies.ts'
import type { Route, UpstreamAction } from '../snapshot/route.ts'
import type { RetryCounts } from '../telemetry/recorder.ts'
import type { Endpoint } from '../upstream/endpoint.ts'
import type { UpstreamWaiter } from '../upstream/load.ts'
import type { PickAsk } from '../upstream/picker.ts'
import { takeToken } from './affinity.ts'
import { fail } from './answer.ts'
import type { Attempt } from './attempt.ts'
import { ExchangeClock } from './exchange-clock.ts'
import { mayFallBack, respondInstead } from './fallback.ts'
import { Hedge, type HedgeOwner } from './hedge.ts'
import type { ProxyParts } from './parts.ts'
import { Place } from './place.ts'
import { relay } from './relay.ts'
import { keepBody, type ReplayBody } from './replay-body.ts'
import { afterFailure, afterStatus, backoff, causeOf, conditionOf } from './retry.ts'
import { mayHedge, mayMatter, type RetryState } from './retry.ts'
import { responseHeaders } from './upstream-headers.ts'

/**
 * One exchange's way to its upstream: a place there, one attempt after another until there is a response, and the
 * response back. Every step is a callback, so that the plain path makes no promise and no closure.
 */
export class Forward implements Work, UpstreamWaiter, HedgeOwner, TimerOwner, PickAsk, RetryState {
  avoid: Endpoint | null = null
  readonly sticky: string
  retries = 0
  raced = false
  readonly #exchange: Exchange
  readonly #route: Route
  readonly #parts: ProxyParts
  readonly #clock: ExchangeClock
  /** The pause before a retry; made where there is one. */
  #pause: Timer | null = null
  #phase: 'waiting' | 'trying' | 'pausing' | 'responding' | 'over' = 'waiting'
  #place: Place
  #attempt: Attempt | null = null
  #hedge: Hedge | null = null
  #body: BodySource
  #replay: ReplayBody | null = null
  #continued = false

  /** @param body the request's, which something of ours may read along */
  constructor(exchange: Exchange, route: Route, action: UpstreamAction, parts: ProxyParts, body: BodySource) {
    this.#exchange = exchange
    this.#route = route
    this.#parts = parts
    this.#body = body
    this.#place = new Place(action, exchange)
    this.#clock = new ExchangeClock(this, parts, route.policies.timeout)
    this.sticky = takeToken(exchange, route.policies.affinity)
  }

  start(): void {
    const exchange = this.#exchange
    const headers = exchange.upstreamHeaders
    if (exchange.tunnel !== null) headers.push('connection', 'Upgrade', 'upgrade', exchange.tunnel)
    if (exchange.expectsContinue) headers.push('expect', '100-continue')
    exchange.work = this
    this.#clock.begin(exchange, this.#body.length !== 'none')
    this.#enter()
  }

  /** Asks the upstream for a place. */
  #enter(): void {
    const entered = this.#place.enter(this)
    if (entered instanceof ProxyError) this.#fail(entered)
    else if (entered) this.onRoom()
    // Waiting has a bound of its own: nobody waits longer than a connection would be waited for.
    else this.#clock.run(this.#place.upstream.spec.connection.connect)
  }

  onRoom(): void {
    this.#place.entered()
    this.#try()
  }

  // --- one attempt -------------------------------------------------------------------------------------------

  #try(): void {
    if (this.#tooLate()) return
    const endpoint = this.#place.upstream.pick(this)
    if (endpoint instanceof ProxyError) {
      this.#fail(endpoint)
      return
    }
    this.#phase = 'trying'
    this.#clock.run()
    const { retry, timeout } = this.#route.policies
    const hedges = this.retries === 0 && mayHedge(retry, this.#exchange)
    this.#hedge = hedges ? new Hedge(this, this.#parts.fine) : null
    this.#attempt = this.#place.attempt(this.#hedge ?? this, endpoint, timeout, this.#parts)
    if (this.#body.length === 'none') this.#awaitHedge()
    this.#attempt.start(this.raced)
  }

  onConnected(attempt: Attempt, used: boolean): BodySource | null {
    if (this.#phase === 'over' || this.#tooLate()) return null
    this.#clock.pass(this.#exchange)
    if (this.#body.length === 'none') return this.#body
    attempt.expectsContinue = this.#exchange.expectsContinue && !this.#continued
    if (this.#replay === null && this.#exchange.tunnel === null) {
      this.#replay = keepBody(this.method, this.#body, used, attempt.refusable, this.#route, this.#parts)
      this.#body = this.#replay ?? this.#body
    }
    if (!attempt.expectsContinue) this.#clock.watch(attempt)
    return this.#body
  }

  /** Whether nobody waits any more: then nothing is asked of the upstream. */
  #tooLate(): boolean {
    if (!this.#clock.abandoned) return false
    this.#fail(new ProxyError('deadline_exceeded'))
    return true
  }

  onSent(): void {
    if (this.#phase !== 'trying' || this.#body.length === 'none') return
    this.#clock.complete()
    this.#awaitHedge()
  }

  onInformational(attempt: Attempt, status: number, headers: HeaderList): void {
    if (status === 100) {
      if (!attempt.expectsContinue || this.#continued) return
      this.#continued = true
      this.#clock.watch(attempt)
      this.#exchange.responder.inform(100, [])
    } else if (status === 103) this.#exchange.responder.inform(status, responseHeaders(headers))
  }

  onAnswer(attempt: Attempt, head: ResponseHead, body: BodySource): void {
    if (mayMatter(head.status, this.policy) && this.#goesOn(attempt, head, body)) return
    this.#phase = 'responding'
    this.#clock.respond(attempt)
    // A tunnel may last for days, and would make room for retries all the while.
    if (head.status === 101) this.#place.leaveBudget()
    relay(this.#exchange, this.#route, head, body, attempt, this.sticky, this.#parts)
  }

  // --- a second attempt beside the first ---------------------------------------------------------------------

  #awaitHedge(): void {
    const after = this.#route.policies.retry?.hedge?.after
    if (this.#hedge !== null && this.#attempt !== null && after !== undefined)
      this.#hedge.wait(this.#attempt, after)
  }

  get wholeBody(): BodySource | null {
    return this.#body.length === 'none' ? NO_BODY : (this.#replay?.copy ?? null)
  }

  secondAttempt(hedge: Hedge): Attempt | null {
    const { retry, timeout } = this.#route.policies
    if (this.#phase !== 'trying' || retry === null || this.#clock.abandoned) return null
    this.avoid = this.#attempt?.endpoint ?? null
    const endpoint = this.#place.hedge(retry, this)
    if (endpoint === null) return null
    this.retries++
    this.#exchange.retriedFor = 'hedge'
    this.#place.upstream.recorder.retries.hedge++
    this.#clock.pass(this.#exchange)
    return this.#place.attempt(hedge, endpoint, timeout, this.#parts)
  }

  onHedged(survivor: Attempt, first: boolean): void {
    this.#attempt = survivor
    this.#place.hedged(first)
  }

  // --- what follows a failure --------------------------------------------------------------------------------

  onFailed(attempt: Attempt, error: ProxyError): void {
    if (this.#phase === 'over') return
    const next = afterFailure(error, this)
    if (next === 'repeat') {
      this.raced = true
      this.#place.upstream.recorder.reuseRaces++
      this.#try()
    } else if (next !== 'retry' || !this.#retry(attempt.endpoint, error.reason, causeOf(error), 0)) {
      this.#fail(error)
    }
  }

  /** Whether a response of the upstream is not the last word: there is a retry, or a fallback. */
  #goesOn(attempt: Attempt, { status, headers }: ResponseHead, body: BodySource): boolean {
    const wait = afterStatus(status, headers, this, this.#parts.wall)
    const condition = conditionOf(status, headers, this.policy) ?? ''
    if (wait >= 0 && this.#retry(attempt.endpoint, condition, 'status', wait)) {
      attempt.discard(body)
      return true
    }
    if (!this.#mayFallBack(status)) return false
    attempt.discard(body)
    this.#fallBack(String(status), null)
    return true
  }

  get hash(): number {
    return this.#place.hash
  }

  get method(): string {
    return this.#exchange.method
  }

  get policy(): RetryPolicy | null {
    return this.#route.policies.retry
  }

  get replayable(): boolean {
    if (this.#exchange.tunnel !== null || this.#body.length === 'none') return true
    return this.#replay === null ? this.#attempt?.touched !== true : this.#replay.replayable
  }

  /**
   * Decides a retry, and begins its pause.
   * @param wait how long the upstream asked not to be bothered
   * @returns false where time or budget does not allow it
   */
  #retry(avoid: Endpoint, reason: string, cause: keyof RetryCounts, wait: number): boolean {
    const { retry } = this.#route.policies
    if (retry === null) return false
    const pause = wait + backoff(retry, this.retries + 1, this.#parts.random)
    if (!this.#clock.allows(pause) || !this.#place.retry(retry)) return false
    this.retries++
    this.#exchange.retriedFor = reason
    this.#place.upstream.recorder.retries[cause]++
    this.avoid = avoid
    this.#phase = 'pausing'
    this.#clock.run()
    this.#pause ??= new Timer(this)
    this.#parts.fine.schedule(this.#pause, pause)
    return true
  }

  #mayFallBack(failed: ProxyError | number): boolean {
    const { tunnel, fallbackFor } = this.#exchange
    // Of a split the side that failed may be the fallback of the others.
    const same = this.#route.fallback?.upstream === this.#place.upstream
    if (same || tunnel !== null || fallbackFor !== '' || this.#phase === 'responding') return false
    return mayFallBack(this.#route.policies.fallback, failed, this)
  }

  /** Leaves the upstream for what the route names instead, which has the route's time again. */
  #fallBack(reason: string, error: ProxyError | null): void {
    const exchange = this.#exchange
    const { fallback } = this.#route.policies
    exchange.fallbackFrom = exchange.upstream
    exchange.fallbackFor = reason
    this.#place.upstream.recorder.fallbacks++
    if (this.#route.fallback === null) {
      this.#release(error)
      if (fallback?.kind === 'respond') respondInstead(exchange, this.#route, fallback)
      return
    }
    this.#leave(error)
    this.#place = new Place(this.#route.fallback, exchange)
    this.#phase = 'waiting'
    this.avoid = null
    this.retries = 0
    this.raced = false
    this.#clock.restart()
    this.#enter()
  }

  #fail(error: ProxyError): void {
    if (this.#mayFallBack(error)) {
      this.#fallBack(error.reason, error)
      return
    }
    this.#release(error)
    fail(this.#exchange, this.#route, error)
  }

  // --- clocks ------------------------------------------------------------------------------------------------

  onTimer(timer: Timer): void {
    if (timer === this.#pause) {
      this.#try()
      return
    }
    const seen = this.#clock.look()
    if (seen === 'silent') {
      // In the middle of an upload it may be the client who is silent: no endpoint answers for that.
      if (this.#phase === 'trying') this.#attempt?.cut(null)
      this.#fail(new ProxyError('upstream_idle'))
    } else if (seen === 'expired') this.#fail(this.#expired())
  }

  #expired(): ProxyError {
    if (this.#phase === 'waiting' && !this.#clock.abandoned) return this.#place.notEntered()
    const error = this.#clock.expired(this.#phase === 'responding')
    if (error.reason === 'upstream_timeout') this.#place.upstream.recorder.timeouts++
    return error
  }

  // --- ends --------------------------------------------------------------------------------------------------

  end(error: ProxyError | null): void {
    this.#release(error)
  }

  /** Gives back everything. A second call does nothing. */
  #release(error: ProxyError | null): void {
    if (this.#phase === 'over') return
    this.#phase = 'over'
    this.#leave(error)
    this.#replay?.release(error)
  }

  /** Gives back what belongs to the upstream. */
  #leave(error: ProxyError | null): void {
    this.#clock.stop()
    if (this.#pause !== null) this.#parts.fine.remove(this.#pause)
    this.#hedge?.cut(error)
    this.#attempt?.cut(error)
    this.#attempt = null
    this.#hedge = null
    this.#place.leave(this)
  }
}

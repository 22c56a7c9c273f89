import type { BodySource } from '../exchange/body.ts'
import type { Exchange, Work } from '../exchange/exchange.ts'
import type { HeaderList } from '../exchange/headers.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import type { ClientConnection } from '../http1/client-connection.ts'
import type { ResponseTaker } from '../http1/outgoing.ts'
import type { ResponseHead } from '../http1/message.ts'
import type { ConnectionWaiter } from '../http1/pool.ts'
import { Timer, type TimerOwner } from '../runtime/timer-wheel.ts'
import type { Route, UpstreamAction } from '../snapshot/route.ts'
import type { Endpoint } from '../upstream/endpoint.ts'
import type { PickAsk } from '../upstream/picker.ts'
import type { UpstreamWaiter } from '../upstream/load.ts'
import type { Ticket } from '../upstream/outcome.ts'
import { bug, fail, filterResponse } from './answer.ts'
import type { ProxyParts } from './parts.ts'
import { ReplayBody } from './replay-body.ts'
import { releaseTunnel } from './done.ts'
import { afterFailure, mayRepeat } from './retry.ts'
import { responseHeaders } from './upstream-headers.ts'

/** How long a body waits for the upstream's 100 before it is sent all the same (RFC 9110 section 10.1.1). */
const CONTINUE_MS = 1000
/** How often an exchange in its idle phase is looked at, as a part of its idle time. */
const IDLE_LOOKS = 4

type Phase = 'waiting' | 'connecting' | 'sending' | 'responding' | 'over'

/**
 * One exchange's way to its upstream: a place there, an endpoint, a connection, the request, and the response back;
 * over all attempts. One object an exchange; every step is a callback on it, so that the plain path makes no promise
 * and no closure.
 */
export class Forward implements Work, UpstreamWaiter, ConnectionWaiter, ResponseTaker, TimerOwner, PickAsk {
  readonly #exchange: Exchange
  readonly #route: Route
  readonly #action: UpstreamAction
  readonly #parts: ProxyParts
  readonly #timer = new Timer(this)
  #phase: Phase = 'waiting'
  #entered = false
  #endpoint: Endpoint | null = null
  #ticket: Ticket = 0
  avoid: Endpoint | null = null
  readonly hash = -1
  readonly sticky = ''
  #connection: ClientConnection | null = null
  #body: BodySource
  #replay: ReplayBody | null = null
  #target = ''
  #host = ''
  #retries = 0
  #raced = false
  #fresh = false
  #awaitingContinue = false
  #continued = false
  #idleWatched = false
  #moved = 0
  #stillFor = 0

  constructor(exchange: Exchange, route: Route, action: UpstreamAction, parts: ProxyParts) {
    this.#exchange = exchange
    this.#route = route
    this.#action = action
    this.#parts = parts
    this.#body = exchange.body
  }

  start(): void {
    const exchange = this.#exchange
    const target = this.#action.target(exchange)
    if (target instanceof ProxyError) {
      fail(exchange, this.#route, target)
      return
    }
    this.#target = target
    this.#host = this.#action.host(exchange)
    const headers = exchange.upstreamHeaders
    if (exchange.tunnel !== null) headers.push('connection', 'Upgrade', 'upgrade', exchange.tunnel)
    if (exchange.expectsContinue) headers.push('expect', '100-continue')
    exchange.work = this
    exchange.upstream = this.#action.upstream.spec.name
    const entered = this.#action.upstream.enter(this)
    if (entered instanceof ProxyError) this.#fail(entered)
    else if (entered) this.onRoom()
    // Waiting has a bound of its own: nobody waits longer than a connection would be waited for.
    else this.#parts.wheel.schedule(this.#timer, this.#action.upstream.spec.connection.connect)
  }

  // --- one attempt -------------------------------------------------------------------------------------------

  onRoom(): void {
    this.#entered = true
    this.#attempt()
  }

  #attempt(): void {
    const endpoint = this.#action.upstream.pick(this)
    if (endpoint instanceof ProxyError) {
      this.#fail(endpoint)
      return
    }
    this.#endpoint = endpoint
    this.#ticket = this.#action.upstream.begin(endpoint)
    this.#exchange.attempts++
    this.#exchange.endpoint = endpoint.label
    this.#phase = 'connecting'
    // The pool's own clock bounds the connect.
    this.#parts.wheel.schedule(this.#timer, Infinity)
    endpoint.pool.acquire(this, this.#fresh)
  }

  onConnection(connection: ClientConnection): void {
    const exchange = this.#exchange
    this.#connection = connection
    this.#phase = 'sending'
    this.#action.upstream.recorder.requests++
    this.#awaitingContinue = exchange.expectsContinue && !this.#continued
    if (
      connection.used &&
      this.#replay === null &&
      exchange.body.length !== 'none' &&
      mayRepeat(exchange.method)
    ) {
      // A reused connection may be lost to the reuse race: a body that is to be sent again needs a copy.
      this.#replay = new ReplayBody(exchange.body, this.#parts.budget, this.#parts.buffers)
      this.#body = this.#replay
    }
    if (this.#awaitingContinue) this.#parts.wheel.schedule(this.#timer, CONTINUE_MS)
    else if (exchange.body.length !== 'none') this.#watchIdle()
    connection.send(
      {
        method: exchange.method,
        target: this.#target,
        host: this.#host,
        headers: exchange.upstreamHeaders,
        body: this.#body,
        tunnel: exchange.tunnel,
        expectsContinue: this.#awaitingContinue,
      },
      this,
    )
  }

  onRequestSent(): void {
    if (this.#phase !== 'sending') return
    this.#idleWatched = false
    this.#parts.wheel.schedule(this.#timer, this.#route.policies.timeout.total ?? Infinity)
  }

  onInformational(status: number, headers: HeaderList): void {
    if (status === 100) this.#continue()
    else if (status === 103) this.#exchange.responder.inform(status, responseHeaders(headers))
  }

  /** The upstream wants the body, or has not said so in time. */
  #continue(): void {
    if (!this.#awaitingContinue) return
    this.#awaitingContinue = false
    this.#continued = true
    this.#watchIdle()
    this.#exchange.responder.inform(100, [])
    this.#connection?.continueBody()
  }

  onResponse(head: ResponseHead, body: BodySource): void {
    const exchange = this.#exchange
    this.#phase = 'responding'
    this.#watchIdle()
    try {
      const headers = responseHeaders(head.headers, head.minor === 1 ? 'HTTP/1.1' : 'HTTP/1.0')
      if (head.status === 101) {
        headers.push('upgrade', exchange.tunnel ?? '')
        // A tunnel may outlive many generations; it keeps its endpoint, and no configuration.
        releaseTunnel(exchange, this.#route)
      } else {
        filterResponse(exchange, this.#route, headers)
      }
      exchange.responder.respond(head.status, headers, body)
    } catch (error) {
      body.abort(new ProxyError('internal'))
      fail(exchange, this.#route, bug(error))
    }
  }

  // --- failures ----------------------------------------------------------------------------------------------

  onNoConnection(error: ProxyError): void {
    this.#failed(error)
  }

  onFailure(error: ProxyError): void {
    this.#connection = null
    this.#failed(error)
  }

  #failed(error: ProxyError): void {
    if (this.#phase === 'over') return
    const endpoint = this.#endpoint
    this.#leaveEndpoint()
    const next = afterFailure(error, {
      method: this.#exchange.method,
      replayable: this.#replayable(),
      retries: this.#retries,
      raced: this.#raced,
      allowed: this.#route.policies.retry?.count ?? 0,
    })
    if (next === 'fail') {
      if (error.reason === 'upstream_timeout') this.#action.upstream.recorder.timeouts++
      this.#fail(error)
      return
    }
    if (next === 'retry') {
      this.#retries++
      this.avoid = endpoint
      this.#action.upstream.recorder.retries++
    } else {
      this.#raced = true
      this.#fresh = true
      this.#action.upstream.recorder.reuseRaces++
    }
    this.#attempt()
  }

  #replayable(): boolean {
    if (this.#exchange.tunnel !== null || this.#exchange.body.length === 'none') return true
    return this.#replay === null ? !this.#bodyTouched : this.#replay.replayable
  }

  /** Whether a byte of the client's body may be gone: from the moment the request was sent on. */
  get #bodyTouched(): boolean {
    return this.#phase !== 'connecting' && this.#phase !== 'waiting' && !this.#awaitingContinue
  }

  #fail(error: ProxyError): void {
    this.#release(error)
    fail(this.#exchange, this.#route, error)
  }

  // --- clocks ------------------------------------------------------------------------------------------------

  onTimer(): void {
    if (this.#phase === 'waiting') {
      const reason = this.#action.upstream.resolving ? 'upstream_unresolved' : 'upstream_overloaded'
      this.#fail(new ProxyError(reason, '', { cause: 'waited too long' }))
    } else if (this.#awaitingContinue) {
      this.#continue()
    } else if (this.#idleWatched) {
      this.#lookIdle()
    } else {
      this.#action.upstream.recorder.timeouts++
      this.#fail(new ProxyError('upstream_timeout'))
    }
  }

  /** From here on what counts is whether bytes move, either way. */
  #watchIdle(): void {
    const idle = this.#route.policies.timeout.idle
    this.#idleWatched = true
    this.#stillFor = 0
    this.#parts.wheel.schedule(this.#timer, idle === null ? Infinity : idle / IDLE_LOOKS)
  }

  #lookIdle(): void {
    const idle = this.#route.policies.timeout.idle ?? Infinity
    const moved = this.#connection?.moved ?? 0
    this.#stillFor = moved === this.#moved ? this.#stillFor + 1 : 0
    this.#moved = moved
    if (this.#stillFor < IDLE_LOOKS) this.#parts.wheel.schedule(this.#timer, idle / IDLE_LOOKS)
    else this.#fail(new ProxyError('upstream_idle'))
  }

  // --- ends --------------------------------------------------------------------------------------------------

  end(error: ProxyError | null): void {
    this.#release(error)
  }

  #leaveEndpoint(): void {
    if (this.#endpoint === null) return
    this.#action.upstream.abandoned(this.#endpoint, this.#ticket)
    this.#endpoint = null
  }

  /** Gives back everything. A second call does nothing. */
  #release(error: ProxyError | null): void {
    if (this.#phase === 'over') return
    const phase = this.#phase
    this.#phase = 'over'
    this.#parts.wheel.remove(this.#timer)
    if (phase === 'connecting') this.#endpoint?.pool.cancel(this)
    if (phase === 'waiting') this.#action.upstream.withdraw(this)
    if (error !== null) this.#connection?.abort(this)
    this.#connection = null
    this.#replay?.release(error)
    this.#leaveEndpoint()
    if (this.#entered) this.#action.upstream.leave()
    this.#entered = false
  }
}

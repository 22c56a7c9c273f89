import { type BodySource, NO_BODY } from '../exchange/body.ts'
import type { Exchange, Peer } from '../exchange/exchange.ts'
import { httpStatusOf } from '../exchange/grpc-status.ts'
import { headerValue, type HeaderList } from '../exchange/headers.ts'
import type { ConnectionWaiter, OutgoingConnection, OutgoingRequest } from '../exchange/outgoing.ts'
import type { ResponseHead, ResponseTaker } from '../exchange/outgoing.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import { Timer, type TimerOwner } from '../runtime/timer-wheel.ts'
import type { TimeoutPolicy } from '../snapshot/policies.ts'
import type { Endpoint } from '../upstream/endpoint.ts'
import type { Outcome, Ticket } from '../upstream/outcome.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { Discard } from './discard.ts'
import type { Mover } from './exchange-clock.ts'
import type { ProxyParts } from './parts.ts'
import { repeatsAtOnce, retryAfter } from './retry.ts'

/** How long a body waits for the upstream's 100 before it is sent all the same (RFC 9110 section 10.1.1). */
const CONTINUE_MS = 1000

/** What an attempt tells whoever made it. After `onAnswer` or `onFailed` it tells nothing more. */
export interface AttemptOwner {
  /**
   * There is a connection. May set `expectsContinue`.
   * @param used whether its peer may have closed it unseen
   * @returns the body to send, or null where nothing is to be sent any more: the attempt was cut
   */
  onConnected(attempt: Attempt, used: boolean): BodySource | null
  /** The request's last byte was given to the socket. */
  onSent(attempt: Attempt): void
  /** A 1xx came, or the body went on its way without the 100 that it waited for. */
  onInformational(attempt: Attempt, status: number, headers: HeaderList): void
  /** The response's head came; its body waits to be started. Failures from here on reach the body's sink. */
  onAnswer(attempt: Attempt, head: ResponseHead, body: BodySource): void
  /** There will be no response. */
  onFailed(attempt: Attempt, error: ProxyError): void
}

/**
 * One try of one request at one endpoint: a connection, the request, the response's head, within the clocks of a single
 * try; and what it showed, reported to the upstream exactly once. It is also the request that it sends, and what its
 * connection's callbacks are made on, so that a try costs one object.
 */
export class Attempt implements ConnectionWaiter, ResponseTaker, OutgoingRequest, Outcome, TimerOwner, Mover {
  readonly endpoint: Endpoint
  readonly peer: Peer
  readonly method: string
  readonly target: string
  readonly host: string
  readonly headers: HeaderList
  readonly tunnel: string | null
  readonly guarded: readonly string[] | null
  body: BodySource = NO_BODY
  expectsContinue = false
  status = 0
  error: ProxyError | null = null
  milliseconds = 0
  retryAfter: number | null = null
  /** Whether a byte of the request's body may be gone. */
  touched = false
  readonly #owner: AttemptOwner
  readonly #upstream: Upstream
  readonly #parts: ProxyParts
  readonly #timeout: TimeoutPolicy
  #phase: 'connecting' | 'sending' | 'answered' | 'over' = 'connecting'
  #sent = false
  #fresh = false
  #connection: OutgoingConnection | null = null
  #ticket: Ticket = 0
  #began = 0
  #timer: Timer | null = null
  #triedUntil = Infinity
  #heardUntil = Infinity
  #continueAt = Infinity

  constructor(
    owner: AttemptOwner,
    exchange: Exchange,
    upstream: Upstream,
    endpoint: Endpoint,
    target: string,
    host: string,
    timeout: TimeoutPolicy,
    parts: ProxyParts,
  ) {
    this.#owner = owner
    this.#upstream = upstream
    this.#parts = parts
    this.#timeout = timeout
    this.endpoint = endpoint
    this.peer = exchange.peer
    this.method = exchange.method
    this.target = target
    this.host = host
    this.headers = exchange.upstreamHeaders
    this.tunnel = exchange.tunnel
    this.guarded = exchange.guarded
  }

  /** @param fresh on a connection that was never used */
  start(fresh: boolean): void {
    this.#fresh = fresh
    this.#began = this.#parts.wheel.now()
    this.#ticket = this.#upstream.begin(this.endpoint, this.peer)
    this.#triedUntil = this.#began + this.#perTry
    if (this.#triedUntil !== Infinity) this.#arm()
    this.endpoint.pool.acquire(this, fresh)
  }

  /** Whether what is sent may come back unprocessed, whatever its method: a stream that a GOAWAY leaves out. */
  get refusable(): boolean {
    return this.#upstream.spec.protocol === 'http2'
  }

  // --- what the connection says ------------------------------------------------------------------------------

  onConnection(connection: OutgoingConnection): void {
    const body = this.#owner.onConnected(this, connection.used)
    if (body === null) {
      connection.abort(null)
      return
    }
    this.#upstream.recorder.requests++
    this.#connection = connection
    this.#phase = 'sending'
    this.body = body
    if (body.length !== 'none') {
      // An upload that moves is never cut: its try has its time again when it is out.
      this.#triedUntil = Infinity
      if (this.expectsContinue) this.#continueAt = this.#parts.wheel.now() + CONTINUE_MS
      this.#arm()
    }
    this.touched = !this.expectsContinue
    connection.send(this, this)
  }

  onNoConnection(error: ProxyError): void {
    this.#fail(error)
  }

  onFailure(error: ProxyError): void {
    this.#connection = null
    this.#fail(error)
  }

  onRequestSent(): void {
    // Behind the response's head as well: then nobody waits for it.
    this.#sent = true
    if (this.#phase !== 'sending') return
    const { firstByte } = this.#timeout
    const perTry = this.#perTry
    if (firstByte !== null || perTry !== Infinity) {
      const now = this.#parts.wheel.now()
      if (firstByte !== null) this.#heardUntil = now + firstByte
      if (this.#triedUntil === Infinity) this.#triedUntil = now + perTry
      this.#arm()
    }
    this.#owner.onSent(this)
  }

  onInformational(status: number, headers: HeaderList): void {
    if (status === 100) this.#continue()
    else this.#owner.onInformational(this, status, headers)
  }

  onResponse(head: ResponseHead, body: BodySource): void {
    this.#disarm()
    this.status = head.version === 'HTTP/2' ? shownStatus(head) : head.status
    // Only of those that say so because they cannot serve.
    if (head.status >= 429)
      this.retryAfter = retryAfter(headerValue(head.headers, 'retry-after'), this.#parts.wall)
    this.#report(null)
    // What it showed is told now, since a stream may last for days; the endpoint is busy with it as long as it lasts.
    this.endpoint.inFlight++
    this.#phase = 'answered'
    this.#owner.onAnswer(this, head, body)
  }

  // --- clocks ------------------------------------------------------------------------------------------------

  onTimer(): void {
    const now = this.#parts.fine.now()
    if (now >= this.#continueAt) {
      this.#continue()
      return
    }
    if (now >= this.#heardUntil) {
      this.#heardUntil = Infinity
      if (this.#connection?.heard(this) !== true) {
        this.#giveUp('no first byte')
        return
      }
    }
    if (now >= this.#triedUntil) this.#giveUp('one try')
    else this.#arm()
  }

  /** A try that has as long as the whole route needs no clock of its own. */
  get #perTry(): number {
    const { perTry, total } = this.#timeout
    return perTry === null || (total !== null && perTry >= total) ? Infinity : perTry
  }

  #arm(): void {
    const at = Math.min(this.#triedUntil, this.#heardUntil, this.#continueAt)
    if (at === Infinity && this.#timer === null) return
    this.#timer ??= new Timer(this)
    this.#parts.fine.scheduleAt(this.#timer, at)
  }

  #disarm(): void {
    if (this.#timer !== null) this.#parts.fine.remove(this.#timer)
  }

  /** The upstream wants the body, or has not said so in time. */
  #continue(): void {
    if (!this.expectsContinue || this.touched) return
    this.touched = true
    this.#continueAt = Infinity
    this.#arm()
    this.#owner.onInformational(this, 100, [])
    this.#connection?.continueBody()
  }

  /** When bytes moved last; see `OutgoingConnection.movedAt`. */
  movedAt(): number {
    return this.#connection?.movedAt(this) ?? Infinity
  }

  // --- ends --------------------------------------------------------------------------------------------------

  #giveUp(cause: string): void {
    const error = new ProxyError('upstream_timeout', '', { cause })
    this.#upstream.recorder.timeouts++
    this.cut(error)
    this.#owner.onFailed(this, error)
  }

  #fail(error: ProxyError): void {
    if (this.#phase === 'over') return
    this.#phase = 'over'
    this.#disarm()
    this.#report(error)
    this.#owner.onFailed(this, error)
  }

  /**
   * Ends it without a word to its owner. A second call does nothing.
   * @param error why, where it did not end well: what the upstream is to blame for is held against the endpoint
   */
  cut(error: ProxyError | null): void {
    const phase = this.#phase
    if (phase === 'over') return
    this.#phase = 'over'
    this.#disarm()
    if (phase === 'answered') {
      this.endpoint.inFlight--
      // Of HTTP/2 a whole response leaves the rest of the request to nobody.
      if (error !== null || (this.refusable && !this.#sent && this.tunnel === null))
        this.#connection?.abort(this)
      return
    }
    if (phase === 'connecting') this.endpoint.pool.cancel(this)
    this.#connection?.abort(this)
    this.#report(error)
  }

  /** The response is not wanted: its connection is kept where that costs little. Ends the attempt. */
  discard(body: BodySource): void {
    if (this.#phase !== 'answered') return
    this.#phase = 'over'
    this.endpoint.inFlight--
    // A try that follows needs a connection, and where all that may be open are busy this one makes room.
    if (this.#sent && !this.#upstream.connectionsTaken)
      new Discard(body, this.#parts, this.refusable ? () => this.#connection?.abort(this) : null).start()
    else this.#connection?.abort(this)
  }

  /** Tells the upstream what this showed. What is repeated at once, and what a client did, show nothing. */
  #report(error: ProxyError | null): void {
    const shown = this.status !== 0 || (error !== null && error.side === 'upstream')
    if (
      !shown ||
      (error !== null && (error.reason === 'upstream_overloaded' || repeatsAtOnce(error, this.#fresh)))
    ) {
      this.#upstream.abandoned(this.endpoint, this.#ticket)
      return
    }
    this.error = error
    this.milliseconds = this.#parts.wheel.now() - this.#began
    this.#upstream.settled(this.endpoint, this.#ticket, this)
  }
}

/** What a response shows of its endpoint: where gRPC says in the head that a call failed, that. */
function shownStatus({ status, headers }: ResponseHead): number {
  const grpc = status === 200 ? headerValue(headers, 'grpc-status') : undefined
  return grpc === undefined ? status : httpStatusOf(Number(grpc))
}

import type { Exchange } from '../exchange/exchange.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import { Timer, type TimerOwner, type TimerWheel } from '../runtime/timer-wheel.ts'
import type { TimeoutPolicy } from '../snapshot/policies.ts'
import { type CallerDeadline, callerDeadline, passDeadline } from './deadline.ts'

/** A route that waits no longer than this is timed to 10 ms instead of 100. */
const SHORT_MS = 1000

/** What is watched for silence. */
export interface Mover {
  /** When bytes moved last; Infinity where that is not for this side to say. */
  movedAt(): number
}

/**
 * The one clock of an exchange: an end that it must not pass and, while something is watched, how long that may be
 * silent. Bytes that move note only the time: it is the clock that looks, once when the idle time could be over, and
 * then again when it is. A timer itself, so that it costs no second object.
 */
export class ExchangeClock extends Timer {
  /** When the response must be there, and then when it must be over; Infinity: never. */
  end = Infinity
  readonly #coarse: TimerWheel
  readonly #wheel: TimerWheel
  readonly #timeout: TimeoutPolicy
  #caller: CallerDeadline | null = null
  #limit = Infinity
  #watched: Mover | null = null

  constructor(
    owner: TimerOwner,
    wheels: { readonly wheel: TimerWheel; readonly fine: TimerWheel },
    timeout: TimeoutPolicy,
  ) {
    super(owner)
    this.#coarse = wheels.wheel
    this.#wheel = timeout.total !== null && timeout.total < SHORT_MS ? wheels.fine : wheels.wheel
    this.#timeout = timeout
  }

  /** Begins with the request. What has no body is complete with its head, so that its total time runs already. */
  begin(exchange: Exchange, hasBody: boolean): void {
    this.#caller = callerDeadline(exchange, this.#timeout.header)
    if (!hasBody && this.#timeout.total !== null) this.end = exchange.startedAt + this.#timeout.total
    if (this.#caller !== null) this.end = Math.min(this.end, this.#caller.at)
  }

  /** The request's last byte is out: from the first time that this happens the total time runs. */
  complete(): void {
    if (this.#timeout.total !== null) this.end = Math.min(this.end, this.#wheel.now() + this.#timeout.total)
    this.run()
  }

  /** The route's whole time again, but for the caller's patience. */
  restart(): void {
    this.end = this.#timeout.total === null ? Infinity : this.#wheel.now() + this.#timeout.total
    if (this.#caller !== null) this.end = Math.min(this.end, this.#caller.at)
  }

  /** The response is there: from now on silence counts, and how long it may take as a whole. */
  respond(mover: Mover): void {
    const { stream } = this.#timeout
    // A gRPC call is over when its last message is: its deadline holds on.
    this.end = this.#caller?.whole === true ? this.#caller.at : Infinity
    if (stream !== null) this.end = Math.min(this.end, this.#wheel.now() + stream)
    this.watch(mover)
  }

  /** From now on nothing counts but the end, and a nearer limit where there is one. */
  run(within = Infinity): void {
    this.#watched = null
    this.#limit = within === Infinity ? this.end : Math.min(this.end, this.#wheel.now() + within)
    this.#wheel.scheduleAt(this, this.#limit)
  }

  /** From now on silence counts as well. */
  watch(mover: Mover): void {
    this.#watched = mover
    this.#limit = this.end
    this.#wheel.scheduleAt(this, Math.min(this.end, this.#coarse.tickEnd + (this.#timeout.idle ?? Infinity)))
  }

  stop(): void {
    this.#watched = null
    this.#wheel.remove(this)
  }

  /** What it means that the timer fired. */
  look(): 'expired' | 'silent' | 'early' {
    const now = this.#wheel.now()
    if (now >= this.#limit) return 'expired'
    if (this.#watched === null) return 'early'
    const moved = this.#watched.movedAt()
    const ends = (moved === Infinity ? now : moved) + (this.#timeout.idle ?? Infinity)
    if (now >= ends) return 'silent'
    this.#wheel.scheduleAt(this, Math.min(this.#limit, ends))
    return 'early'
  }

  /** Whether so many milliseconds are still left. */
  allows(milliseconds: number): boolean {
    return this.end === Infinity || this.#wheel.now() + milliseconds < this.end
  }

  /** Whether it is the caller who does not wait any longer: nothing more is done for it. */
  get abandoned(): boolean {
    return this.#caller !== null && this.#wheel.now() >= this.#caller.at
  }

  /** Tells the upstream how long the caller still waits, where the caller said so. */
  pass(exchange: Exchange): void {
    if (this.#caller !== null) passDeadline(exchange, this.#caller.field, this.end - this.#wheel.now())
  }

  /** The error of an end that was reached before there was a response, or in the middle of it. */
  expired(responding: boolean): ProxyError {
    // The upstream is not to blame for a caller's haste.
    if (this.abandoned) return new ProxyError('deadline_exceeded')
    return new ProxyError(responding ? 'stream_timeout' : 'upstream_timeout')
  }
}

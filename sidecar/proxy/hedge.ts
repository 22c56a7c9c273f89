import type { BodySource } from '../exchange/body.ts'
import type { HeaderList } from '../exchange/headers.ts'
import type { ResponseHead } from '../exchange/outgoing.ts'
import type { ProxyError } from '../exchange/proxy-error.ts'
import { Timer, type TimerOwner, type TimerWheel } from '../runtime/timer-wheel.ts'
import { isGatewayError } from '../upstream/outcome.ts'
import type { Attempt, AttemptOwner } from './attempt.ts'

/** Whose request it is. */
export interface HedgeOwner extends AttemptOwner {
  /** A second attempt beside the first, begun by the caller; null where it may not be. */
  secondAttempt(hedge: Hedge): Attempt | null
  /** The body for it, whole; null where it is not there. */
  readonly wholeBody: BodySource | null
  /** One of the two is over, and the other stands for the request. @param first whether it is the one that began */
  onHedged(survivor: Attempt, first: boolean): void
}

/**
 * Two attempts for one request: where the first has brought no response for a while, a second one begins beside it. The
 * first good answer is the request's; an error or a gateway error of one waits for what the other brings.
 */
export class Hedge implements AttemptOwner, TimerOwner {
  readonly #owner: HedgeOwner
  readonly #wheel: TimerWheel
  readonly #timer = new Timer(this)
  #first: Attempt | null = null
  #second: Attempt | null = null

  constructor(owner: HedgeOwner, wheel: TimerWheel) {
    this.#owner = owner
    this.#wheel = wheel
  }

  /** The first attempt has so many milliseconds for itself. */
  wait(first: Attempt, milliseconds: number): void {
    this.#first = first
    this.#wheel.schedule(this.#timer, milliseconds)
  }

  onTimer(): void {
    if (this.#first === null || this.#owner.wholeBody === null) return
    const second = this.#owner.secondAttempt(this)
    if (second === null) return
    this.#second = second
    second.start(false)
  }

  onConnected(attempt: Attempt, used: boolean): BodySource | null {
    // The second never asks for a 100: its body is whole, or there is none.
    return attempt === this.#second ? this.#owner.wholeBody : this.#owner.onConnected(attempt, used)
  }

  onSent(attempt: Attempt): void {
    if (attempt !== this.#second) this.#owner.onSent(attempt)
  }

  onInformational(attempt: Attempt, status: number, headers: HeaderList): void {
    if (attempt !== this.#second) this.#owner.onInformational(attempt, status, headers)
  }

  onAnswer(attempt: Attempt, head: ResponseHead, body: BodySource): void {
    const other = this.#other(attempt)
    if (other === null) {
      this.stop()
      this.#owner.onAnswer(attempt, head, body)
    } else if (isGatewayError(head.status)) {
      this.#drop(attempt, other)
      attempt.discard(body)
    } else {
      this.#drop(other, attempt)
      other.cut(null)
      this.#owner.onAnswer(attempt, head, body)
    }
  }

  onFailed(attempt: Attempt, error: ProxyError): void {
    const other = this.#other(attempt)
    if (other === null) {
      this.stop()
      this.#owner.onFailed(attempt, error)
    } else {
      this.#drop(attempt, other)
    }
  }

  /** Ends what it began; the attempt that stands for the request is its owner's. */
  cut(error: ProxyError | null): void {
    this.stop()
    this.#second?.cut(error)
    this.#first?.cut(error)
  }

  /** There will be no second attempt. */
  stop(): void {
    this.#wheel.remove(this.#timer)
  }

  #other(attempt: Attempt): Attempt | null {
    return attempt === this.#second ? this.#first : this.#second
  }

  #drop(loser: Attempt, survivor: Attempt): void {
    this.stop()
    const first = loser === this.#first
    this.#first = null
    this.#second = null
    this.#owner.onHedged(survivor, first)
  }
}

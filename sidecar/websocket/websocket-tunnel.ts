import { randomBytes } from 'node:crypto'
import type { BodySource } from '../exchange/body.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import type { CloseSide, TunnelControl } from '../exchange/tunnel-control.ts'
import type { ReadBuffers } from '../runtime/read-buffers.ts'
import { Timer, type TimerOwner, type TimerWheel } from '../runtime/timer-wheel.ts'
import { closeFrame, controlFrame } from './control-frame.ts'
import { FrameLane, type LaneOwner, PING_BYTES } from './frame-lane.ts'
import { PING } from './frame-scanner.ts'

/** How long the answer to a close frame of ours is waited for, and then the end of the connection. */
const ANSWER_MS = 2000
/** How many pings in a row a silent end may leave without an answer. */
const UNANSWERED = 2

const GOING_AWAY = 1001
const POLICY_VIOLATION = 1008
const INTERNAL_ERROR = 1011

/** How a WebSocket is looked after. Milliseconds; null: not. */
export interface WebSocketSettings {
  /** How long an end may be silent before it is asked whether it is there. */
  readonly ping: number | null
  /** How long the WebSocket may live. */
  readonly max: number | null
  /** How long the credential that opened it is still good. */
  readonly credential: number | null
  /** Whether permessage-deflate was agreed on. */
  readonly compressed: boolean
}

/** One end: the direction it sends in, the one that leads to it, and what was heard of it. */
interface End {
  readonly from: FrameLane
  readonly to: FrameLane
  readonly masked: boolean
  heard: number
  answers: number
  unanswered: number
}

/**
 * A WebSocket that passes through: two lanes whose frames are followed, so that we can ask both ends whether they are
 * there and say goodbye between frames. Once one of the lanes cannot be followed it is a plain tunnel for good.
 */
export class WebSocketTunnel implements TunnelControl, LaneOwner, TimerOwner {
  /** From the client to the upstream. */
  readonly up: FrameLane
  /** From the upstream to the client. */
  readonly down: FrameLane
  readonly #exchange: Exchange
  readonly #wheel: TimerWheel
  readonly #timer = new Timer(this)
  readonly #pingEvery: number
  readonly #payload: Buffer | null
  readonly #client: End
  readonly #upstream: End
  readonly #endsAt: number
  readonly #expiresAt: number
  #pingAt: number
  #phase: 'open' | 'closing' | 'ending' | 'over' = 'open'
  /** Whether a close frame that finds no gap waits for one as long as it takes. */
  #patient = false

  /** @param body the response's: what the upstream sends. The client's is the exchange's own */
  constructor(
    exchange: Exchange,
    body: BodySource,
    settings: WebSocketSettings,
    parts: { readonly wheel: TimerWheel; readonly buffers: ReadBuffers },
  ) {
    const { ping, max, credential, compressed } = settings
    this.#exchange = exchange
    this.#wheel = parts.wheel
    this.up = new FrameLane(exchange.body, true, compressed, parts.buffers, this)
    this.down = new FrameLane(body, false, compressed, parts.buffers, this)
    this.#client = { from: this.up, to: this.down, masked: false, heard: 0, answers: 0, unanswered: 0 }
    this.#upstream = { from: this.down, to: this.up, masked: true, heard: 0, answers: 0, unanswered: 0 }
    const now = parts.wheel.now()
    this.#pingEvery = ping ?? Infinity
    this.#pingAt = now + this.#pingEvery
    this.#endsAt = now + (max ?? Infinity)
    this.#expiresAt = now + (credential ?? Infinity)
    this.#payload = ping === null ? null : randomBytes(PING_BYTES)
    this.#arm()
  }

  get closing(): boolean {
    return this.#phase === 'closing' || this.#phase === 'ending'
  }

  close(code: number, reason: string): void {
    if (this.#phase !== 'open') return
    if (!this.up.following && !this.down.following)
      this.#cut(new ProxyError('stream_timeout', '', { cause: reason }))
    else this.#goodbye(code, reason)
  }

  drain(): void {
    if (this.#phase !== 'open' || (!this.up.following && !this.down.following)) return
    this.#patient = true
    this.#goodbye(GOING_AWAY, 'going away')
  }

  end(): void {
    this.#phase = 'over'
    this.#wheel.remove(this.#timer)
  }

  // --- what the lanes say ------------------------------------------------------------------------------------

  onLost(): void {
    this.up.passOn()
    this.down.passOn()
    // One end may have had its close frame, which no byte may follow.
    if (this.up.closed || this.down.closed)
      this.#cut(new ProxyError('stream_timeout', '', { cause: 'no frames' }))
  }

  onPeerClose(lane: FrameLane, code: number): void {
    this.#note(lane === this.up ? 'client' : 'upstream', code)
    if (this.#phase === 'closing') this.#answered()
  }

  onPinged(lane: FrameLane): void {
    const end = lane === this.down ? this.#client : this.#upstream
    end.unanswered++
  }

  onLaneEnd(): void {
    if (this.#phase === 'closing') this.#answered()
  }

  // --- clocks ------------------------------------------------------------------------------------------------

  onTimer(): void {
    if (this.#phase === 'closing') this.#stopWaiting()
    else if (this.#phase === 'ending') this.#cut(this.#unended())
    else if (this.#phase === 'open') this.#look()
  }

  #look(): void {
    const now = this.#wheel.now()
    if (now >= this.#expiresAt) {
      this.close(POLICY_VIOLATION, 'the credential has expired')
      return
    }
    if (now >= this.#endsAt) {
      this.close(GOING_AWAY, 'lifetime')
      return
    }
    if (now >= this.#pingAt) {
      this.#pingAt = now + this.#pingEvery
      this.#ask(this.#client, GOING_AWAY)
      if (this.#phase === 'open') this.#ask(this.#upstream, INTERNAL_ERROR)
      if (this.#phase !== 'open') return
    }
    this.#arm()
  }

  #arm(): void {
    this.#wheel.scheduleAt(this.#timer, Math.min(this.#pingAt, this.#endsAt, this.#expiresAt))
  }

  /** Asks an end that was silent whether it is there. @param code said to the other end where it is not */
  #ask(end: End, code: number): void {
    const { received, answers } = end.from
    const talks = received !== end.heard
    if (talks || answers !== end.answers) end.unanswered = 0
    end.heard = received
    end.answers = answers
    if (talks) return
    if (this.#payload !== null && end.to.following && !end.from.blocked && !end.from.ended) {
      // An end that we do not read cannot be heard.
      if (end.unanswered >= UNANSWERED) {
        this.close(code, 'no answer to pings')
        return
      }
      end.from.expect(this.#payload)
      end.to.ping(controlFrame(PING, this.#payload, end.masked))
    }
  }

  // --- goodbye -----------------------------------------------------------------------------------------------

  #goodbye(code: number, reason: string): void {
    this.#phase = 'closing'
    this.#note('outrigger', code)
    this.#wheel.schedule(this.#timer, ANSWER_MS)
    this.down.close(closeFrame(code, reason, false))
    this.up.close(closeFrame(code, reason, true))
  }

  #note(side: CloseSide, code: number): void {
    const exchange = this.#exchange
    if (exchange.closedBy !== '') return
    exchange.closedBy = side
    exchange.closeCode = code
  }

  /** An end has answered, or gone. Where both have, nothing is waited for. */
  #answered(): void {
    const { up, down } = this
    if ((up.peerClosed || up.ended) && (down.peerClosed || down.ended)) this.#finish()
  }

  #stopWaiting(): void {
    // A frame that is under way has no gap for ours yet.
    if (!this.up.following && !this.down.following) this.#finish()
    else if (this.#patient) this.#wheel.schedule(this.#timer, ANSWER_MS)
    else this.#cut(new ProxyError('stream_timeout', '', { cause: 'in the middle of a frame' }))
  }

  /** Closes both connections from our side. */
  #finish(): void {
    this.#phase = 'ending'
    this.#wheel.schedule(this.#timer, ANSWER_MS)
    this.down.finish()
    this.up.finish()
  }

  /** Who has not closed its connection, although it was told to. */
  #unended(): ProxyError {
    return new ProxyError(this.up.ended ? 'upstream_aborted' : 'client_gone', '', { cause: 'no end' })
  }

  #cut(error: ProxyError): void {
    if (this.#phase === 'over') return
    this.end()
    this.#exchange.responder.abort(error)
  }
}

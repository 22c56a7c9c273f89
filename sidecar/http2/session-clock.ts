import { ProxyError } from '../exchange/proxy-error.ts'
import type { Channel } from '../runtime/channel.ts'
import { LINGER_MS } from '../runtime/lingering.ts'
import { Timer, type TimerOwner } from '../runtime/timer-wheel.ts'
import { CANCEL, ENHANCE_YOUR_CALM, NO_ERROR, SETTINGS_TIMEOUT } from './frames.ts'
import { gone } from './session-errors.ts'
import type { Output } from './output.ts'
import type { SessionParts } from './session-settings.ts'
import type { StreamEnds } from './stream-ends.ts'
import type { StreamTable } from './stream-table.ts'

/** How often a session with something to watch is looked at, in milliseconds. */
const INTERVAL = 1000

/** The session that they belong to. */
export interface TimedSession {
  readonly side: 'server' | 'client'
  readonly parts: SessionParts
  readonly channel: Channel
  readonly output: Output
  readonly table: StreamTable
  readonly ends: StreamEnds
  readonly goingAway: { step(now: number): void }
  readonly settled: boolean
  readonly over: boolean
  readonly streams: number
  /** Whether a header block is under way, or a frame that is not told before it is whole. */
  readonly inHead: boolean
  /** How many frames and header blocks came. */
  readonly frames: number
  /** Whether nothing is under way beside streams. */
  readonly quiet: boolean
  creditNow(): void
  goaway(code: number): void
  fail(code: number, cause: string): void
  destroy(error: ProxyError): void
}

/** The clocks of a session, all on one timer: looked at once a second while there is something to watch. */
export class SessionClock implements TimerOwner {
  readonly #session: TimedSession
  readonly #timer = new Timer(this)
  readonly #startedAt: number
  readonly #endsAt: number
  /** Since when there is no stream. */
  idleSince: number
  /** Since when a frame that must come at once is under way: a header block. 0: none is. */
  #headSince = 0
  /** How many frames had come by then: with another one it is not the same that is under way. */
  #headAfter = 0
  #delivered = 0
  #deliveredAt = 0

  constructor(session: TimedSession) {
    const { wheel, clocks } = session.parts
    this.#session = session
    this.#startedAt = this.idleSince = wheel.now()
    // Ten per cent either way, so that sessions that were opened together do not all end together.
    this.#endsAt = clocks.age === null ? Infinity : this.#startedAt + clocks.age * (0.9 + Math.random() * 0.2)
    wheel.schedule(this.#timer, Math.min(INTERVAL, clocks.head))
  }

  /** There is something to watch. */
  wake(): void {
    const { wheel } = this.#session.parts
    if (this.#timer.deadline - wheel.tickEnd > INTERVAL) wheel.schedule(this.#timer, INTERVAL)
  }

  /** The session reads on for a while, and then is gone. */
  linger(): void {
    this.#session.parts.wheel.schedule(this.#timer, LINGER_MS)
  }

  stop(): void {
    this.#session.parts.wheel.remove(this.#timer)
  }

  onTimer(): void {
    const session = this.#session
    const { wheel } = session.parts
    const now = wheel.now()
    if (session.over) {
      if (this.#taken(now)) this.linger()
      else session.channel.destroy()
      return
    }
    this.#look(now)
    if (session.over || this.#timer.deadline !== Infinity) return
    // Nothing to watch: until it has been idle for long enough, or is too old.
    const { keepAlive } = session.parts.clocks
    const idle = session.streams === 0 && session.quiet
    const until = idle ? Math.min(this.idleSince + keepAlive, this.#endsAt) - now : INTERVAL
    wheel.schedule(this.#timer, Math.max(until, 1))
  }

  #look(now: number): void {
    const session = this.#session
    const { clocks } = session.parts
    if (!session.settled && now - this.#startedAt >= clocks.head)
      return session.fail(SETTINGS_TIMEOUT, 'no SETTINGS')
    if (!session.inHead) this.#headSince = 0
    else if (this.#headSince === 0 || this.#headAfter !== session.frames) {
      this.#headSince = now
      this.#headAfter = session.frames
    } else if (now - this.#headSince >= clocks.head)
      return session.fail(ENHANCE_YOUR_CALM, 'a header block takes too long')
    if (session.output.backlog > 0 && !this.#taken(now))
      return session.destroy(
        new ProxyError(session.side === 'server' ? 'client_gone' : 'upstream_idle', '', {
          cause: 'write idle',
        }),
      )
    for (const stream of session.table.all()) {
      if (stream.closed) continue
      if (stream.stalled && (now - stream.sentAt >= clocks.writeIdle || (this.#short && stream.dripping)))
        session.ends.reset(stream, CANCEL, gone(stream, 'write idle'), true)
      else stream.owner.onSecond()
      if (session.over) return
    }
    session.creditNow()
    if (now >= this.#endsAt) session.goaway(NO_ERROR)
    else if (session.streams === 0 && now - this.idleSince >= clocks.keepAlive) session.goaway(NO_ERROR)
    if (!session.over) session.goingAway.step(now)
  }

  /** Whether memory is short, so that nothing is held for clients that hardly read. What services take is a matter of exchanges. */
  get #short(): boolean {
    const { side, parts } = this.#session
    return side === 'server' && !parts.budget.roomy
  }

  /** Whether the peer took some of what waits for it, not too long ago. */
  #taken(now: number): boolean {
    const { channel, output, parts } = this.#session
    if (output.backlog === 0) return !this.#session.over
    const { delivered } = channel
    if (delivered !== this.#delivered || this.#deliveredAt === 0) this.#deliveredAt = now
    this.#delivered = delivered
    return now - this.#deliveredAt < parts.clocks.writeIdle
  }
}

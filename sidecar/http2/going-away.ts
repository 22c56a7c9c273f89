import { writeGoaway, writePing } from './control-frames.ts'
import { MAX_WINDOW, NO_ERROR } from './frames.ts'
import type { Output } from './output.ts'

/** How long the last requests of a client that has not heard of our GOAWAY are waited for, where it answers no PING. */
const ROUND_TRIP_MS = 1000
/** The payload of the PING that measures it. */
const MARK = Buffer.from('goaway..', 'latin1')

/** The session that goes. */
export interface LeavingSession {
  readonly side: 'server' | 'client'
  readonly settled: boolean
  readonly output: Output
  readonly table: { readonly lastTaken: number }
  /** Closes where no stream is left. */
  closeIfDone(): void
}

/**
 * How a session ends without losing a request (RFC 9113 section 6.8). A server says GOAWAY twice: first that it will go,
 * with the highest id there is, and a round trip later, when the client has heard it, with the last stream that it takes.
 */
export class GoingAway {
  /** Whether we have said so, so that nothing new begins on our side. */
  begun = false
  /** Whether streams that begin now are left out. */
  refusing = false
  readonly #session: LeavingSession
  #until = Infinity

  constructor(session: LeavingSession) {
    this.#session = session
  }

  /** Whether the second step is still to come. */
  get waiting(): boolean {
    return this.#until !== Infinity
  }

  begin(code: number, now: number): void {
    const { side, settled, output } = this.#session
    if (this.refusing) return
    if (side === 'server' && code === NO_ERROR && settled) {
      if (this.begun) return
      this.begun = true
      this.#until = now + ROUND_TRIP_MS
      writeGoaway(output, MAX_WINDOW, NO_ERROR, '')
      writePing(output, false, MARK, 0)
      return
    }
    this.begun = true
    this.#refuse(code)
  }

  /** A PING was answered. */
  pong(payload: Buffer, start: number): void {
    if (this.waiting && payload.compare(MARK, 0, MARK.length, start, start + MARK.length) === 0)
      this.#refuse(NO_ERROR)
  }

  /** Time went by. */
  step(now: number): void {
    if (now >= this.#until) this.#refuse(NO_ERROR)
  }

  #refuse(code: number): void {
    const session = this.#session
    this.#until = Infinity
    this.refusing = true
    writeGoaway(session.output, session.table.lastTaken, code, '')
    session.closeIfDone()
  }
}

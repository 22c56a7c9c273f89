import type { ProxyError } from '../exchange/proxy-error.ts'
import { CANCEL, ENHANCE_YOUR_CALM, INTERNAL_ERROR, NO_ERROR, RST_STREAM } from './frames.ts'
import { leftOut, NO_STREAM_OWNER, resetByPeer, violation } from './session-errors.ts'
import type { SessionOwner } from './session-owner.ts'
import type { StreamHome } from './stream-home.ts'
import type { StreamTable } from './stream-table.ts'
import type { Ending } from './closed-streams.ts'
import { Stream } from './stream.ts'

/** The session whose streams they are. */
export interface StreamsHome extends StreamHome<Stream> {
  readonly owner: SessionOwner
  readonly table: StreamTable
  readonly clock: { wake(): void }
  readonly over: boolean
  /** A stream is gone. */
  onStreamGone(): void
  fail(code: number, cause: string): void
}

/** How the streams of a session begin and end, and who hears of it. */
export class StreamEnds {
  readonly #session: StreamsHome

  constructor(session: StreamsHome) {
    this.#session = session
  }

  /** Server: the peer begins a stream. */
  accept(id: number): Stream {
    const session = this.#session
    const stream = new Stream(session, id, NO_STREAM_OWNER)
    session.table.add(stream)
    session.clock.wake()
    stream.owner = session.owner.onStream(stream)
    return stream
  }

  /** Both messages of a stream are complete. */
  finish(stream: Stream): void {
    stream.closed = true
    this.#remove(stream, 'ended')
    this.#session.limits.ended()
    stream.owner.onClosed()
    this.#session.onStreamGone()
  }

  /** What a stream sends will never be complete. */
  breakOff(stream: Stream, error: ProxyError): void {
    this.reset(stream, this.#session.side === 'server' ? INTERNAL_ERROR : CANCEL, error, true)
  }

  /** The peer broke the rules on a stream. */
  violate(stream: Stream, code: number, cause: string): void {
    this.reset(stream, code, violation(this.#session.side, code, cause), true)
  }

  /**
   * Resets a stream.
   * @param error for both bodies
   * @param tell whether the owner hears it
   */
  reset(stream: Stream, code: number, error: ProxyError, tell: boolean): void {
    const session = this.#session
    if (stream.closed || session.over) return
    this.#remove(stream, 'ours')
    if (stream.id !== 0) session.output.wordFrame(RST_STREAM, stream.id, code)
    if (stream.id !== 0 && session.side === 'client')
      session.limits.resetByUs(session.now, session.now - stream.openedAt)
    stream.fail(error, tell)
    // What is our own doing is not held against the peer.
    const ours =
      code === NO_ERROR || code === INTERNAL_ERROR || (session.side === 'client' && code === CANCEL)
    if (!ours) this.#count(stream)
    session.onStreamGone()
  }

  /** The peer reset a stream. */
  takeReset(stream: Stream, code: number): void {
    const session = this.#session
    this.#remove(stream, 'theirs')
    const error = resetByPeer(stream, code)
    // A response that is complete stands, whatever becomes of its request (RFC 9113 section 8.1).
    const stands = session.side === 'client' ? stream.received : stream.sent
    stream.fail(error, !stands, this.#answered(stream))
    if (stands) stream.owner.onClosed()
    if (session.side === 'server') this.#count(stream)
    session.onStreamGone()
  }

  /** Client: a GOAWAY names the last stream that was taken. */
  leaveOut(lastId: number, code: number): void {
    for (const stream of this.#session.table.all())
      if (stream.id > lastId && !stream.closed) {
        this.#remove(stream, 'theirs')
        stream.fail(leftOut(stream, code), true)
      }
  }

  /** The session is over. */
  failAll(error: (stream: Stream) => ProxyError): void {
    for (const stream of this.#session.table.all()) {
      if (stream.closed) continue
      this.#remove(stream, 'ours')
      stream.fail(error(stream), true, this.#answered(stream))
    }
  }

  /** Client: whether all of the response is here. */
  #answered(stream: Stream): boolean {
    return this.#session.side === 'client' && stream.received
  }

  #remove(stream: Stream, ending: Exclude<Ending, 'unknown'>): void {
    const { table } = this.#session
    table.remove(stream)
    if (stream.id !== 0) table.closed.note(stream.id, ending)
  }

  #count(stream: Stream): void {
    const session = this.#session
    if (!session.limits.reset(session.now, session.now - stream.openedAt))
      session.fail(ENHANCE_YOUR_CALM, 'too many resets')
  }
}

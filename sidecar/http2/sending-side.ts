import type { BodySink, BodySource } from '../exchange/body.ts'
import type { HeaderList } from '../exchange/headers.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import type { ByteQueue } from './byte-queue.ts'
import { DATA, END_STREAM, FRAME_HEADER, MAX_FRAME } from './frames.ts'
import type { Sender } from './scheduler.ts'
import type { SendingHome } from './stream-home.ts'
import type { StreamOwner } from './stream-owner.ts'

/** A reader slower than this on average, over at least this time, drips: the measure of uploads (security row 43). */
const DRIPPING_BYTES_PER_SECOND = 1024
const DRIPPING_MS = 10_000

/**
 * What a stream sends: header blocks, and a body of which it is the sink. Bytes are written at once where the windows and
 * the output have room and nobody waits; else they wait for their turn (`Scheduler`), and the source is stopped. The end
 * rides on the last frame wherever that has not been written yet.
 */
export abstract class SendingSide implements BodySink, Sender {
  protected readonly session: SendingHome
  /** Client: 0 until the first header block is sent. */
  id: number
  /** Who speaks HTTP over it. */
  owner: StreamOwner
  /** Whether it is over. */
  closed = false
  /** Body bytes that were given to the output. */
  bytesOut = 0
  /** When a byte of a body moved last, either way, and when one was sent: ticks of the wheel. */
  movedAt: number
  sentAt: number
  /** Since when bytes wait, and how many had been sent by then. */
  #stalledAt = 0
  #stalledFrom = 0
  /** How many frames had come over the session when its head was written. */
  framesBefore = 0
  /** What the peer's window allows. */
  sendWindow: number
  /** The scheduler's: whether it stands among those that wait, and before whom. */
  queued = false
  next: Sender | null = null
  /** Whether the end of our message was given to the output. */
  sent = false
  #source: BodySource | null = null
  /** Bytes that the body has to have, or -1, and those it had. */
  #declared = -1
  #accepted = 0
  #waiting: ByteQueue | null = null
  /** The source ended; what follows the bytes that wait. */
  #ending = false
  #trailers: HeaderList | null = null
  #guarded: readonly string[] | null = null
  /** Where the flags of our last frame stand in the output, while it is in this epoch. */
  #flagsAt = 0
  #epoch = -1

  constructor(session: SendingHome, id: number, owner: StreamOwner) {
    this.session = session
    this.id = id
    this.owner = owner
    this.movedAt = this.sentAt = session.now
    this.sendWindow = session.peer.initialWindow
  }

  /** Whether bytes wait that the peer, or its window, does not take. */
  get stalled(): boolean {
    return this.#waiting !== null && this.#waiting.length > 0
  }

  /** Whether what waits goes out so slowly, on average since it has to wait, that it is held for no good reason. */
  get dripping(): boolean {
    const waited = this.session.now - this.#stalledAt
    if (!this.stalled || waited < DRIPPING_MS) return false
    return (this.bytesOut - this.#stalledFrom) * 1000 < waited * DRIPPING_BYTES_PER_SECOND
  }

  /**
   * Sends a header block: pseudo fields first, names in lower case, values byte strings.
   * @param end nothing follows
   * @param guarded names that no hop may put into its table, here and in the trailers; null: none
   */
  headers(list: HeaderList, end: boolean, guarded: readonly string[] | null = null): void {
    if (this.closed || this.sent) return
    const { session } = this
    if (this.id === 0) this.id = this.nextId()
    this.framesBefore = session.frames
    this.#guarded = guarded
    this.#flagsAt = session.writeBlock(this.id, list, end ? END_STREAM : 0, guarded)
    this.#epoch = session.output.epoch
    if (end) this.#finish()
  }

  /**
   * Sends a body and its trailers behind the header block. Where it aborts, the stream is reset (server: INTERNAL_ERROR,
   * client: CANCEL) and `onReset` told.
   */
  pump(body: BodySource): void {
    if (this.closed || this.sent) {
      body.abort(new ProxyError('internal', '', { cause: 'stream over' }))
      return
    }
    this.#source = body
    this.#declared = typeof body.length === 'number' ? body.length : -1
    body.start(this)
  }

  chunk(bytes: Buffer, owned: boolean): boolean {
    const { session } = this
    const { length } = bytes
    if (this.#source === null || this.closed || length === 0) {
      if (owned) session.channel.buffers.release(bytes)
      return true
    }
    this.#accepted += length
    if (this.#declared >= 0 && this.#accepted > this.#declared) {
      if (owned) session.channel.buffers.release(bytes)
      this.#lied()
      return true
    }
    let at = 0
    if (!this.stalled) {
      const allowed = session.scheduler.allows(this, length)
      while (at < allowed) {
        const frame = Math.min(allowed - at, MAX_FRAME)
        this.#begin(frame)
        const { output } = session
        bytes.copy(output.buffer, output.at, at, at + frame)
        output.at += frame
        at += frame
      }
      if (at === length) {
        if (owned) session.channel.buffers.release(bytes)
        return true
      }
      this.sentAt = this.#stalledAt = session.now
      this.#stalledFrom = this.bytesOut
    }
    this.#waiting ??= session.newQueue()
    if (owned) this.#waiting.keep(bytes, at)
    else this.#waiting.copy(bytes, at, length)
    if (this.sendWindow > 0) session.scheduler.add(this)
    return false
  }

  end(trailers: HeaderList | null): void {
    if (this.#source === null || this.closed) return
    if (this.#declared >= 0 && this.#accepted !== this.#declared) return this.#lied()
    this.#source = null
    this.#ending = true
    this.#trailers = trailers
    if (!this.stalled) this.#writeEnd()
  }

  abort(error: ProxyError): void {
    if (this.#source === null || this.closed) return
    this.#source = null
    this.onBroken(error)
  }

  /** The scheduler's: so many of the bytes that wait may go. */
  sendWaiting(most: number): void {
    const waiting = this.#waiting as ByteQueue // a stream waits for its turn with bytes
    this.#begin(Math.min(most, waiting.length))
    const { output, scheduler } = this.session
    output.at += waiting.take(output.buffer, output.at, most)
    if (waiting.length > 0) {
      if (this.sendWindow > 0) scheduler.add(this)
    } else if (this.#ending) this.#writeEnd()
    else this.#source?.resume()
  }

  /** The peer gave credit, or changed what every stream begins with. */
  widen(increment: number): void {
    this.sendWindow += increment
    if (this.sendWindow > 0 && this.stalled) this.session.scheduler.add(this)
  }

  /** Nothing is sent any more. @param error for the source, which stops */
  protected stopSending(error: ProxyError): void {
    this.#waiting?.clear()
    const source = this.#source
    this.#source = null
    source?.abort(error)
  }

  /** Client: the id of the stream, asked for with its first header block. */
  protected abstract nextId(): number
  /** The end of our message was given to the output. */
  protected abstract onSent(): void
  /** Our message will never be complete. */
  protected abstract onBroken(error: ProxyError): void

  /** Begins a DATA frame; its bytes follow in the output. */
  #begin(length: number): void {
    const { output, scheduler, limits, now } = this.session
    output.reserve(FRAME_HEADER + length)
    this.#flagsAt = output.at + 4
    this.#epoch = output.epoch
    output.header(length, DATA, 0, this.id)
    scheduler.window -= length
    this.sendWindow -= length
    this.bytesOut += length
    this.movedAt = this.sentAt = now
    limits.data()
  }

  #writeEnd(): void {
    const { session } = this
    const { output } = session
    const trailers = this.#trailers
    this.#trailers = null
    if (trailers !== null && trailers.length > 0)
      session.writeBlock(this.id, trailers, END_STREAM, this.#guarded)
    else if (this.#epoch === output.epoch) {
      // `#flagsAt` is where our own frame put its flags.
      output.buffer[this.#flagsAt] = (output.buffer[this.#flagsAt] as number) | END_STREAM
    } else {
      output.reserve(FRAME_HEADER)
      output.header(0, DATA, END_STREAM, this.id)
    }
    this.#finish()
  }

  #finish(): void {
    this.sent = true
    this.owner.onSent()
    if (!this.closed) this.onSent()
  }

  /** The body has not the length that its head says. */
  #lied(): void {
    const error = new ProxyError('internal', 'body length')
    const source = this.#source
    this.#source = null
    source?.abort(error)
    if (!this.closed) this.onBroken(error)
  }
}

import type { BodyLength, BodySink, BodySource } from '../exchange/body.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import type { Channel } from '../runtime/channel.ts'
import { ChunkedDecoder } from './body-decoder.ts'
import type { Framing } from './message.ts'

/** What a connection hears of the body it is receiving. */
export interface BodyReaderOwner {
  /** The last byte of the body was read and passed on. */
  onBodyComplete(): void
  /** The body's framing is broken: the connection must not be used again. */
  onBodyBroken(error: ProxyError): void
  /** The taker gave up. The rest of the body is on its way all the same. */
  onBodyAbandoned(): void
  /** Bytes that were kept with a body nobody had taken yet, and that lie behind its end. They are the owner's. */
  onBytesBehind(bytes: Buffer): void
}

/**
 * The receiving side of one connection's bodies, one message after the other: finds the body's end by its framing
 * (RFC 9112 section 6) and passes the bytes on as they arrived. One object a connection, none a message.
 */
export class BodyReader implements BodySource {
  length: BodyLength = 'none'
  /** Bytes of the current body that arrived, framing not counted. */
  received = 0
  /** How many bytes the current body may have. */
  limit = Infinity
  readonly #channel: Channel
  readonly #owner: BodyReaderOwner
  readonly #side: 'request' | 'response'
  #framing: Framing = 'none'
  #remaining = 0
  #decoder: ChunkedDecoder | null = null
  #sink: BodySink | null = null
  #state: 'waiting' | 'flowing' | 'discarding' | 'complete' | 'failed' = 'complete'
  /** What came before anybody asked for it: a part of the callback's buffer, or a copy of it. */
  #pending: Buffer | null = null
  #pendingStart = 0
  #pendingEnd = 0
  /** Whether `#pending` is a copy, so that nobody but us knows of it. */
  #retained = false
  #passing = false
  /** The taker wants no more for now. */
  #stopped = false
  /** What came after that, not yet looked at: a part of a buffer of the pool. */
  #held: Buffer | null = null
  #endAfterHeld = false
  /** The buffer that is being passed on, for the decoder's slices. */
  #owned = false

  constructor(channel: Channel, side: 'request' | 'response', owner: BodyReaderOwner) {
    this.#channel = channel
    this.#side = side
    this.#owner = owner
  }

  /** Whether the body is over: read to its end, or not there. */
  get complete(): boolean {
    return this.#state === 'complete'
  }

  /** Whether somebody takes the body, so that its clock runs. */
  get started(): boolean {
    return this.#state === 'flowing'
  }

  /** Whether its taker wants no more for now, so that it is not the sender who is slow. */
  get stopped(): boolean {
    return this.#stopped
  }

  /** How many bytes of a body of known length are still to come, else Infinity. */
  get remaining(): number {
    if (this.#state === 'complete') return 0
    return typeof this.#framing === 'number' ? this.#remaining : Infinity
  }

  /**
   * A head is complete; its body begins at `buffer[start..end)`.
   * @param declared a length that the head states without a body following it (HEAD, 304)
   */
  begin(framing: Framing, buffer: Buffer, start: number, end: number, declared: BodyLength = 'none'): void {
    this.#framing = framing
    this.#sink = null
    this.#dropHeld()
    this.received = 0
    this.limit = Infinity
    this.#pending = buffer
    this.#pendingStart = start
    this.#pendingEnd = end
    this.#retained = false
    this.#state = framing === 'none' || framing === 0 ? 'complete' : 'waiting'
    if (typeof framing === 'number') {
      this.#remaining = framing
      this.length = framing
      return
    }
    this.length = framing === 'none' ? declared : 'unknown'
    if (framing !== 'chunked') return
    if (this.#decoder === null) this.#decoder = new ChunkedDecoder(this.#side)
    else this.#decoder.reset()
  }

  /**
   * The callback that brought the head is over. What nobody took yet is copied, and the socket read no further.
   * @returns the bytes after the body's end (a pipelined message), or null
   */
  retainPending(): Buffer | null {
    const pending = this.#pending
    if (pending === null) return null
    if (this.#state === 'waiting') {
      this.#channel.pause()
      this.#retained = true
      this.#pending = Buffer.from(pending.subarray(this.#pendingStart, this.#pendingEnd))
      this.#pendingStart = 0
      this.#pendingEnd = this.#pending.length
      return null
    }
    this.#pending = null
    if (this.#state === 'complete' && this.#pendingStart < this.#pendingEnd) {
      return Buffer.from(pending.subarray(this.#pendingStart, this.#pendingEnd))
    }
    return null
  }

  start(sink: BodySink): void {
    if (this.#state === 'complete') {
      sink.end(null)
      return
    }
    if (this.#state !== 'waiting') {
      sink.abort(new ProxyError(this.#side === 'request' ? 'body_aborted' : 'upstream_aborted'))
      return
    }
    this.#state = 'flowing'
    this.#sink = sink
    this.#channel.stream()
    // First, so that a taker which wants no more after what is there can stop it.
    this.#channel.resume()
    this.#passPending()
  }

  resume(): void {
    if (this.#state !== 'flowing') return
    this.#stopped = false
    this.#passHeld()
    if (this.#state === 'flowing') this.#channel.resume()
  }

  abort(): void {
    if (this.#state !== 'flowing' && this.#state !== 'waiting') return
    this.#state = 'discarding'
    this.#sink = null
    this.#stopped = false
    this.#owner.onBodyAbandoned()
  }

  /** Reads the rest and throws it away, so that the connection may be used again. */
  discard(): void {
    if (this.#state === 'complete' || this.#state === 'failed') return
    this.#state = 'discarding'
    this.#sink = null
    this.#stopped = false
    this.#passHeld()
    this.#passPending()
    this.#channel.resume()
  }

  /** Passes what came before anybody asked; what of it lies behind the body's end is the owner's. */
  #passPending(): void {
    const pending = this.#pending
    if (pending === null || this.#pendingStart >= this.#pendingEnd) return
    this.#pass(pending, this.#pendingStart, this.#pendingEnd, false)
    // In the callback that brought the head, its caller asks for the rest.
    if (!this.#retained || this.#pending !== pending) return
    this.#retained = false
    this.#pending = null
    if (this.#state === 'complete' && this.#pendingStart < this.#pendingEnd)
      this.#owner.onBytesBehind(pending.subarray(this.#pendingStart, this.#pendingEnd))
  }

  /**
   * Bytes came while the body was under way.
   * @returns the offset after the body's end, or `end` where it goes on
   */
  push(buffer: Buffer, start: number, end: number): number {
    if (this.#stopped && this.#hold(buffer, start, end)) return end
    this.#passHeld()
    if (this.complete) return start
    this.#pending = buffer
    this.#pass(buffer, start, end, buffer !== this.#channel.buffers.shared)
    const next = this.#pendingStart
    this.#pending = null
    return this.#state === 'complete' ? next : end
  }

  /** The peer's FIN: the end of a close-delimited body, and a break in any other. */
  finish(): void {
    if (this.#state === 'complete' || this.#state === 'failed') return
    if (this.#held !== null) {
      this.#endAfterHeld = true
      return
    }
    if (this.#framing === 'close') {
      this.#complete(null)
      return
    }
    this.fail(new ProxyError(this.#side === 'request' ? 'body_aborted' : 'upstream_aborted'))
  }

  /** The body will not be completed: the connection broke, or a clock ran out. */
  fail(error: ProxyError): void {
    if (this.#state === 'complete' || this.#state === 'failed') return
    this.#state = 'failed'
    this.#pending = null
    this.#dropHeld()
    const sink = this.#sink
    this.#sink = null
    sink?.abort(error)
  }

  /** Passes what lies in `buffer[start..end)` to the sink, up to the body's end. */
  #pass(buffer: Buffer, start: number, end: number, owned: boolean): void {
    if (this.#passing) return
    this.#passing = true
    if (this.#framing === 'chunked') {
      this.#passChunked(buffer, start, end, owned)
    } else {
      let stop = end
      if (typeof this.#framing === 'number') {
        stop = Math.min(end, start + this.#remaining)
        this.#remaining -= stop - start
      }
      this.#pendingStart = stop
      this.#deliver(start === 0 && stop === buffer.length ? buffer : buffer.subarray(start, stop), owned)
      if (this.#remaining === 0 && typeof this.#framing === 'number') this.#complete(null)
    }
    this.#passing = false
  }

  #passChunked(buffer: Buffer, start: number, end: number, owned: boolean): void {
    const decoder = this.#decoder as ChunkedDecoder // made in `begin` for this framing
    this.#owned = owned
    this.#pendingStart = decoder.decode(buffer, start, end, this)
    if (decoder.error !== null) {
      const error = decoder.error
      this.fail(error)
      this.#owner.onBodyBroken(error)
    } else if (decoder.done) {
      this.#complete(decoder.trailers)
    }
  }

  /** The decoder's sink. */
  data(bytes: Buffer): void {
    this.#deliver(bytes, this.#owned)
  }

  #deliver(bytes: Buffer, owned: boolean): void {
    this.received += bytes.length
    if (this.received > this.limit) {
      const error = new ProxyError('request_too_large')
      this.fail(error)
      this.#owner.onBodyBroken(error)
      return
    }
    const sink = this.#sink
    if (sink === null || bytes.length === 0) return
    if (owned) this.#channel.buffers.retain(bytes)
    if (sink.chunk(bytes, owned) || this.#state !== 'flowing') return
    // A client is read once more before it is stopped (docs/architecture.md, "Who owns a byte", rule 8): where it has sent
    // all that it had, we go on hearing whether it leaves.
    if (this.#side === 'request' && this.#framing !== 'close') this.#stopped = true
    else this.#channel.pause()
  }

  /** Keeps what came although the taker wants no more. @returns false where it cannot be kept without a copy */
  #hold(buffer: Buffer, start: number, end: number): boolean {
    this.#channel.pause()
    if (this.#held !== null || buffer === this.#channel.buffers.shared) return false
    const bytes = buffer.subarray(start, end)
    this.#channel.buffers.retain(bytes)
    this.#held = bytes
    return true
  }

  #passHeld(): void {
    const held = this.#held
    if (held === null) return
    this.#held = null
    this.#pending = held
    this.#pass(held, 0, held.length, true)
    const next = this.#pendingStart
    this.#pending = null
    const ended = this.#endAfterHeld
    this.#endAfterHeld = false
    // A copy is made of what lies behind, if anything does.
    if (this.#state === 'complete' && next < held.length) this.#owner.onBytesBehind(held.subarray(next))
    this.#channel.buffers.release(held)
    if (ended) this.finish()
  }

  #dropHeld(): void {
    this.#stopped = false
    this.#endAfterHeld = false
    const held = this.#held
    this.#held = null
    if (held !== null) this.#channel.buffers.release(held)
  }

  #complete(trailers: string[] | null): void {
    if (this.#state === 'failed') return
    this.#state = 'complete'
    this.#stopped = false
    this.#channel.settle()
    // The taker may have had enough for now; what it stopped is over, and a paused socket sees neither FIN nor RST.
    this.#channel.resume()
    const sink = this.#sink
    this.#sink = null
    sink?.end(trailers)
    this.#owner.onBodyComplete()
  }
}

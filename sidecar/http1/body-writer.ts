import type { BodySink, BodySource } from '../exchange/body.ts'
import type { HeaderList } from '../exchange/headers.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import type { Channel } from '../runtime/channel.ts'
import { chunkHead, lastChunk } from './head-writer.ts'
import type { Framing } from './message.ts'
import type { Ticks } from './outgoing.ts'

/** What a connection hears of the message it is sending. */
export interface BodyWriterOwner {
  /** The last byte was given to the socket. */
  onMessageWritten(): void
  /** The message will never be complete: the connection must close so that it does not look so. */
  onMessageBroken(error: ProxyError | null): void
  /** The socket takes no more for now: the clock for slow readers begins. */
  onWriteBlocked(): void
}

/** Bytes up to this many are written as part of a string: one write a message, and the memory is free at once. */
const SMALL = 4096
/** A held string is written out beyond this length. */
const HELD = 16_384

/**
 * The sending side of one connection's messages: the head, the body's framing (RFC 9112 section 6), and back-pressure.
 * One object a connection. The head is held back until the first bytes of the body are there or cannot be expected in
 * this turn, so that a small message is one write.
 */
export class BodyWriter implements BodySink {
  /** Bytes of the current body that were written, framing not counted. */
  sent = 0
  /** When bytes were written last, up to a tick of the wheel; 0 where nobody asks. */
  movedAt = 0
  readonly #channel: Channel
  readonly #owner: BodyWriterOwner
  readonly #ticks: Ticks | null
  #framing: Framing = 'none'
  #source: BodySource | null = null
  #held = ''
  #holding = false
  #blocked = false
  #active = false
  #unsent = false

  constructor(channel: Channel, owner: BodyWriterOwner, ticks: Ticks | null = null) {
    this.#channel = channel
    this.#owner = owner
    this.#ticks = ticks
  }

  /** Whether a message is under way. */
  get active(): boolean {
    return this.#active
  }

  /** Whether not even the head of the message is written yet. */
  get unsent(): boolean {
    return this.#unsent
  }

  /** Begins a message with its head; the body follows by `pump`. */
  begin(head: string, framing: Framing): void {
    this.#active = true
    this.#framing = framing
    this.#held = head
    this.#unsent = true
    this.#blocked = false
    this.sent = 0
  }

  /** Sends the body. What the source delivers at once goes out in one write with the head. */
  pump(source: BodySource): void {
    this.#source = source
    this.#holding = true
    source.start(this)
    this.#holding = false
    this.flush()
  }

  /** Writes out what is held back. */
  flush(): void {
    if (this.#held === '') return
    const text = this.#held
    this.#held = ''
    this.#unsent = false
    if (!this.#channel.write(text)) this.#block()
  }

  chunk(bytes: Buffer, owned: boolean): boolean {
    if (!this.#active || this.#framing === 'none') {
      if (owned) this.#channel.buffers.release(bytes)
      return true
    }
    this.sent += bytes.length
    if (this.#ticks !== null) this.movedAt = this.#ticks.tickEnd
    if (typeof this.#framing === 'number' && this.sent > this.#framing) {
      if (owned) this.#channel.buffers.release(bytes)
      this.#break(null)
      return true
    }
    if (bytes.length <= SMALL) this.#writeSmall(bytes, owned)
    else this.#writeLarge(bytes, owned)
    return !this.#blocked
  }

  end(trailers: HeaderList | null): void {
    if (!this.#active) return
    if (typeof this.#framing === 'number' && this.sent !== this.#framing) {
      this.#break(null)
      return
    }
    if (this.#framing === 'chunked') {
      this.#held += lastChunk(trailers)
    }
    this.flush()
    this.#active = false
    this.#source = null
    this.#owner.onMessageWritten()
  }

  abort(error: ProxyError): void {
    if (this.#active) this.#break(error)
  }

  /** The socket can take more. */
  onDrain(): void {
    if (!this.#blocked) return
    this.#blocked = false
    if (this.#ticks !== null) this.movedAt = this.#ticks.tickEnd
    this.#source?.resume()
  }

  /** The connection is gone, or the exchange over: the source must stop. */
  drop(error: ProxyError): void {
    if (!this.#active) return
    this.#active = false
    this.#held = ''
    const source = this.#source
    this.#source = null
    source?.abort(error)
  }

  #writeSmall(bytes: Buffer, owned: boolean): void {
    const text = bytes.toString('latin1')
    if (owned) this.#channel.buffers.release(bytes)
    const piece = this.#framing === 'chunked' ? chunkHead(bytes.length) + text + '\r\n' : text
    if (this.#holding) this.#hold(piece)
    else if (!this.#channel.write(piece)) this.#block()
  }

  #writeLarge(bytes: Buffer, owned: boolean): void {
    const channel = this.#channel
    const chunked = this.#framing === 'chunked'
    const head = chunked ? this.#held + chunkHead(bytes.length) : this.#held
    this.#held = ''
    this.#unsent = false
    if (head === '') {
      if (!channel.writeBytes(bytes, owned)) this.#block()
      return
    }
    channel.cork()
    channel.write(head)
    channel.writeBytes(bytes, owned)
    if (chunked) channel.write('\r\n')
    channel.uncork()
    if (channel.backlog > HELD * 4) this.#block()
  }

  #hold(text: string): void {
    this.#held += text
    if (this.#held.length > HELD) this.flush()
  }

  #block(): void {
    if (this.#blocked) return
    this.#blocked = true
    this.#owner.onWriteBlocked()
  }

  /** @param error what the source said; null where it broke its own word about the length */
  #break(error: ProxyError | null): void {
    this.#active = false
    this.#held = ''
    const source = this.#source
    this.#source = null
    if (error === null) source?.abort(new ProxyError('internal', 'body length'))
    this.#owner.onMessageBroken(error)
  }
}

import type { BodySource } from '../exchange/body.ts'
import type { ProxyError } from '../exchange/proxy-error.ts'
import { BodyReader, type BodyReaderOwner } from '../http1/body-reader.ts'
import { BodyWriter, type BodyWriterOwner } from '../http1/body-writer.ts'
import type { Channel, ChannelOwner } from '../runtime/channel.ts'

const NOTHING = Buffer.alloc(0)

/** What a leg tells whoever joins it with another. */
export interface LegOwner {
  /** All that is to go out here has gone, and FIN behind it. */
  onLegSent(): void
  /** The connection is gone. */
  onLegClosed(leg: Leg, code: string): void
}

/**
 * One end of a connection whose bytes pass as they are: what its peer sends is a body that others take, what they send
 * goes out here. Each direction ends by itself (FIN), and stops the other side where this one takes no more.
 */
export class Leg implements ChannelOwner, BodyReaderOwner, BodyWriterOwner {
  readonly reader: BodyReader
  /** Whether what is to go out has gone. */
  sent = false
  readonly #channel: Channel
  readonly #writer: BodyWriter
  readonly #owner: LegOwner
  #closed = false

  /**
   * Takes the channel over.
   * @param early what came from its peer before
   */
  constructor(channel: Channel, owner: LegOwner, early: Buffer = NOTHING) {
    this.#channel = channel
    this.#owner = owner
    this.reader = new BodyReader(channel, 'response', this)
    this.#writer = new BodyWriter(channel, this)
    this.reader.begin('close', early, 0, early.length)
    channel.owner = this
  }

  /** Bytes that passed here, both ways. */
  get moved(): number {
    return this.reader.received + this.#writer.sent
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Sends what another brings. */
  pump(source: BodySource): void {
    this.#writer.begin('', 'close')
    this.#writer.pump(source)
  }

  /** Ends both directions so that neither looks whole. */
  break(error: ProxyError): void {
    this.#writer.drop(error)
    this.reader.fail(error)
    if (!this.#closed) this.#channel.reset()
  }

  /** Closes now. */
  destroy(): void {
    if (!this.#closed) this.#channel.destroy()
  }

  onBytes(buffer: Buffer, length: number): void {
    this.reader.push(buffer, 0, length)
  }

  onEnd(): void {
    this.reader.finish()
  }

  onDrain(): void {
    this.#writer.onDrain()
  }

  onClose(code: string): void {
    this.#closed = true
    this.#owner.onLegClosed(this, code)
  }

  onMessageWritten(): void {
    this.sent = true
    this.#channel.end()
    this.#owner.onLegSent()
  }

  onMessageBroken(): void {
    // What is sent here was cut off at the other end, which says so to its owner.
    this.#channel.reset()
  }

  onBodyAbandoned(): void {
    this.#channel.reset()
  }

  onWriteBlocked(): void {}
  onBodyComplete(): void {}
  onBodyBroken(): void {}
  onBytesBehind(): void {}
}

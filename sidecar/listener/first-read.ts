import type { Peer } from '../exchange/exchange.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import { ServerConnection } from '../http1/server-connection.ts'
import type { ServerHost } from '../http1/server-host.ts'
import { PREFACE } from '../http2/frames.ts'
import { ServerSession, type SessionHost } from '../http2/server-session.ts'
import type { Channel, ChannelOwner } from '../runtime/channel.ts'
import { LINGER_MS, linger } from '../runtime/lingering.ts'
import { Timer, type TimerOwner } from '../runtime/timer-wheel.ts'
import { isForeignLine, unanswered } from './foreign-line.ts'

/** Where HTTP connections come in. */
export type HttpHost = ServerHost<HttpConnection> &
  SessionHost<HttpConnection> & {
    /** A connection has said what it speaks; what speaks it takes its place. */
    spoke(before: FirstRead, now: HttpConnection): void
  }

/** A client connection of an HTTP listener, whatever it speaks. */
export type HttpConnection = FirstRead | ServerConnection | ServerSession

const FIRST_OF_PREFACE = 0x50
/** How the methods of HTTP begin. */
const USUAL: ReadonlySet<number> = new Set(Buffer.from('GPHDOCT'))
/** How long a connection without any request is waited for when its listener drains. */
const FIRST_REQUEST_MS = 500

/**
 * A client connection that has not spoken yet. Its first bytes say which HTTP it is: those of the preface are HTTP/2,
 * everything else HTTP/1, at the first byte that differs. A connection that only stands there holds this and no codec.
 */
export class FirstRead implements ChannelOwner, TimerOwner {
  readonly #channel: Channel
  readonly #peer: Peer
  readonly #host: HttpHost
  readonly #either: boolean
  readonly #timer = new Timer(this)
  /** The beginning of a preface; null where nothing came. */
  #held: Buffer | null = null
  #closing = false

  /** @param either whether HTTP/2 may be spoken without having been agreed on: not on TLS (RFC 9113 section 3.2) */
  constructor(channel: Channel, peer: Peer, either: boolean, host: HttpHost) {
    this.#channel = channel
    this.#peer = peer
    this.#either = either
    this.#host = host
    channel.owner = this
    host.wheel.schedule(this.#timer, host.clocks.head)
    channel.start()
  }

  /** Whether nothing came. */
  get idle(): boolean {
    return this.#held === null
  }

  /** Its first request is on its way, and nobody else will get it; but it is not waited for long. */
  drain(): void {
    if (this.idle && !this.#closing) this.#host.wheel.schedule(this.#timer, FIRST_REQUEST_MS)
  }

  /** Closes it now. */
  destroy(): void {
    this.#channel.destroy()
  }

  onBytes(buffer: Buffer, length: number): void {
    if (this.#closing) return
    if (this.#held === null && !(this.#either && buffer[0] === FIRST_OF_PREFACE)) {
      if (!USUAL.has(buffer[0] as number) && isForeignLine(buffer, length)) this.#refuse()
      else this.#speak(this.#http1(), buffer, length)
      return
    }
    const came = buffer.subarray(0, length)
    const bytes = this.#held === null ? came : Buffer.concat([this.#held, came])
    const compared = Math.min(bytes.length, PREFACE.length)
    if (bytes.compare(PREFACE, 0, compared, 0, compared) !== 0) {
      this.#speak(this.#http1(), bytes, bytes.length)
    } else if (bytes.length < PREFACE.length) {
      this.#held = this.#held === null ? Buffer.from(bytes) : bytes
    } else {
      const session = new ServerSession(this.#channel, this.#peer, this.#host)
      this.#become(session)
      session.start(bytes)
    }
  }

  onEnd(): void {
    if (this.#held !== null) this.#asHttp1().onEnd()
    else {
      if (!this.#closing) this.#channel.end()
      this.#channel.destroy()
    }
  }

  onDrain(): void {}

  onClose(): void {
    this.#host.wheel.remove(this.#timer)
    this.#host.closed(this)
  }

  onTimer(): void {
    // A request of HTTP/1 may begin like the preface, and is then answered that it came too slowly.
    if (this.#held !== null) this.#asHttp1().onTimer()
    else if (this.#closing) this.#channel.destroy()
    else this.#close()
  }

  /** What came is no HTTP at all. */
  #refuse(): void {
    const host = this.#host
    host.refuse(
      unanswered(this.#peer, host.entry, host.wheel.now()),
      new ProxyError('bad_request', '', { cause: 'another protocol' }),
    )
    this.#close()
  }

  #close(): void {
    this.#closing = true
    if (linger(this.#channel, false, this.#host.lingering)) this.#host.wheel.schedule(this.#timer, LINGER_MS)
  }

  /** Gives what is held to HTTP/1, which knows what to say. */
  #asHttp1(): ServerConnection {
    const connection = this.#http1()
    const held = this.#held ?? Buffer.alloc(0)
    this.#speak(connection, held, held.length)
    return connection
  }

  #http1(): ServerConnection {
    return new ServerConnection(this.#channel, this.#peer, this.#host)
  }

  #speak(connection: ServerConnection, bytes: Buffer, length: number): void {
    this.#become(connection)
    connection.onBytes(bytes, length)
  }

  #become(connection: HttpConnection): void {
    this.#host.wheel.remove(this.#timer)
    this.#host.spoke(this, connection)
  }
}

import type { Exchange, Peer } from '../exchange/exchange.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import type { Channel, ChannelOwner } from '../runtime/channel.ts'
import { breakOff, linger, LINGER_MS } from '../runtime/lingering.ts'
import { Timer, type TimerOwner } from '../runtime/timer-wheel.ts'
import { BodyReader, type BodyReaderOwner } from './body-reader.ts'
import { ConnectionAge } from './connection-age.ts'
import { ConnectionWatch } from './connection-watch.ts'
import { CarriedBytes, type CarriedOwner } from './carried-bytes.ts'
import type { RequestHead } from './message.ts'
import { type ExchangeParts, openExchange } from './open-exchange.ts'
import { RequestHeads } from './request-heads.ts'
import type { ServerHost } from './server-host.ts'
import { type ResponseOwner, ServerResponse } from './server-response.ts'

/** A rest of a request body up to this length is read to keep the connection; a longer one closes it. */
const DRAIN = 65_536
/** How long a connection without any request is waited for when its listener drains. */
const FIRST_REQUEST_MS = 500

type Phase = 'head' | 'exchange' | 'closing' | 'closed'

/**
 * One client connection speaking HTTP/1.1 (RFC 9112): reads requests one at a time, in order, and writes each
 * response before it reads the next request. Also an upgraded tunnel, and the inside of a CONNECT.
 */
export class ServerConnection
  implements ChannelOwner, TimerOwner, BodyReaderOwner, ResponseOwner, CarriedOwner
{
  readonly #channel: Channel
  readonly #host: ServerHost<ServerConnection>
  readonly #parts: ExchangeParts
  readonly #heads = new RequestHeads()
  readonly #reader: BodyReader
  readonly #response: ServerResponse
  readonly #timer = new Timer(this)
  readonly #watch = new ConnectionWatch()
  readonly #age: ConnectionAge
  #phase: Phase = 'head'
  #exchange: Exchange | null = null
  #head: RequestHead | null = null
  /** What came behind a request while its response is awaited. */
  readonly #carry = new CarriedBytes(this)
  #ended = false
  #connectHost: string | null = null

  /** @param channel is read already: its first bytes are given to `onBytes` next */
  constructor(channel: Channel, peer: Peer, host: ServerHost<ServerConnection>) {
    this.#channel = channel
    this.#host = host
    this.#reader = new BodyReader(channel, 'request', this)
    this.#response = new ServerResponse(channel, host, this)
    this.#parts = { body: this.#reader, responder: this.#response, peer, entry: host.entry }
    this.#age = new ConnectionAge(host.wheel.now(), host.clocks.age)
    channel.owner = this
    host.wheel.schedule(this.#timer, host.clocks.head)
  }

  /** Whether no request is under way: such a connection may be closed by a drain. */
  get idle(): boolean {
    return this.#phase === 'head' && !this.#heads.partial
  }

  /** Closes an idle connection, and a busy one once its response is out. */
  drain(): void {
    this.#age.over = true
    if (this.idle && this.#age.requests > 0) this.#close()
    // Just accepted: its first request is on its way, and nobody else will get it.
    else if (this.idle) this.#host.wheel.schedule(this.#timer, FIRST_REQUEST_MS)
  }

  /** Closes whatever is under way. */
  destroy(): void {
    this.#channel.destroy()
  }

  onBytes(buffer: Buffer, length: number): void {
    if (this.#phase === 'head') {
      // What came behind the last request is read first, in a turn of its own: this comes behind that.
      if (this.#carry.empty) this.#readHead(buffer, 0, length)
      else this.#carryOn(buffer, 0, length)
    } else if (this.#phase === 'exchange') {
      const next = this.#reader.complete ? 0 : this.#reader.push(buffer, 0, length)
      if (next < length) this.#carryOn(buffer, next, length)
    }
    // Closing: what still comes is read, so that the client can finish writing and read its answer, and thrown away.
  }

  onEnd(): void {
    this.#ended = true
    if (this.#phase === 'closing') {
      // A client that has closed its side may still be reading.
      if (this.#channel.backlog === 0) this.#channel.destroy()
    } else if (this.#phase === 'head') {
      if (this.#carry.empty) this.#close()
    } else if (!this.#reader.complete) this.#reader.finish()
    // A complete request is still answered, but not for long where no answer has begun (see ConnectionWatch).
    else if (!this.#response.responded) this.#beginWatch()
  }

  onDrain(): void {
    this.#response.writer.onDrain()
  }

  onClose(code: string): void {
    this.#phase = 'closed'
    this.#host.wheel.remove(this.#timer)
    this.#heads.reset()
    const error = new ProxyError('client_gone', '', { cause: code })
    this.#reader.fail(error)
    this.#response.writer.drop(error)
    this.#finish(error)
    this.#host.closed(this)
  }

  #readHead(buffer: Buffer, start: number, end: number): void {
    const head = this.#heads.read(buffer, start, end, this.#host.limits)
    if (head === null) {
      // From its first byte a head has its own time, whatever was left of the idle time.
      if (!this.#watch.inHead) this.#host.wheel.schedule(this.#timer, this.#host.clocks.head)
      this.#watch.inHead = true
      return
    }
    this.#watch.inHead = false
    if (head instanceof ProxyError) this.#refuse(head)
    else this.#begin(head, buffer, this.#heads.next, end)
  }

  #begin(head: RequestHead, buffer: Buffer, start: number, end: number): void {
    this.#age.requests++
    // What stands behind a head without a body is the next request's.
    const bodyEnd = head.framing === 'none' || head.framing === 0 ? start : end
    this.#reader.begin(head.framing, buffer, start, bodyEnd)
    const exchange = this.#open(head)
    if (bodyEnd < end) this.#carryOn(buffer, bodyEnd, end)
    if (head.framing !== 'none') this.#beginWatch()
    this.#host.handle(exchange)
    // The exchange may already be over when this returns. A connection that closes reads on, whatever still comes.
    if (this.#phase === 'closing' || this.#phase === 'closed') return
    const rest = this.#reader.retainPending()
    if (rest !== null) this.#carryOn(rest, 0, rest.length)
  }

  /** What came is no request: it is answered all the same, and nothing more is read as one. */
  #refuse(error: ProxyError): void {
    this.#reader.begin('none', Buffer.alloc(0), 0, 0)
    this.#host.refuse(this.#open(null), error)
  }

  #open(head: RequestHead | null): Exchange {
    const wheel = this.#host.wheel
    this.#head = head
    this.#phase = 'exchange'
    wheel.schedule(this.#timer, Infinity)
    this.#response.begin(head)
    const exchange = openExchange(head, this.#parts, this.#connectHost, wheel.now())
    this.#exchange = exchange
    this.#response.attach(exchange)
    return exchange
  }

  /** Keeps bytes that belong to a later request, or drops them where there will be none. */
  #carryOn(buffer: Buffer, start: number, end: number): void {
    if (this.#phase === 'closing' || this.#phase === 'closed') return
    this.#carry.add(buffer, start, end)
    if (this.#phase !== 'exchange') this.#carry.later()
    if (this.#carry.full) this.#channel.pause()
  }

  onCarried(): void {
    if (this.#phase !== 'head' || this.#carry.empty) return
    const carry = this.#carry.take()
    this.#channel.resume()
    this.#readHead(carry, 0, carry.length)
    if (this.#ended && this.#phase === 'head' && this.#carry.empty) this.#close()
  }

  mayKeepAlive(continued: boolean, lastWord: boolean): boolean {
    const head = this.#head
    const host = this.#host
    if (head === null || !head.keepAlive || host.draining) return false
    // A client that has closed its side is answered what it had asked by then, and nothing else.
    if (this.#ended && this.#carry.empty) return false
    if (this.#age.spent(host.wheel.now(), host.limits.requestsPerConnection)) return false
    const { complete, started, remaining } = this.#reader
    if (complete || (started && !lastWord)) return true
    // Nobody will read the rest of the body but we. A client that waits for 100 may never send it.
    return remaining <= DRAIN && (!head.expectsContinue || continued || started)
  }

  limitBody(bytes: number): void {
    this.#reader.limit = bytes
  }

  openTunnel(): void {
    // What the client sent behind its head waited; now it belongs to the tunnel.
    const early = this.#carry.take()
    // A client that has closed its side already will send nothing else.
    this.#reader.begin(this.#ended ? early.length : 'close', early, 0, early.length)
  }

  enterConnect(host: string): void {
    this.#connectHost = host
    this.#next()
  }

  onResponseWritten(): void {
    if (this.#response.tunnelling) {
      this.#channel.end()
      if (this.#reader.complete) this.#finish(null)
      return
    }
    this.#finish(null)
    if (!this.#response.keepAlive || (!this.#reader.complete && this.#reader.remaining > DRAIN)) this.#close()
    else if (this.#reader.complete) this.#next()
    else this.#reader.discard()
  }

  onResponseBroken(error: ProxyError): void {
    this.#finish(error)
    this.#break()
  }

  onWriteBlocked(): void {
    this.#beginWatch()
  }

  onBodyComplete(): void {
    if (this.#response.tunnelling) {
      if (!this.#response.writer.active) this.#finish(null)
      return
    }
    // The response was out before the request was in.
    if (this.#phase === 'exchange' && this.#exchange === null) this.#next()
  }

  onBodyBroken(error: ProxyError): void {
    // Whoever takes the body has heard it and answers; where nobody does, there is nothing left to read.
    if (this.#exchange === null) {
      if (this.#phase !== 'closing') this.#break()
    } else if (!this.#response.responded) this.#host.refuse(this.#exchange, error)
  }

  onBytesBehind(bytes: Buffer): void {
    this.#carryOn(bytes, 0, bytes.length)
  }

  onBodyAbandoned(): void {
    // Decided when the response is out: the rest is drained, or the connection closes.
    this.#channel.resume()
  }

  #finish(error: ProxyError | null): void {
    const exchange = this.#exchange
    if (exchange === null) return
    this.#exchange = null
    this.#response.attach(null)
    exchange.bytesIn = this.#reader.received
    exchange.bytesOut = this.#response.writer.sent
    exchange.finish(error)
  }

  #next(): void {
    this.#finish(null)
    if (this.#phase !== 'exchange') return
    this.#head = null
    this.#heads.reset()
    this.#phase = 'head'
    this.#watch.reset()
    if (!this.#carry.empty) {
      this.#channel.resume()
      this.#carry.later()
      return
    }
    if (this.#ended || this.#age.over || this.#host.draining) return this.#close()
    this.#host.wheel.schedule(this.#timer, this.#host.clocks.keepAlive)
    this.#channel.resume()
  }

  /** Ends the connection so that what was written arrives: FIN, and what still comes is read for a while. */
  #close(): void {
    if (this.#phase === 'closing' || this.#phase === 'closed') return
    this.#phase = 'closing'
    this.#carry.take()
    if (!linger(this.#channel, this.#ended, this.#host.lingering)) return
    this.#watch.reset()
    this.#beginWatch(LINGER_MS)
  }

  /** Ends the connection so that what was written cannot be taken for a whole. */
  #break(): void {
    if (this.#phase === 'closed') return
    this.#phase = 'closing'
    breakOff(this.#channel, this.#response.endsWithConnection)
  }

  onTimer(): void {
    if (this.#phase === 'head') {
      if (this.#heads.partial) this.#refuse(new ProxyError('request_timeout'))
      else this.#close()
      return
    }
    if (this.#phase === 'closing') {
      const slow = this.#watch.slowReader(this.#channel, this.#host.clocks.writeIdle, LINGER_MS)
      if (slow) this.#beginWatch(LINGER_MS)
      else this.#channel.destroy()
      return
    }
    const error = this.#watch.check(this.#channel, this.#reader, this.#host.clocks, {
      tunnel: this.#response.tunnelling,
      halfClosed: this.#ended && !this.#response.responded,
    })
    if (error === null) this.#beginWatch()
    else if (error !== 'idle') this.#giveUp(error)
  }

  #giveUp(error: ProxyError): void {
    if (this.#response.responded || error.reason === 'client_gone') {
      this.onResponseBroken(error)
      return
    }
    // Whoever takes the body answers when it fails; where nobody took it yet, we do.
    this.#reader.fail(error)
    if (this.#exchange !== null && !this.#response.responded) this.#host.refuse(this.#exchange, error)
  }

  #beginWatch(delay = ConnectionWatch.INTERVAL): void {
    this.#host.wheel.schedule(this.#timer, delay)
  }
}

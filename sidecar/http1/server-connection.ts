import type { BodySource } from '../exchange/body.ts'
import { Exchange, type Peer, type Responder } from '../exchange/exchange.ts'
import { hasHeader, type HeaderList } from '../exchange/headers.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import type { Channel, ChannelOwner } from '../runtime/channel.ts'
import { Timer, type TimerOwner, type TimerWheel } from '../runtime/timer-wheel.ts'
import { BodyReader, type BodyReaderOwner } from './body-reader.ts'
import { BodyWriter, type BodyWriterOwner } from './body-writer.ts'
import { ConnectionWatch } from './connection-watch.ts'
import { HeadCollector } from './head-collector.ts'
import { parseRequestHead } from './head-parser.ts'
import { type DateHeader, writeResponseHead } from './head-writer.ts'
import type { Framing, RequestHead } from './message.ts'
import type { ListenerConnection, ListenerLimits } from './settings.ts'

/** What a client connection needs of where it came in. Read at each request, so that a reload takes effect at once. */
export interface ServerHost {
  /** The acceptor's key. */
  readonly entry: string
  readonly limits: ListenerLimits
  readonly clocks: ListenerConnection
  /** Whether responses announce that the connection will close. */
  readonly draining: boolean
  readonly wheel: TimerWheel
  readonly date: DateHeader
  /** A request is there. */
  handle(exchange: Exchange): void
  /** What came is no request: to be answered and logged. */
  refuse(exchange: Exchange, error: ProxyError): void
  /** The connection is gone. */
  closed(connection: ServerConnection): void
}

/** Pipelined bytes that are kept while a response is awaited; beyond them the socket is read no further. */
const CARRY = 16_384
/** A rest of a request body up to this length is read to keep the connection; a longer one closes it. */
const DRAIN = 65_536
/** How long a closing connection reads on, so that a client in the middle of writing still gets its answer. */
const LINGER_MS = 2000

type Phase = 'head' | 'exchange' | 'closing' | 'closed'

/**
 * One client connection speaking HTTP/1.1 (RFC 9112): reads requests one at a time, in order, and writes each
 * response before it reads the next request. Also an upgraded tunnel, and the inside of a CONNECT.
 */
export class ServerConnection
  implements ChannelOwner, TimerOwner, Responder, BodyReaderOwner, BodyWriterOwner
{
  readonly #channel: Channel
  readonly #host: ServerHost
  readonly #peer: Peer
  readonly #collector = new HeadCollector('request')
  readonly #reader: BodyReader
  readonly #writer: BodyWriter
  readonly #timer = new Timer(this)
  readonly #watch = new ConnectionWatch()
  readonly #openedAt: number
  #phase: Phase = 'head'
  #exchange: Exchange | null = null
  #head: RequestHead | null = null
  #responded = false
  #keepAlive = false
  #tunnelling = false
  #continued = false
  #requests = 0
  #age = Infinity
  #carry: Buffer | null = null
  #ended = false
  #connectHost: string | null = null

  constructor(channel: Channel, peer: Peer, host: ServerHost) {
    this.#channel = channel
    this.#host = host
    this.#peer = peer
    this.#reader = new BodyReader(channel, 'request', this)
    this.#writer = new BodyWriter(channel, this)
    this.#openedAt = host.wheel.now()
    const age = host.clocks.age
    // Ten per cent either way, so that connections opened together do not all close together.
    if (age !== null) this.#age = age * (0.9 + Math.random() * 0.2)
    channel.owner = this
    host.wheel.schedule(this.#timer, host.clocks.head)
    channel.start()
  }

  /** Whether no request is under way: such a connection may be closed by a drain. */
  get idle(): boolean {
    return this.#phase === 'head' && !this.#collector.partial
  }

  /** Closes an idle connection, and a busy one once its response is out. */
  drain(): void {
    if (this.idle) this.#close()
  }

  /** Closes whatever is under way. */
  destroy(): void {
    this.#channel.destroy()
  }

  // --- bytes -------------------------------------------------------------------------------------------------

  onBytes(buffer: Buffer, length: number): void {
    if (this.#phase === 'head') {
      this.#readHead(buffer, 0, length)
    } else if (this.#phase === 'exchange') {
      const next = this.#reader.complete ? 0 : this.#reader.push(buffer, 0, length)
      if (next < length) this.#carryOn(buffer, next, length)
    } else if (this.#phase === 'closing') {
      if (!this.#reader.complete) this.#reader.push(buffer, 0, length)
    }
  }

  onEnd(): void {
    this.#ended = true
    if (this.#phase === 'closing') this.#channel.destroy()
    else if (this.#phase === 'head') this.#close()
    else if (!this.#reader.complete) this.#reader.finish()
    // A complete request is still answered, but not for long where no answer has begun (see ConnectionWatch).
    else if (!this.#responded) this.#beginWatch()
  }

  onDrain(): void {
    this.#writer.onDrain()
  }

  onClose(code: string): void {
    this.#phase = 'closed'
    this.#host.wheel.remove(this.#timer)
    this.#collector.reset()
    const error = new ProxyError('client_gone', '', { cause: code })
    this.#reader.fail(error)
    this.#writer.drop(error)
    this.#finish(error)
    this.#host.closed(this)
  }

  #readHead(buffer: Buffer, start: number, end: number): void {
    const result = this.#collector.push(buffer, start, end, this.#host.limits)
    if (result === 'more') {
      // From its first byte a head has its own time, whatever was left of the idle time.
      if (!this.#watch.inHead) {
        this.#watch.inHead = true
        this.#host.wheel.schedule(this.#timer, this.#host.clocks.head)
      }
      return
    }
    this.#watch.inHead = false
    if (result === 'refused') {
      this.#refuse(this.#collector.error)
      return
    }
    const head = parseRequestHead(this.#collector.text, this.#host.limits)
    if (head instanceof ProxyError) this.#refuse(head)
    else this.#begin(head, buffer, this.#collector.next, end)
  }

  #begin(head: RequestHead, buffer: Buffer, start: number, end: number): void {
    const wheel = this.#host.wheel
    this.#head = head
    this.#phase = 'exchange'
    this.#responded = false
    this.#tunnelling = false
    this.#continued = false
    this.#requests++
    wheel.schedule(this.#timer, Infinity)
    this.#reader.begin(head.framing, buffer, start, end)
    const exchange = new Exchange({
      method: head.method,
      target: head.target,
      version: head.minor === 1 ? 'HTTP/1.1' : 'HTTP/1.0',
      headers: head.headers,
      body: this.#reader,
      tunnel: head.upgrade[0] ?? null,
      expectsContinue: head.expectsContinue,
      connectHost: this.#connectHost,
      peer: this.#peer,
      responder: this,
      entry: this.#host.entry,
      startedAt: wheel.now(),
    })
    this.#exchange = exchange
    if (head.framing !== 'none') this.#beginWatch()
    this.#host.handle(exchange)
    // The exchange may already be over, and the connection closed, when this returns.
    const rest = this.#reader.retainPending()
    if (rest !== null) this.#carryOn(rest, 0, rest.length)
  }

  /** Keeps bytes that belong to a later request, or drops them where there will be none. */
  #carryOn(buffer: Buffer, start: number, end: number): void {
    if (this.#phase === 'closing' || this.#phase === 'closed') return
    const bytes = buffer.subarray(start, end)
    this.#carry = this.#carry === null ? Buffer.from(bytes) : Buffer.concat([this.#carry, bytes])
    if (this.#phase === 'exchange') {
      if (this.#carry.length >= CARRY) this.#channel.pause()
    } else {
      setImmediate(readCarried, this)
    }
  }

  /** Reads the request that came with the one before. In a turn of its own, so that others have theirs. */
  readCarried(): void {
    const carry = this.#carry
    if (this.#phase !== 'head' || carry === null) return
    this.#carry = null
    this.#readHead(carry, 0, carry.length)
    if (this.#ended && this.#phase === 'head') this.#close()
  }

  #refuse(error: ProxyError): void {
    this.#reader.begin('none', Buffer.alloc(0), 0, 0)
    this.#head = null
    this.#phase = 'exchange'
    this.#responded = false
    this.#host.wheel.schedule(this.#timer, Infinity)
    const exchange = new Exchange({
      method: '',
      target: '',
      version: 'HTTP/1.1',
      headers: [],
      body: this.#reader,
      tunnel: null,
      expectsContinue: false,
      connectHost: this.#connectHost,
      peer: this.#peer,
      responder: this,
      entry: this.#host.entry,
      startedAt: this.#host.wheel.now(),
    })
    this.#exchange = exchange
    this.#host.refuse(exchange, error)
  }

  // --- the way back ------------------------------------------------------------------------------------------

  inform(status: number, headers: HeaderList): void {
    if (this.#responded || this.#head === null || this.#head.minor === 0) return
    if (status === 100) {
      if (!this.#head.expectsContinue || this.#continued) return
      this.#continued = true
    }
    this.#channel.write(
      writeResponseHead(status, headers, 'none', { date: null, connection: null, length: null }),
    )
  }

  respond(status: number, headers: HeaderList, body: BodySource): void {
    const exchange = this.#exchange
    if (exchange === null || this.#responded) {
      body.abort(new ProxyError('internal', 'answered twice'))
      return
    }
    this.#responded = true
    exchange.status = status
    exchange.firstByteAfter = this.#host.wheel.now() - exchange.startedAt
    if (status === 101) {
      this.#respondTunnel(headers, body)
      return
    }
    const http11 = this.#head === null || this.#head.minor === 1
    let framing: Framing
    let declared: number | null = null
    if (exchange.method === 'HEAD' || status === 204 || status === 304) {
      framing = 'none'
      if (typeof body.length === 'number' && status !== 204) declared = body.length
    } else if (typeof body.length === 'number') framing = body.length
    else if (body.length === 'none') framing = 0
    else framing = http11 ? 'chunked' : 'close'
    // An upgrade that was passed on and not taken: what the client has sent behind it is no request.
    this.#keepAlive = framing !== 'close' && exchange.tunnel === null && this.#mayKeepAlive()
    const connection = this.#keepAlive ? (http11 ? null : 'keep-alive') : 'close'
    const date = hasHeader(headers, 'date') ? null : this.#host.date.value
    this.#writer.begin(
      writeResponseHead(status, headers, framing, { date, connection, length: declared }),
      framing,
    )
    this.#writer.pump(body)
  }

  limitBody(bytes: number): void {
    this.#reader.limit = bytes
  }

  acceptConnect(host: string): void {
    if (this.#exchange === null) return
    this.#responded = true
    this.#exchange.status = 200
    this.#connectHost = host
    this.#keepAlive = true
    this.#channel.write('HTTP/1.1 200 OK\r\n\r\n')
    this.#next()
  }

  abort(error: ProxyError): void {
    this.#finish(error)
    this.#break()
  }

  #respondTunnel(headers: HeaderList, body: BodySource): void {
    this.#tunnelling = true
    this.#keepAlive = false
    // What the client sent behind its head waited; now it belongs to the tunnel.
    const early = this.#carry ?? Buffer.alloc(0)
    this.#carry = null
    this.#reader.begin('close', early, 0, early.length)
    const head = writeResponseHead(101, headers, 'none', { date: null, connection: 'upgrade', length: null })
    this.#writer.begin(head, 'close')
    this.#writer.pump(body)
  }

  /** Whether the connection may carry another request after this response (RFC 9112 section 9.3). */
  #mayKeepAlive(): boolean {
    const head = this.#head
    const host = this.#host
    if (head === null || !head.keepAlive || host.draining || this.#ended) return false
    if (this.#requests >= (host.limits.requestsPerConnection ?? Infinity)) return false
    if (host.wheel.now() - this.#openedAt > this.#age) return false
    if (this.#reader.complete || this.#reader.started) return true
    // Nobody will read the rest of the body but we. A client that waits for 100 may never send it.
    return this.#reader.remaining <= DRAIN && (!head.expectsContinue || this.#continued)
  }

  // --- ends --------------------------------------------------------------------------------------------------

  onMessageWritten(): void {
    if (this.#tunnelling) {
      this.#channel.end()
      if (this.#reader.complete) this.#finish(null)
      return
    }
    this.#finish(null)
    if (!this.#keepAlive || (!this.#reader.complete && this.#reader.remaining > DRAIN)) this.#close()
    else if (this.#reader.complete) this.#next()
    else this.#reader.discard()
  }

  onMessageBroken(error: ProxyError | null): void {
    this.#finish(error ?? new ProxyError('internal'))
    this.#break()
  }

  onWriteBlocked(): void {
    this.#beginWatch()
  }

  onBodyComplete(): void {
    if (this.#tunnelling) {
      if (!this.#writer.active) this.#finish(null)
      return
    }
    // The response was out before the request was in.
    if (this.#phase === 'exchange' && this.#exchange === null) this.#next()
  }

  onBodyBroken(error: ProxyError): void {
    // Whoever takes the body has heard it and answers; where nobody does, there is nothing left to read.
    if (this.#exchange === null) this.#break()
    else if (!this.#responded) this.#host.refuse(this.#exchange, error)
  }

  onBodyAbandoned(): void {
    // Decided when the response is out: the rest is drained, or the connection closes.
    this.#channel.resume()
  }

  #finish(error: ProxyError | null): void {
    const exchange = this.#exchange
    if (exchange === null) return
    this.#exchange = null
    exchange.bytesIn = this.#reader.received
    exchange.bytesOut = this.#writer.sent
    exchange.finish(error)
  }

  #next(): void {
    this.#finish(null)
    if (this.#phase !== 'exchange') return
    this.#head = null
    this.#collector.reset()
    this.#phase = 'head'
    this.#watch.reset()
    if (this.#carry !== null) {
      this.#channel.resume()
      setImmediate(readCarried, this)
      return
    }
    if (this.#ended || this.#host.draining) {
      this.#close()
      return
    }
    this.#host.wheel.schedule(this.#timer, this.#host.clocks.keepAlive)
    this.#channel.resume()
  }

  /** Ends the connection so that what was written arrives: FIN, and what still comes is read for a while. */
  #close(): void {
    if (this.#phase === 'closing' || this.#phase === 'closed') return
    this.#phase = 'closing'
    this.#carry = null
    if (this.#ended && this.#channel.backlog === 0) {
      this.#channel.end()
      this.#channel.destroy()
      return
    }
    this.#channel.end()
    this.#channel.settle()
    this.#channel.resume()
    this.#watch.reset()
    this.#host.wheel.schedule(this.#timer, LINGER_MS)
  }

  /** Ends the connection so that what was written cannot be taken for a whole. */
  #break(): void {
    if (this.#phase === 'closed') return
    this.#phase = 'closing'
    // Without a length and without chunks a plain end would look like the body's.
    if (this.#head?.minor === 0 || this.#tunnelling) this.#channel.reset()
    else this.#channel.destroy()
  }

  // --- clocks ------------------------------------------------------------------------------------------------

  onTimer(): void {
    if (this.#phase === 'head') {
      if (this.#collector.partial) this.#refuse(new ProxyError('request_timeout'))
      else this.#close()
      return
    }
    if (this.#phase === 'closing') {
      if (this.#watch.slowReader(this.#channel, this.#host.clocks.writeIdle, LINGER_MS))
        this.#beginWatch(LINGER_MS)
      else this.#channel.destroy()
      return
    }
    const error = this.#watch.check(this.#channel, this.#reader, this.#host.clocks, {
      tunnel: this.#tunnelling,
      halfClosed: this.#ended && !this.#responded,
    })
    if (error === null) {
      this.#beginWatch()
    } else if (error !== 'idle') {
      if (this.#responded || error.reason === 'client_gone') {
        this.abort(error)
        return
      }
      // Whoever takes the body answers when it fails; where nobody took it yet, we do.
      this.#reader.fail(error)
      if (this.#exchange !== null && !this.#responded) this.#host.refuse(this.#exchange, error)
    }
  }

  #beginWatch(delay = ConnectionWatch.INTERVAL): void {
    this.#host.wheel.schedule(this.#timer, delay)
  }
}

function readCarried(connection: ServerConnection): void {
  connection.readCarried()
}

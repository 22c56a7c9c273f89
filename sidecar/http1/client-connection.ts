import type { OutgoingConnection, OutgoingRequest, ResponseTaker } from '../exchange/outgoing.ts'
import { ProxyError, type Repeatable } from '../exchange/proxy-error.ts'
import type { Channel, ChannelOwner } from '../runtime/channel.ts'
import { BodyReader, type BodyReaderOwner } from './body-reader.ts'
import { BodyWriter, type BodyWriterOwner } from './body-writer.ts'
import { declaredLength, surplus } from './framing.ts'
import { HeadCollector } from './head-collector.ts'
import { parseResponseHead } from './head-parser.ts'
import { writeRequestHead } from './head-writer.ts'
import type { HeadLimits, ResponseHead } from './message.ts'
import { type ConnectionHome, NO_TICKS, type Ticks } from './outgoing.ts'

/** Upstream heads are held to the limits of the field (docs/configuration.md, "Defaults"). */
const LIMITS: HeadLimits = { headerBytes: 65_536, headerFields: 100, urlBytes: 65_536 }
/** A service that sends more informational heads than this is broken. */
const MAX_INFORMATIONAL = 8

/**
 * One connection to an endpoint speaking HTTP/1.1: sends one request at a time and reads its response as strictly as
 * a request is read. Whatever an upstream sends unasked ends the connection; nobody receives it.
 */
export class ClientConnection implements OutgoingConnection, ChannelOwner, BodyReaderOwner, BodyWriterOwner {
  readonly #channel: Channel
  readonly #home: ConnectionHome
  readonly #ticks: Ticks
  readonly #collector = new HeadCollector('response')
  readonly #reader: BodyReader
  readonly #writer: BodyWriter
  #taker: ResponseTaker | null = null
  #request: OutgoingRequest | null = null
  #head: ResponseHead | null = null
  /** Whether this exchange is not the connection's first. */
  #reused = false
  #used = false
  #sawBytes = false
  /** The channel's writes before the request: while they are the same, no byte of it has gone out. */
  #writesBefore = 0
  #requestDone = false
  #responseDone = false
  #informational = 0
  #continued = false
  #gone = false
  #movedAt = 0

  constructor(channel: Channel, home: ConnectionHome, ticks: Ticks = NO_TICKS) {
    this.#channel = channel
    this.#home = home
    this.#ticks = ticks
    this.#reader = new BodyReader(channel, 'response', this)
    this.#writer = new BodyWriter(channel, this, ticks)
    channel.owner = this
  }

  /** Whether it has been used up or broken. */
  get gone(): boolean {
    return this.#gone
  }

  get used(): boolean {
    return this.#used
  }

  /** It waits for a request. A peer closes one that was never used as it closes any other. */
  rest(): void {
    this.#used = true
  }

  /** Sends a request. The connection must be idle. */
  send(request: OutgoingRequest, taker: ResponseTaker): void {
    this.#taker = taker
    this.#request = request
    this.#head = null
    this.#reused = this.#used
    this.#used = true
    this.#sawBytes = false
    this.#writesBefore = this.#channel.writes
    this.#movedAt = this.#ticks.tickEnd
    this.#requestDone = false
    this.#responseDone = false
    this.#continued = false
    this.#informational = 0
    this.#collector.reset()
    const length = request.tunnel === null ? request.body.length : 'none'
    const framing = length === 'unknown' ? 'chunked' : length
    const head = writeRequestHead(request.method, request.target, request.host, request.headers, framing)
    this.#writer.begin(head, request.tunnel === null ? framing : 'close')
    if (request.tunnel !== null || request.expectsContinue) this.#writer.flush()
    else this.#writer.pump(request.body)
  }

  /** Sends the body that waited for 100. A second call does nothing. */
  continueBody(): void {
    if (this.#continued || this.#request === null || this.#responseDone || this.#gone) return
    this.#continued = true
    this.#writer.pump(this.#request.body)
  }

  /**
   * The exchange is over before its response is: nobody may use the connection again.
   * @param taker whose exchange it is; the connection may have gone on to another's, and is then left alone
   */
  abort(taker: ResponseTaker | null): void {
    if (this.#taker === taker) this.#close()
  }

  movedAt(taker: ResponseTaker): number {
    if (this.#taker !== taker || this.#responseDone || this.#channel.paused) return Infinity
    return Math.max(this.#movedAt, this.#writer.movedAt)
  }

  heard(taker: ResponseTaker): boolean {
    return this.#taker === taker && this.#sawBytes
  }

  // --- bytes -------------------------------------------------------------------------------------------------

  onBytes(buffer: Buffer, length: number): void {
    if (this.#request === null) {
      // Row 8: a response that nobody asked for.
      this.#close()
      return
    }
    this.#sawBytes = true
    this.#movedAt = this.#ticks.tickEnd
    let next = 0
    while (this.#head === null) {
      const result = this.#collector.push(buffer, next, length, LIMITS)
      if (result === 'more') return
      if (result === 'refused') {
        this.#fail(this.#collector.error)
        return
      }
      next = this.#collector.next
      if (!this.#readHead(buffer, next, length)) return
      this.#collector.reset()
      if (this.#head !== null) {
        this.#afterHead()
        return
      }
      if (next >= length) return
    }
    if (this.#responseDone) {
      this.#close()
      return
    }
    next = this.#reader.push(buffer, next, length)
    if (next < length) this.#close()
    else this.#settle()
  }

  /** @returns false where the connection was given up */
  #readHead(buffer: Buffer, next: number, length: number): boolean {
    const request = this.#request as OutgoingRequest // there is one, or the bytes were refused
    const taker = this.#taker
    const { text, bytes } = this.#collector
    const head = parseResponseHead(text, LIMITS, request.method, bytes)
    if (head instanceof ProxyError) {
      this.#fail(head)
      return false
    }
    if (head.status >= 100 && head.status < 200 && head.status !== 101) {
      if (++this.#informational > MAX_INFORMATIONAL) {
        this.#fail(badResponse('informational heads'))
        return false
      }
      taker?.onInformational(head.status, head.headers)
      return !this.#gone
    }
    if (head.status === 101 && request.tunnel === null) {
      this.#fail(badResponse('101 unasked'))
      return false
    }
    const upgraded = head.status === 101
    const framing = upgraded ? 'close' : head.framing
    if (!upgraded && surplus(framing, length - next)) {
      this.#fail(badResponse('surplus bytes'))
      return false
    }
    this.#head = head
    const declared = framing === 'none' ? declaredLength(head) : 'none'
    this.#reader.begin(framing, buffer, next, length, declared)
    return true
  }

  #afterHead(): void {
    const head = this.#head as ResponseHead
    const request = this.#request as OutgoingRequest
    if (this.#reader.complete) this.#responseDone = true
    this.#taker?.onResponse(head, this.#reader)
    if (this.#gone) return
    if (head.status === 101 && this.#taker !== null) this.#writer.pump(request.body)
    if (this.#gone) return
    const rest = this.#reader.retainPending()
    if (rest !== null) this.#close()
    else this.#settle()
  }

  onEnd(): void {
    if (this.#request === null) {
      this.#close()
      return
    }
    if (this.#head === null) {
      this.#fail(this.#endedEarly('ended'))
      return
    }
    this.#reader.finish()
    if (this.#head.status === 101) {
      // The tunnel's other direction may go on.
      if (this.#requestDone) this.#close()
      return
    }
    this.#close()
  }

  onDrain(): void {
    this.#writer.onDrain()
  }

  onClose(code: string): void {
    if (this.#gone && this.#taker === null) {
      this.#home.onGone()
      return
    }
    this.#gone = true
    if (this.#request !== null && this.#head === null) this.#fail(this.#endedEarly(code))
    else this.#reader.fail(new ProxyError('upstream_aborted', '', { cause: code }))
    this.#writer.drop(new ProxyError('upstream_reset', '', { cause: code }))
    this.#taker = null
    this.#home.onGone()
  }

  // --- ends --------------------------------------------------------------------------------------------------

  onMessageWritten(): void {
    this.#requestDone = true
    if (this.#request?.tunnel != null && this.#head?.status === 101) {
      if (this.#responseDone) this.#close()
      else this.#channel.end()
      return
    }
    this.#taker?.onRequestSent()
  }

  onMessageBroken(error: ProxyError | null): void {
    // The client's body ended early, or lied: the upstream must not take what it got for a whole.
    this.#fail(error ?? new ProxyError('internal'))
  }

  onWriteBlocked(): void {
    // The exchange's own clock bounds how long an upstream may refuse to take bytes.
  }

  onBodyComplete(): void {
    this.#responseDone = true
  }

  onBodyBroken(): void {
    this.#close()
  }

  onBodyAbandoned(): void {
    this.#close()
  }

  onBytesBehind(): void {
    this.#close()
  }

  /** After each read: where both messages are complete, the connection goes home or away. */
  #settle(): void {
    if (!this.#responseDone || this.#gone || this.#request === null) return
    const head = this.#head as ResponseHead
    if (head.status === 101) {
      if (this.#requestDone) this.#close()
      return
    }
    // Rule 12: reused only if nothing is left on either side. A half-sent request never is.
    if (!this.#requestDone || !head.keepAlive || head.framing === 'close' || this.#channel.broken) {
      this.#writer.drop(new ProxyError('upstream_reset'))
      this.#close()
      return
    }
    this.#taker = null
    this.#request = null
    this.#head = null
    this.#home.onReusable(head.keepAliveHint)
  }

  #endedEarly(cause: string): ProxyError {
    let repeatable: Repeatable = 'no'
    // The end was read in the turn in which the request was made, before it went out.
    if (this.#channel.writes === this.#writesBefore) repeatable = 'never_processed'
    else if (this.#reused && !this.#sawBytes) repeatable = 'reuse_race'
    return new ProxyError(this.#collector.partial ? 'upstream_bad_response' : 'upstream_reset', '', {
      cause,
      repeatable,
    })
  }

  /** Before a final head: the taker hears why. After it: the body's sink does. */
  #fail(error: ProxyError): void {
    const taker = this.#taker
    this.#taker = null
    const before = this.#head === null
    this.#reader.fail(error)
    this.#close()
    if (before) taker?.onFailure(error)
  }

  #close(): void {
    this.#gone = true
    this.#taker = null
    this.#writer.drop(new ProxyError('upstream_reset'))
    // What is not answered need not go out any more.
    if (this.#head === null) this.#channel.drop()
    // A plain end would look like the tunnel's own.
    if (this.#head?.status === 101 && !(this.#requestDone && this.#responseDone)) this.#channel.reset()
    else this.#channel.destroy()
  }
}

function badResponse(detail: string): ProxyError {
  return new ProxyError('upstream_bad_response', '', { cause: detail })
}

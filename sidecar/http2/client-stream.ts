import { createHash } from 'node:crypto'
import { NO_BODY } from '../exchange/body.ts'
import { headerValue, type HeaderList, removeHeader } from '../exchange/headers.ts'
import type { OutgoingConnection, OutgoingRequest, ResponseTaker } from '../exchange/outgoing.ts'
import { ProxyError, type Repeatable } from '../exchange/proxy-error.ts'
import { CANCEL, PROTOCOL_ERROR } from './frames.ts'
import { ENTRY_OVERHEAD } from './hpack/dynamic-table.ts'
import { requestList } from './outgoing-request.ts'
import { type CheckedHead, checkResponseHead } from './response-head.ts'
import type { StreamOwner } from './stream-owner.ts'
import type { Stream } from './stream.ts'

/** A service that sends more informational heads than this is broken. */
const MAX_INFORMATIONAL = 8

/** The session that a stream is opened on. */
export interface StreamHome {
  /** Whether requests were sent on it before. */
  readonly used: boolean
  /** `:scheme`. */
  readonly scheme: 'http' | 'https'
  /** Whether the peer takes extended CONNECT (RFC 8441). */
  readonly connectProtocol: boolean
  /** How large a header list the peer takes (RFC 9113 section 6.5.2); Infinity where it does not say. */
  readonly maxHeaderList: number
  /** The present tick. */
  readonly tick: number
  /** A new stream; null where the session has just closed. */
  open(owner: StreamOwner): Stream | null
}

/** One exchange with an endpoint over HTTP/2. Its stream is opened when the request is sent. */
export class ClientStream implements OutgoingConnection, StreamOwner {
  readonly used: boolean
  readonly #home: StreamHome
  #stream: Stream | null = null
  #taker: ResponseTaker | null = null
  #request: OutgoingRequest | null = null
  #head: CheckedHead | null = null
  #sawBytes = false
  #informational = 0
  #continued = false
  #movedAt = 0

  constructor(home: StreamHome) {
    this.#home = home
    this.used = home.used
  }

  send(request: OutgoingRequest, taker: ResponseTaker): void {
    const home = this.#home
    this.#movedAt = home.tick
    if (request.tunnel !== null && !home.connectProtocol) {
      // Nothing was sent; another endpoint may take it.
      taker.onFailure(badResponse('it takes no tunnels: no extended CONNECT (RFC 8441)', 'never_processed'))
      return
    }
    const list = requestList(request, home.scheme)
    if (home.maxHeaderList !== Infinity && listBytes(list) > home.maxHeaderList) {
      // Some servers end the session for it, which many clients share.
      const cause = `the service takes ${home.maxHeaderList} bytes of fields`
      taker.onFailure(new ProxyError('headers_too_large', '', { cause }))
      return
    }
    const stream = home.open(this)
    if (stream === null) {
      const cause = 'the session was closing'
      taker.onFailure(new ProxyError('upstream_reset', '', { cause, repeatable: 'never_processed' }))
      return
    }
    this.#taker = taker
    this.#request = request
    this.#stream = stream
    const waits = request.tunnel !== null || request.expectsContinue
    const bodiless = request.tunnel === null && request.body.length === 'none'
    stream.headers(list, bodiless, request.guarded)
    if (!bodiless && !waits) stream.pump(request.body)
  }

  continueBody(): void {
    const stream = this.#stream
    const request = this.#request
    if (stream === null || request === null || this.#continued) return
    this.#continued = true
    stream.pump(request.body)
  }

  abort(taker: ResponseTaker | null): void {
    if (taker === null || this.#taker !== taker) return
    const stream = this.#end()
    // Whoever gives up tells its client why; what the reset does to the body is not the reason.
    stream?.body.abort(new ProxyError('upstream_aborted'))
    // Where both messages are complete there is nothing left to reset.
    if (stream !== null && !(stream.received && stream.sent)) stream.reset(CANCEL)
  }

  movedAt(taker: ResponseTaker): number {
    const stream = this.#stream
    if (stream === null || this.#taker !== taker || stream.received) return Infinity
    // Before the head nobody takes the body, and yet it is the upstream's turn.
    if (this.#head !== null && stream.stopped) return Infinity
    return Math.max(this.#movedAt, stream.movedAt)
  }

  heard(taker: ResponseTaker): boolean {
    return this.#taker === taker && this.#sawBytes
  }

  // --- what the stream says ----------------------------------------------------------------------------------

  onHead(headers: HeaderList): void {
    const request = this.#request
    const taker = this.#taker
    const stream = this.#stream
    if (request === null || taker === null || stream === null) return
    this.#sawBytes = true
    this.#movedAt = this.#home.tick
    const head = checkResponseHead(headers, request.method)
    if (head instanceof ProxyError) {
      this.#fail(head)
      return
    }
    const { status } = head
    if (status < 200) {
      if (++this.#informational > MAX_INFORMATIONAL) this.#fail(badResponse('informational heads'))
      else taker.onInformational(status, head.headers)
      return
    }
    if (request.tunnel !== null && status < 300) {
      this.#openTunnel(head, request, taker, stream)
      return
    }
    const bodiless = head.expected === 'none'
    const length = bodiless && head.declared >= 0 ? head.declared : head.expected
    if (!stream.expect(length, bodiless)) {
      this.#fail(badResponse('the body is not as long as content-length says'))
      return
    }
    this.#head = head
    taker.onResponse(stream.guarded === null ? head : { ...head, guarded: stream.guarded }, stream.body)
    // What was asked for as a tunnel and is none has no body; nor has one that nobody wants any more.
    if (request.tunnel !== null && this.#stream === stream) stream.pump(NO_BODY)
  }

  onMalformed(cause: string): void {
    this.#fail(badResponse(cause))
  }

  onBodyBroken(error: ProxyError): void {
    this.#fail(error)
  }

  onSent(): void {
    if (this.#request?.tunnel === null) this.#taker?.onRequestSent()
  }

  onReset(error: ProxyError): void {
    const taker = this.#taker
    const answered = this.#head !== null
    this.#end()
    if (!answered) taker?.onFailure(error)
  }

  onClosed(): void {
    this.#end()
  }

  onSecond(): void {
    // The exchange's own clock bounds how long an upstream may be silent, or take nothing.
  }

  // --- ends --------------------------------------------------------------------------------------------------

  /** A tunnel is what HTTP/1 calls 101 (RFC 8441 section 5): its head says so, and so what a WebSocket's client waits for. */
  #openTunnel(head: CheckedHead, request: OutgoingRequest, taker: ResponseTaker, stream: Stream): void {
    const key = headerValue(request.headers, 'sec-websocket-key')
    // Of HTTP/1 alone: what a service says of it here is not about the key that its client sent.
    removeHeader(head.headers, 'sec-websocket-accept')
    if (key !== undefined) head.headers.push('sec-websocket-accept', acceptOf(key))
    this.#head = { ...head, status: 101 }
    stream.expect('unknown')
    taker.onResponse(this.#head, stream.body)
    if (this.#stream === stream) stream.pump(request.body)
  }

  /** Before a final head: the taker hears why. After it: the body's sink does. */
  #fail(error: ProxyError): void {
    const taker = this.#taker
    const answered = this.#head !== null
    this.#end()?.reset(PROTOCOL_ERROR)
    if (!answered) taker?.onFailure(error)
  }

  /** Forgets the exchange. @returns its stream, where there was one */
  #end(): Stream | null {
    const stream = this.#stream
    this.#stream = null
    this.#taker = null
    this.#request = null
    return stream
  }
}

/** The size of a header list (RFC 9113 section 6.5.2). */
function listBytes(list: HeaderList): number {
  let bytes = (list.length / 2) * ENTRY_OVERHEAD
  for (const text of list) bytes += text.length
  return bytes
}

/** RFC 6455 section 4.2.2: how a server shows that it has read the key. */
function acceptOf(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
}

function badResponse(cause: string, repeatable: Repeatable = 'no'): ProxyError {
  return new ProxyError('upstream_bad_response', '', { cause, repeatable })
}

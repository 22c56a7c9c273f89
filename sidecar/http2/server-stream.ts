import { type BodySink, type BodySource, NO_BODY } from '../exchange/body.ts'
import type { ListenerConnection, ListenerLimits } from '../exchange/connection-settings.ts'
import { Exchange, type Peer, type Responder } from '../exchange/exchange.ts'
import { hasHeader, headerValue, type HeaderList } from '../exchange/headers.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import type { DeferredRequests } from './deferred-requests.ts'
import { INTERNAL_ERROR, NO_ERROR, PROTOCOL_ERROR } from './frames.ts'
import { readRequestHead, type RequestHead } from './request-head.ts'
import type { StreamOwner } from './stream-owner.ts'
import type { Stream } from './stream.ts'
import { SlowBody } from './slow-body.ts'
import { TunnelBody, websocketKey } from './tunnel-body.ts'

/** How long the rest of a request may come in behind its response, before its client is told to stop. */
const REST_SECONDS = 1

/** What a 101 says of a connection of HTTP/1; extended CONNECT has its own words (RFC 8441 section 5). */
const OF_UPGRADE: ReadonlySet<string> = new Set(['connection', 'sec-websocket-accept', 'upgrade'])

/** The client's session that a stream came over. */
export interface RequestHome {
  readonly peer: Peer
  readonly deferred: DeferredRequests
  readonly host: {
    readonly entry: string
    readonly limits: ListenerLimits
    readonly clocks: ListenerConnection
    readonly wheel: { now(): number }
    readonly date: { readonly value: string }
    /** A request is there. */
    handle(exchange: Exchange): void
    /** What came is no request: to be answered and logged. */
    refuse(exchange: Exchange, error: ProxyError): void
  }
}

/**
 * One request and its response on a stream of a client's session: the way back of its exchange. One object a stream.
 */
export class ServerStream implements StreamOwner, Responder {
  readonly #stream: Stream
  readonly #session: RequestHome
  #exchange: Exchange | null = null
  #responded = false
  #continued = false
  /** What came is malformed: the stream is reset in place of an answer (RFC 9113 section 8.1.1). */
  #malformed = false
  /** The stream is gone before its request was handled. */
  #unanswerable = false
  /** Whether the request waits for its turn. */
  #deferred = false
  /** Whether it was opened by an extended CONNECT: success is 200 and the tunnel. */
  #extended = false
  #tunnelling = false
  #slow: SlowBody | null = null
  #rested = 0

  constructor(stream: Stream, session: RequestHome) {
    this.#stream = stream
    this.#session = session
  }

  // --- what the stream says ----------------------------------------------------------------------------------

  onHead(list: HeaderList, ended: boolean): void {
    const { host } = this.#session
    const head = readRequestHead(list, ended, host.limits.urlBytes, true)
    if (head instanceof ProxyError) {
      this.#refuse(head, head.reason === 'bad_request')
      return
    }
    this.#extended = head.tunnel !== null
    if (!this.#stream.expect(this.#extended ? 'unknown' : head.length)) {
      this.#refuse(new ProxyError('bad_request', 'the body has not its content-length'), true)
      return
    }
    if (head.tunnel === 'websocket' && !hasHeader(head.headers, 'sec-websocket-key'))
      head.headers.push('sec-websocket-key', websocketKey())
    const { body } = this.#stream
    const exchange = this.#open(head, this.#extended ? new TunnelBody(body) : body)
    const { deferred } = this.#session
    if (!deferred.wary) {
      host.handle(exchange)
      return
    }
    this.#deferred = true
    deferred.add(this)
  }

  /** The request's turn has come, where it had to wait for it. */
  begin(): void {
    const exchange = this.#exchange
    if (!this.#deferred || exchange === null) return
    this.#deferred = false
    this.#session.host.handle(exchange)
  }

  onMalformed(cause: string, tooLarge: boolean): void {
    this.#refuse(new ProxyError(tooLarge ? 'headers_too_large' : 'bad_request', cause), !tooLarge)
  }

  onBodyBroken(error: ProxyError): void {
    // Whoever takes the body has heard it and answers; where nobody does, we do.
    if (this.#exchange !== null && !this.#responded) this.#session.host.refuse(this.#exchange, error)
  }

  onSent(): void {
    // A tunnel ends with its other direction.
    if (this.#tunnelling) return
    this.#finish(null)
    const stream = this.#stream
    stream.abandonBody()
    if (stream.received) return
    // Nobody wants the rest, and no credit is given for it. A client that reads its answer stops by itself; some take
    // RST_STREAM for a failure, although the answer stands before it (RFC 9113 section 8.1), so that comes later.
    stream.body.abort(new ProxyError('internal'))
  }

  onReset(error: ProxyError): void {
    const exchange = this.#exchange
    if (exchange !== null && !this.#responded) this.#session.deferred.reset()
    this.#unanswerable = true
    // One whose turn had not come is known to nobody yet: it is counted and logged like the others.
    if (this.#deferred && exchange !== null) this.#session.host.refuse(exchange, error)
    else this.#finish(error)
  }

  onClosed(): void {
    this.#finish(null)
  }

  onSecond(): void {
    const stream = this.#stream
    if (stream.received || this.#tunnelling) return
    const exchange = this.#exchange
    if (exchange === null) {
      if (++this.#rested > REST_SECONDS) stream.reset(NO_ERROR)
      return
    }
    // What streams both ways may pause: its client may have nothing to say before it has heard more.
    if (this.#responded || isGrpc(exchange)) return
    this.#slow ??= new SlowBody()
    const error = this.#slow.check(stream, this.#session.host.clocks.bodyIdle)
    if (error !== null) this.#session.host.refuse(exchange, error)
  }

  // --- the way back ------------------------------------------------------------------------------------------

  inform(status: number, headers: HeaderList): void {
    const exchange = this.#exchange
    if (exchange === null || this.#responded) return
    if (status === 100) {
      if (!exchange.expectsContinue || this.#continued) return
      this.#continued = true
    }
    this.#stream.headers([':status', String(status), ...headers], false)
  }

  respond(status: number, headers: HeaderList, body: BodySource): void {
    const exchange = this.#exchange
    if (exchange === null || this.#responded) {
      body.abort(new ProxyError('internal', 'answered twice'))
      return
    }
    if (this.#extended && status >= 200 && status < 300) {
      // To this client it would mean that the tunnel stands.
      body.abort(new ProxyError('upstream_bad_response'))
      this.#session.host.refuse(exchange, new ProxyError('upstream_bad_response', '', { cause: 'no tunnel' }))
      return
    }
    this.#responded = true
    exchange.status = status
    exchange.firstByteAfter = this.#session.host.wheel.now() - exchange.startedAt
    if (this.#malformed || this.#unanswerable) {
      if (!this.#unanswerable) this.#stream.reset(PROTOCOL_ERROR)
      this.#finish(null)
      return
    }
    this.#tunnelling = status === 101
    this.#send(exchange.method, status, headers, body)
  }

  limitBody(bytes: number): void {
    this.#stream.limitBody(bytes)
  }

  acceptConnect(): void {
    // `proxy/connect.ts` refuses what comes by HTTP/2.
    throw new Error('a CONNECT cannot take over a connection of HTTP/2')
  }

  abort(error: ProxyError): void {
    this.#stream.reset(INTERNAL_ERROR)
    this.#finish(error)
  }

  #send(method: string, status: number, headers: HeaderList, body: BodySource): void {
    const stream = this.#stream
    const list: HeaderList = [':status', status === 101 ? '200' : String(status)]
    let dated = status === 101
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i] as string
      if (status === 101 && OF_UPGRADE.has(name)) continue
      if (name === 'date') dated = true
      list.push(name, headers[i + 1] as string)
    }
    const guarded = this.#exchange?.guardedAnswer ?? null
    if (!dated) list.push('date', this.#session.host.date.value)
    const { length } = body
    // What a GET would have had; 204 never has a length.
    if (typeof length === 'number' && status !== 204) list.push('content-length', String(length))
    const bodiless = method === 'HEAD' || status === 204 || status === 304
    if (bodiless || length === 'none' || length === 0) {
      body.start(NOWHERE)
      stream.headers(list, true, guarded)
    } else {
      stream.headers(list, false, guarded)
      stream.pump(body)
    }
  }

  // --- the exchange ------------------------------------------------------------------------------------------

  /** What came is no request that can go on: it is counted and logged all the same. */
  #refuse(error: ProxyError, malformed: boolean): void {
    this.#malformed = malformed
    this.#session.host.refuse(this.#open(null, NO_BODY), error)
  }

  #open(head: RequestHead | null, body: BodySource): Exchange {
    const { host, peer } = this.#session
    const exchange = new Exchange({
      method: head?.method ?? '',
      target: head?.target ?? '',
      version: 'HTTP/2',
      headers: head?.headers ?? [],
      body,
      tunnel: head?.tunnel ?? null,
      expectsContinue: head?.expectsContinue ?? false,
      connectHost: null,
      peer,
      responder: this,
      entry: host.entry,
      startedAt: host.wheel.now(),
    })
    exchange.guarded = this.#stream.guarded
    this.#exchange = exchange
    return exchange
  }

  #finish(error: ProxyError | null): void {
    const exchange = this.#exchange
    if (exchange === null) return
    this.#exchange = null
    exchange.bytesIn = this.#stream.bytesIn
    exchange.bytesOut = this.#stream.bytesOut
    exchange.finish(error)
  }
}

/** A call of gRPC, which has its own deadlines, may stay open for days without a word of its client. */
function isGrpc(exchange: Exchange): boolean {
  return headerValue(exchange.headers, 'content-type')?.startsWith('application/grpc') ?? false
}

/** Where the body goes of a response that has none on the wire. */
const NOWHERE: BodySink = { chunk: () => true, end: () => {}, abort: () => {} }

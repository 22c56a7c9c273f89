import type { BodyLength, BodySource } from '../exchange/body.ts'
import type { Exchange, Responder } from '../exchange/exchange.ts'
import { hasHeader, type HeaderList } from '../exchange/headers.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import type { Channel } from '../runtime/channel.ts'
import { BodyWriter, type BodyWriterOwner } from './body-writer.ts'
import { writeResponseHead } from './head-writer.ts'
import type { Framing, RequestHead } from './message.ts'

/** What the way back needs of where the connection came in. */
export interface ResponseHost {
  readonly date: { readonly value: string }
  readonly wheel: { now(): number }
  /** Answers in place of a response that broke before a byte of it was written. */
  refuse(exchange: Exchange, error: ProxyError): void
}

/** What the way back needs of its connection. */
export interface ResponseOwner {
  /**
   * Whether another request may follow this response (RFC 9112 section 9.3).
   * @param continued whether the client was told to send its body
   * @param lastWord whether a body that is still coming in will not be waited for
   */
  mayKeepAlive(continued: boolean, lastWord: boolean): boolean
  limitBody(bytes: number): void
  /** The client's side of a tunnel may be read from now on. */
  openTunnel(): void
  /** The next bytes are requests for this host. */
  enterConnect(host: string): void
  /** The response is out. */
  onResponseWritten(): void
  /** The response will never be complete. */
  onResponseBroken(error: ProxyError): void
  onWriteBlocked(): void
}

/**
 * The way back of one client connection, one response after the other: chooses the framing, says whether the connection
 * goes on, and writes. One object a connection.
 */
export class ServerResponse implements Responder, BodyWriterOwner {
  readonly writer: BodyWriter
  /** Whether the response's head is out. */
  responded = false
  /** Whether the connection may carry another request after this response. */
  keepAlive = false
  tunnelling = false
  readonly #channel: Channel
  readonly #host: ResponseHost
  readonly #owner: ResponseOwner
  #exchange: Exchange | null = null
  #head: RequestHead | null = null
  #continued = false

  constructor(channel: Channel, host: ResponseHost, owner: ResponseOwner) {
    this.#channel = channel
    this.#host = host
    this.#owner = owner
    this.writer = new BodyWriter(channel, this)
  }

  /** A new exchange. @param head null where what came was no request */
  begin(head: RequestHead | null): void {
    this.#head = head
    this.responded = false
    this.keepAlive = false
    this.tunnelling = false
    this.#continued = false
  }

  /** Whose responses are written from now on. */
  attach(exchange: Exchange | null): void {
    this.#exchange = exchange
  }

  /** Whether the end of what was written could be taken for the end of the body: a plain close must not follow. */
  get endsWithConnection(): boolean {
    return this.#head?.minor === 0 || this.tunnelling
  }

  inform(status: number, headers: HeaderList): void {
    const head = this.#head
    if (this.responded || head === null || head.minor === 0) return
    if (status === 100) {
      if (!head.expectsContinue || this.#continued) return
      this.#continued = true
    }
    this.#channel.write(writeResponseHead(status, headers, 'none', NOTHING_ADDED))
  }

  respond(status: number, headers: HeaderList, body: BodySource): void {
    const exchange = this.#exchange
    if (exchange === null || this.responded) {
      body.abort(new ProxyError('internal', 'answered twice'))
      return
    }
    this.responded = true
    exchange.status = status
    exchange.firstByteAfter = this.#host.wheel.now() - exchange.startedAt
    // RFC 9110 section 9.3.6: what follows the success of a CONNECT is no message any more.
    if (status === 101 || (status === 200 && exchange.method === 'CONNECT')) {
      this.#respondTunnel(status, headers, body)
      return
    }
    const http11 = this.#head === null || this.#head.minor === 1
    const framing = frame(exchange.method, status, body.length, http11)
    // An upgrade that was passed on and not taken, a CONNECT refused: what the client has sent behind it is no request.
    // Nor may it be one where we could not tell what was asked: our own 400 ends the connection, an upstream's does not.
    this.keepAlive =
      framing !== 'close' &&
      exchange.tunnel === null &&
      exchange.method !== 'CONNECT' &&
      (status !== 400 || exchange.reason === '') &&
      this.#head !== null &&
      // An early error, or an answer whose end is known; what streams both ways may well take the whole body.
      this.#owner.mayKeepAlive(this.#continued, status >= 400 || framing !== 'chunked')
    const head = writeResponseHead(status, headers, framing, {
      date: hasHeader(headers, 'date') ? null : this.#host.date.value,
      connection: this.keepAlive ? (http11 ? null : 'keep-alive') : 'close',
      // What a GET would have had; 204 never has a length.
      length: framing === 'none' && status !== 204 && typeof body.length === 'number' ? body.length : null,
    })
    this.writer.begin(head, framing)
    this.writer.pump(body)
  }

  limitBody(bytes: number): void {
    this.#owner.limitBody(bytes)
  }

  acceptConnect(host: string): void {
    const exchange = this.#exchange
    if (exchange === null) return
    this.responded = true
    this.keepAlive = true
    exchange.status = 200
    this.#channel.write('HTTP/1.1 200 OK\r\n\r\n')
    this.#owner.enterConnect(host)
  }

  abort(error: ProxyError): void {
    this.#owner.onResponseBroken(error)
  }

  onMessageWritten(): void {
    this.#owner.onResponseWritten()
  }

  onMessageBroken(error: ProxyError | null): void {
    const exchange = this.#exchange
    if (error !== null && exchange !== null && this.writer.unsent && !this.tunnelling) {
      // The body broke in the read that brought its head. The client has seen nothing, so it can still hear why.
      this.responded = false
      exchange.status = 0
      this.#host.refuse(exchange, error)
      return
    }
    this.#owner.onResponseBroken(error ?? new ProxyError('internal'))
  }

  onWriteBlocked(): void {
    this.#owner.onWriteBlocked()
  }

  #respondTunnel(status: 101 | 200, headers: HeaderList, body: BodySource): void {
    this.tunnelling = true
    this.#owner.openTunnel()
    const connection = status === 101 ? 'upgrade' : null
    const head = writeResponseHead(status, headers, 'none', { date: null, connection, length: null })
    this.writer.begin(head, 'close')
    this.writer.pump(body)
  }
}

const NOTHING_ADDED = { date: null, connection: null, length: null } as const

/** How the end of a response's body is shown (RFC 9112 section 6.3). */
function frame(method: string, status: number, length: BodyLength, http11: boolean): Framing {
  if (method === 'HEAD' || status === 204 || status === 304) return 'none'
  if (typeof length === 'number') return length
  if (length === 'none') return 0
  return http11 ? 'chunked' : 'close'
}

import { NO_BODY, type BodyLength, type BodySource } from '../exchange/body.ts'
import type { HeaderList } from '../exchange/headers.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import { passedTrailers } from '../exchange/trailers.ts'
import { NO_ERROR, PROTOCOL_ERROR, STREAM_CLOSED } from './frames.ts'
import { SendingSide } from './sending-side.ts'
import type { StreamHome } from './stream-home.ts'
import type { StreamOwner } from './stream-owner.ts'
import { StreamBody } from './stream-body.ts'
import { malformedTrailers } from './trailers.ts'

/** One stream: a message each way (RFC 9113 section 5.1). The body that comes is an object of its own, where there is one. */
export class Stream extends SendingSide {
  readonly #home: StreamHome<Stream>
  readonly openedAt: number = this.movedAt
  /** Names of the peer's head that no hop may put into its table (RFC 7541 section 6.2.3); null: none. */
  guarded: readonly string[] | null = null
  /** Whether the peer's message is complete. */
  received = false
  #body: StreamBody | null = null
  /** Whether the peer's head came, the final one. */
  #headed = false

  constructor(home: StreamHome<Stream>, id: number, owner: StreamOwner) {
    super(home, id, owner)
    this.#home = home
  }

  /** Which side we are. */
  get side(): 'server' | 'client' {
    return this.#home.side
  }

  /** What the peer sends behind its header block. */
  get body(): BodySource {
    return this.#body ?? NO_BODY
  }

  /** Body bytes that came, padding not counted. */
  get bytesIn(): number {
    return this.#body === null ? 0 : this.#body.received
  }

  /** Whether a head of the peer, the final one, came. */
  get headed(): boolean {
    return this.#headed
  }

  /** Whether it is we who do not read: nobody takes the body yet, or its taker wants no more for now. */
  get stopped(): boolean {
    return this.#body !== null && !this.received && this.#body.stopped
  }

  /**
   * What the header block says of the body's length, told from `onHead`: DATA has to sum up to it.
   * @param bodyless the length is only declared (HEAD, 304): no byte may come
   * @returns false where the message has ended already with another length: it is malformed
   */
  expect(length: BodyLength, bodyless = false): boolean {
    const declared = bodyless || length === 'none' ? 0 : length === 'unknown' ? -1 : length
    if (this.received) {
      if (declared > 0) return false
      if (typeof length !== 'number') return true
    }
    const body = (this.#body ??= new StreamBody(this, this.#home, 0))
    body.length = length
    body.declared = declared
    if (this.received) body.finish(null)
    return true
  }

  /** Fails the body with `request_too_large` when it passes this many bytes. */
  limitBody(bytes: number): void {
    if (this.#body !== null) this.#body.limit = bytes
  }

  /** A body that nobody has begun to take is given up. */
  abandonBody(): void {
    this.#body?.abandon()
  }

  /**
   * Ends the stream with RST_STREAM. Both bodies are given up: the source of what is sent and the sink of what comes hear
   * the error. No callback of the owner follows.
   */
  reset(code: number, error?: ProxyError): void {
    if (this.closed) return
    const reason = this.side === 'server' ? 'client_gone' : 'upstream_aborted'
    this.#home.ends.reset(this, code, error ?? new ProxyError(reason, '', { cause: 'reset' }), false)
  }

  // --- what the session uses -----------------------------------------------------------------------------------

  /**
   * A header block came and was read.
   * @param guarded names that the peer wants in no table
   * @returns an error code for the stream, or NO_ERROR
   */
  takeBlock(headers: HeaderList, ended: boolean, guarded: readonly string[] | null): number {
    if (this.received) return STREAM_CLOSED
    if (this.#headed) return this.#takeTrailers(headers, ended)
    if (this.side === 'client' && headers[0] === ':status' && headers[1]?.startsWith('1') === true) {
      if (ended) return PROTOCOL_ERROR
    } else {
      this.#headed = true
      this.received = ended
      if (!ended) this.#body = new StreamBody(this, this.#home, this.#home.streamWindow)
    }
    this.guarded = guarded
    this.owner.onHead(headers, ended)
    this.#settle()
    return NO_ERROR
  }

  /** A header block came that cannot be used. @returns an error code for the stream, or NO_ERROR */
  takeMalformed(cause: string, tooLarge: boolean, ended: boolean): number {
    if (this.received) return STREAM_CLOSED
    if (this.#headed) return PROTOCOL_ERROR
    this.#headed = true
    this.received = ended
    if (!ended) this.#body = new StreamBody(this, this.#home, this.#home.streamWindow)
    this.owner.onMalformed(cause, tooLarge)
    this.#settle()
    return NO_ERROR
  }

  /** A piece of a DATA frame came; see `FrameSink.onData`. @returns an error code for the stream, or NO_ERROR */
  takeData(
    flow: number,
    padding: number,
    buffer: Buffer,
    start: number,
    end: number,
    ended: boolean,
  ): number {
    if (this.received) return STREAM_CLOSED
    const body = this.#body
    if (body === null) return PROTOCOL_ERROR
    this.movedAt = this.#home.now
    const error = body.take(flow, padding, buffer, start, end)
    if (error !== NO_ERROR || !ended || this.closed) return error
    return this.#endBody(body, null)
  }

  #takeTrailers(trailers: HeaderList, ended: boolean): number {
    if (!ended || malformedTrailers(trailers)) return PROTOCOL_ERROR
    const passed = passedTrailers(trailers, this.side === 'server' ? 'request' : 'response')
    return this.#endBody(this.#body as StreamBody, passed) // made with a head that did not end the message
  }

  #endBody(body: StreamBody, trailers: HeaderList | null): number {
    if (!body.mayEnd) return PROTOCOL_ERROR
    this.received = true
    body.finish(trailers)
    this.#settle()
    return NO_ERROR
  }

  protected nextId(): number {
    return this.#home.table.number(this)
  }

  protected onSent(): void {
    this.#settle()
  }

  protected onBroken(error: ProxyError): void {
    this.#home.ends.breakOff(this, error)
  }

  /** Where both messages are complete, the stream is over. */
  #settle(): void {
    if (!this.closed && this.received && this.sent) this.#home.ends.finish(this)
  }

  /**
   * It is over before both messages are complete.
   * @param error for both bodies
   * @param tell whether the owner hears it too
   * @param whole the peer's message is complete and stands: what waits for a slow taker still goes to it
   */
  fail(error: ProxyError, tell: boolean, whole = false): void {
    this.closed = true
    if (!whole) this.#body?.fail(error)
    this.stopSending(error)
    if (tell) this.owner.onReset(error)
  }
}

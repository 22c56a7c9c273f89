import { ProxyError } from '../../sidecar/exchange/proxy-error.ts'
import { ChunkedDecoder } from '../../sidecar/http1/body-decoder.ts'
import { HeadCollector } from '../../sidecar/http1/head-collector.ts'
import { parseRequestHead, parseResponseHead } from '../../sidecar/http1/head-parser.ts'
import type { HeadLimits, RequestHead, ResponseHead } from '../../sidecar/http1/message.ts'
import type { ReadMessage, Transcript } from './transcript.ts'

export const LIMITS: HeadLimits = { headerBytes: 16_384, headerFields: 100, urlBytes: 8192 }

/**
 * Reads bytes with our codec as a connection would, but for what follows a head. The bytes may come in pieces, each in
 * memory that is overwritten as soon as it was taken.
 */
export class OwnCodec {
  readonly #kind: 'request' | 'response'
  readonly #method: string
  readonly #limits: HeadLimits
  readonly #collector: HeadCollector
  readonly #decoder: ChunkedDecoder
  readonly #messages: ReadMessage[] = []
  #current: ReadMessage | null = null
  #framing: RequestHead['framing'] | ResponseHead['framing'] = 'none'
  #left = 0
  #stopped = false
  #consumed = 0
  #error: ProxyError | null = null

  constructor(kind: 'request' | 'response', method = 'GET', limits: HeadLimits = LIMITS) {
    this.#kind = kind
    this.#method = method
    this.#limits = limits
    this.#collector = new HeadCollector(kind)
    this.#decoder = new ChunkedDecoder(kind, limits)
  }

  get error(): ProxyError | null {
    return this.#error
  }

  push(piece: Buffer): void {
    // Bytes before and after the piece look like the end of a head: nobody may read them.
    const frame = Buffer.from(`\r\n\r\n${piece.toString('latin1')}\r\n\r\n`, 'latin1')
    const end = frame.length - 4
    let at = 4
    while (at < end && !this.#stopped && this.#error === null) at = this.#take(frame, at, end)
    this.#consumed += at - 4
    frame.fill(0xdb)
  }

  /** @param ended whether the connection ends after what was pushed */
  finish(ended = false): Transcript {
    if (ended && this.#current !== null && this.#framing === 'close') this.#complete()
    if (ended && (this.#current !== null || this.#collector.partial)) {
      this.#error ??= new ProxyError('upstream_aborted', 'the connection ended in a message')
    }
    const reason =
      this.#error === null ? null : `${this.#error.reason}: ${this.#error.detail}${this.#error.cause}`
    return { messages: this.#messages, error: reason, at: this.#position(), consumed: this.#consumed }
  }

  #position(): Transcript['at'] {
    if (this.#stopped || this.#error !== null) return 'end'
    if (this.#current !== null) return 'body'
    return this.#collector.partial ? 'head' : 'boundary'
  }

  #take(bytes: Buffer, at: number, end: number): number {
    const current = this.#current
    if (current === null) return this.#head(bytes, at, end)
    if (this.#framing === 'chunked') {
      const next = this.#decoder.decode(bytes, at, end, this)
      if (this.#decoder.error !== null) this.#error = this.#decoder.error
      else if (this.#decoder.done) {
        current.trailers = this.#decoder.trailers ?? []
        this.#complete()
      }
      return next
    }
    const stop = this.#framing === 'close' ? end : Math.min(end, at + this.#left)
    this.data(bytes.subarray(at, stop))
    this.#left -= stop - at
    if (this.#framing !== 'close' && this.#left === 0) this.#complete()
    return stop
  }

  data(bytes: Buffer): void {
    if (bytes.length === 0) throw new Error('an empty piece of body')
    if (this.#current === null) throw new Error('body bytes outside of a message')
    this.#current.body += bytes.toString('latin1')
  }

  #head(bytes: Buffer, at: number, end: number): number {
    const collected = this.#collector.push(bytes, at, end, this.#limits)
    if (collected === 'more') return end
    if (collected === 'refused') {
      this.#error = this.#collector.error
      return end
    }
    const { text, bytes: own } = this.#collector
    const head =
      this.#kind === 'request'
        ? parseRequestHead(text, this.#limits, own)
        : parseResponseHead(text, this.#limits, this.#method, own)
    if (head instanceof ProxyError) {
      this.#error = head
      return end
    }
    this.#begin(head)
    return this.#collector.next
  }

  #begin(head: RequestHead | ResponseHead): void {
    const request = 'method' in head
    this.#current = {
      start: request
        ? `${head.method} ${head.target} ${head.minor}`
        : `${head.status} ${head.version === 'HTTP/1.1' ? 1 : 0}`,
      headers: head.headers,
      body: '',
      trailers: [],
      complete: false,
      keepAlive: head.keepAlive,
      last: request ? head.method === 'CONNECT' || head.upgrade.length > 0 : head.status === 101,
    }
    this.#messages.push(this.#current)
    this.#framing = head.framing
    if (head.framing === 'chunked') this.#decoder.reset()
    else if (typeof head.framing === 'number') this.#left = head.framing
    if (head.framing === 'none' || head.framing === 0) this.#complete()
  }

  #complete(): void {
    const current = this.#current
    if (current === null) throw new Error('nothing to complete')
    current.complete = true
    this.#current = null
    const informational = this.#kind === 'response' && /^1(?!01)/.test(current.start)
    this.#stopped = current.last || (!current.keepAlive && !informational)
  }
}

/** What our codec makes of bytes that come in one piece. */
export function readWhole(
  bytes: Buffer,
  kind: 'request' | 'response',
  method = 'GET',
  ended = false,
): Transcript {
  const codec = new OwnCodec(kind, method)
  codec.push(bytes)
  return codec.finish(ended)
}

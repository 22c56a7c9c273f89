import type { HeaderList } from '../exchange/headers.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import { forbiddenTrailer, passedTrailers } from '../exchange/trailers.ts'
import { bytesOf, parseFieldLines } from './field-lines.ts'
import { HeadCollector } from './head-collector.ts'
import { TOKEN_LOWER } from './header-names.ts'
import type { HeadLimits } from './message.ts'

/** Who takes the bytes of a body. They are valid until `data` returns, and never empty. */
export interface DataSink {
  data(bytes: Buffer): void
}

const TAB = 0x09
const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const QUOTE = 0x22
const SEMICOLON = 0x3b
const EQUALS = 0x3d
const BACKSLASH = 0x5c
const DELETE = 0x7f

const SIZE_DIGITS = 16
/** Bytes of one chunk line, and of all extensions of one body: nobody needs them, so many of them are an attack. */
const CHUNK_LINE_BYTES = 4096
const EXTENSION_BYTES = 16384

/** For trailers, where nobody says otherwise. */
const TRAILER_LIMITS: HeadLimits = { headerBytes: 8192, headerFields: 100, urlBytes: 0 }

const SIZE = 0
const EXTENSION_NAME = 1
const EXTENSION_VALUE = 2
const QUOTED = 3
const ESCAPED = 4
const QUOTED_END = 5
const SIZE_LF = 6
const DATA = 7
const DATA_CR = 8
const DATA_LF = 9
const TRAILERS = 10
const FINISHED = 11

/**
 * Decodes chunked bodies (RFC 9112 section 7.1), one after another. Data passes without a copy. Extensions are checked
 * and left out, trailers are bounded as a head is and filtered by name.
 */
export class ChunkedDecoder {
  /** Whether the last chunk and the trailers were read. */
  done = false
  /** What stood behind the last chunk, or null where nothing did. */
  trailers: HeaderList | null = null
  /** Why the body is refused. Nothing is decoded after it. */
  error: ProxyError | null = null

  readonly #side: 'request' | 'response'
  #limits: HeadLimits
  #state = SIZE
  /** Digits of the size read so far, its value, and what is left of the chunk. */
  #digits = 0
  #size = 0
  /** Bytes of the chunk line after the size, and of all extensions of the body. */
  #line = 0
  #extensions = 0
  #collector: HeadCollector | null = null

  /**
   * @param side whose body it is, which decides the reason of an error
   * @param limits bound the trailers as they bound a head
   */
  constructor(side: 'request' | 'response', limits: HeadLimits = TRAILER_LIMITS) {
    this.#side = side
    this.#limits = limits
  }

  /** Makes it ready for the next body. */
  reset(limits: HeadLimits = this.#limits): void {
    this.done = false
    this.trailers = null
    this.error = null
    this.#limits = limits
    this.#state = SIZE
    this.#digits = 0
    this.#size = 0
    this.#line = 0
    this.#extensions = 0
    this.#collector?.reset()
  }

  /**
   * Decodes bytes, which are the caller's again when it returns. `sink.data` must not call back into the decoder.
   *
   * @returns where the body ended if `done` is set now, else `end`; undefined meaning if `error` is set
   */
  decode(bytes: Buffer, start: number, end: number, sink: DataSink): number {
    let at = start
    while (at < end) {
      if (this.#state === DATA) {
        const stop = Math.min(end, at + this.#size)
        this.#size -= stop - at
        if (this.#size === 0) this.#state = DATA_CR
        sink.data(bytes.subarray(at, stop))
        at = stop
        continue
      }
      if (this.#state >= TRAILERS) {
        return this.#state === TRAILERS && this.error === null ? this.#trailers(bytes, at, end) : at
      }
      if (!this.#step(bytes[at] as number)) return at
      at++
    }
    return at
  }

  /** Takes one byte of a chunk line or of the CRLF after a chunk. */
  #step(byte: number): boolean {
    switch (this.#state) {
      case SIZE: {
        const digit = hexDigit(byte)
        if (digit >= 0) {
          if (++this.#digits > SIZE_DIGITS) return this.#refuse('a chunk size is too long')
          this.#size = this.#size * 16 + digit
          if (this.#size > Number.MAX_SAFE_INTEGER) return this.#refuse('a chunk size is too large')
          return true
        }
        if (this.#digits === 0) return this.#refuse('a chunk does not begin with its size')
        if (byte === CR) this.#state = SIZE_LF
        else if (byte === SEMICOLON) this.#state = EXTENSION_NAME
        else return this.#refuse('a chunk size is malformed')
        return true
      }
      case SIZE_LF:
        if (byte !== LF) return this.#refuse('a chunk line ends with a bare CR')
        this.#state = this.#size > 0 ? DATA : TRAILERS
        this.#digits = 0
        this.#line = 0
        return true
      case DATA_CR:
        if (byte !== CR) return this.#refuse('a chunk is not as long as its size says')
        this.#state = DATA_LF
        return true
      case DATA_LF:
        if (byte !== LF) return this.#refuse('a chunk ends with a bare CR')
        this.#state = SIZE
        return true
      default:
        return this.#extension(byte)
    }
  }

  /** Takes one byte of chunk extensions (RFC 9112 section 7.1.1), without the white space that once was allowed. */
  #extension(byte: number): boolean {
    if (++this.#line > CHUNK_LINE_BYTES || ++this.#extensions > EXTENSION_BYTES) {
      return this.#refuse('there are more chunk extensions than allowed')
    }
    const token = TOKEN_LOWER[byte] !== 0
    switch (this.#state) {
      case EXTENSION_NAME:
        if (token) {
          this.#digits = 0
          return true
        }
        // `#digits` tells whether the name has a character yet: it is 0 after the first one.
        if (this.#digits > 0) break
        if (byte === EQUALS) {
          this.#state = EXTENSION_VALUE
          this.#digits = 1
          return true
        }
        return this.#extensionEnd(byte)
      case EXTENSION_VALUE:
        if (token) {
          this.#digits = 0
          return true
        }
        if (this.#digits > 0) {
          if (byte !== QUOTE) break
          this.#state = QUOTED
          return true
        }
        return this.#extensionEnd(byte)
      case QUOTED:
        if (byte === QUOTE) this.#state = QUOTED_END
        else if (byte === BACKSLASH) this.#state = ESCAPED
        else if (!isText(byte)) break
        return true
      case ESCAPED:
        if (!isText(byte)) break
        this.#state = QUOTED
        return true
      default:
        return this.#extensionEnd(byte)
    }
    return this.#refuse('a chunk extension is malformed')
  }

  #extensionEnd(byte: number): boolean {
    if (byte === CR) this.#state = SIZE_LF
    else if (byte === SEMICOLON) {
      this.#state = EXTENSION_NAME
      this.#digits = 1
    } else return this.#refuse('a chunk extension is malformed')
    return true
  }

  #trailers(bytes: Buffer, start: number, end: number): number {
    this.#collector ??= new HeadCollector(this.#side === 'request' ? 'request trailers' : 'response trailers')
    const collected = this.#collector.push(bytes, start, end, this.#limits)
    if (collected === 'more') return end
    if (collected === 'refused') {
      this.error = this.#collector.error
      return end
    }
    const next = this.#collector.next
    const text = this.#collector.text
    // The text is not kept: a collector lives as long as its connection.
    this.#collector.reset()
    if (text.length > 2) {
      const all: HeaderList = []
      const fault = parseFieldLines(text, bytesOf(text), 0, this.#limits.headerFields, all)
      if (fault !== null) {
        this.#refuse(fault)
        return end
      }
      const forbidden = forbiddenTrailer(all)
      if (forbidden !== null) {
        this.#refuse(`the field ${forbidden} must not be a trailer`)
        return end
      }
      this.trailers = passedTrailers(all, this.#side)
    }
    this.#state = FINISHED
    this.done = true
    return next
  }

  #refuse(detail: string): false {
    this.#state = FINISHED
    this.error =
      this.#side === 'request'
        ? new ProxyError('bad_request', detail)
        : new ProxyError('upstream_bad_response', '', { cause: detail })
    return false
  }
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

/** Whether a byte may stand in a quoted string. */
function isText(byte: number): boolean {
  return byte >= SPACE ? byte !== DELETE : byte === TAB
}

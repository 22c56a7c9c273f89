import { ProxyError, type Reason } from '../exchange/proxy-error.ts'
import { TOO_MANY_FIELDS } from './field-lines.ts'
import { TOKEN_LOWER } from './header-names.ts'
import type { HeadLimits } from './message.ts'

/** What a push came to: more bytes are needed, a head is complete, or what came is refused. */
export type Collected = 'more' | 'head' | 'refused'

/** What is collected: the head of a request or of a response, or the trailer section of a body of either. */
export type HeadKind = 'request' | 'response' | 'request trailers' | 'response trailers'

const TAB = 0x09
const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const COLON = 0x3a
const CAPITAL_H = 0x48
const DELETE = 0x7f

const FIRST_PIECE = 1024

// Where the scan of a head in pieces stands. Up to `REQUEST_LINE_END` it is in a request line.
const METHOD = 0
const TARGET = 1
const VERSION = 2
const REQUEST_LINE_END = VERSION
const STATUS_LINE = 3
const LINE_START = 4
const NAME = 5
const VALUE = 6
const LINE_LF = 7
const LAST_LF = 8

/**
 * Collects one head after another from the bytes of a connection, as text ready for the parser.
 *
 * The plain path is a head that lies whole in the bytes given: it is found, decoded once, and nothing is kept. What is
 * not whole is copied into memory that the collector owns until the head is complete, so that the bytes given are never
 * needed after `push` returned. The scan goes on where it stopped and looks at each byte once: what no further byte
 * could make valid is refused at once, and not when a clock runs out. It refuses nothing that the parser would accept.
 *
 * Before a request at most one empty line is skipped (RFC 9112 section 2.2).
 */
export class HeadCollector {
  /** After `head`: the head as latin1, up to and including the empty line. */
  text = ''
  /**
   * After `head`: bytes that begin with the head, where the ones given to this push do; valid as long as they are. Null:
   * they do not.
   */
  bytes: Buffer | null = null
  /** After `head`: where in the bytes given to this push the head ended; there the body, or the next head, begins. */
  next = 0
  readonly #kind: HeadKind
  #error: ProxyError | null = null
  readonly #firstState: number
  /** The part of a head that came so far; null while nothing is kept. */
  #held: Buffer | null = null
  #length = 0
  #state: number
  #fields = 0
  /** Bytes of the target, or of the version, so far. */
  #run = 0
  #skipped: 'nothing' | 'CR' | 'CRLF' = 'nothing'

  constructor(kind: HeadKind) {
    this.#kind = kind
    this.#firstState = kind === 'request' ? METHOD : kind === 'response' ? STATUS_LINE : LINE_START
    this.#state = this.#firstState
  }

  /** Whether a head has begun and is not complete. An empty line before it does not begin it. */
  get partial(): boolean {
    return this.#length > 0
  }

  /** After `refused`: why. Every further push is refused as well. */
  get error(): ProxyError {
    if (this.#error === null) throw new Error('nothing was refused')
    return this.#error
  }

  /** Gives up a partial head and a refusal. */
  reset(): void {
    this.text = ''
    this.bytes = null
    this.#error = null
    this.#begin()
  }

  /**
   * Takes bytes, which are the caller's again when it returns.
   *
   * @returns `head`: `text` and `next` are set, and the bytes from `next` on were not looked at; `more`: all bytes were
   * taken; `refused`: `error` is set
   */
  push(bytes: Buffer, start: number, end: number, limits: HeadLimits): Collected {
    if (this.#error !== null) return 'refused'
    let from = start
    if (this.#length === 0) {
      if (this.#kind === 'request') {
        from = this.#skipEmptyLine(bytes, from, end)
        if (from < 0) return this.#refuse('the request does not begin with a method')
      }
      if (from >= end) return 'more'
      if (this.#kind === 'request' || this.#kind === 'response') {
        const first = bytes[from] as number
        if (this.#kind === 'request') {
          if (TOKEN_LOWER[first] === 0) return this.#refuse('the request does not begin with a method')
        } else if (first !== CAPITAL_H)
          return this.#refuse('the response does not begin with an HTTP version')
        const headEnd = findEnd(bytes, from, Math.min(end, from + limits.headerBytes))
        // A head over the limit is scanned, to find out which limit it is.
        if (headEnd > 0) {
          this.text = bytes.toString('latin1', from, headEnd)
          this.bytes = from === 0 ? bytes : null
          this.next = headEnd
          this.#skipped = 'nothing'
          return 'head'
        }
      }
    }
    return this.#scan(bytes, from, end, limits)
  }

  /** Looks at each byte that came, then keeps them all, completes the head or refuses it. */
  #scan(bytes: Buffer, start: number, end: number, limits: HeadLimits): Collected {
    const stop = Math.min(end, start + limits.headerBytes - this.#length)
    let state = this.#state
    for (let at = start; at < stop; at++) {
      const byte = bytes[at] as number
      switch (state) {
        case VALUE:
        case STATUS_LINE:
          if (byte >= SPACE ? byte !== DELETE : byte === TAB) break
          if (byte !== CR) return this.#refuse('the head contains a control character')
          state = LINE_LF
          break
        case NAME:
          if (byte === COLON) state = VALUE
          else if (TOKEN_LOWER[byte] === 0)
            return this.#refuse('a header field has no colon directly after its name')
          break
        case LINE_LF:
          if (byte !== LF) return this.#refuse('a line of the head ends with a bare CR')
          state = LINE_START
          break
        case LINE_START:
          if (byte === CR) {
            state = LAST_LF
            break
          }
          if (TOKEN_LOWER[byte] === 0) return this.#refuse('a header line does not begin with a field name')
          if (++this.#fields > limits.headerFields) return this.#refuse(TOO_MANY_FIELDS, 'headers_too_large')
          state = NAME
          break
        case LAST_LF:
          if (byte !== LF) return this.#refuse('the head ends with a bare CR')
          return this.#complete(bytes, start, at + 1)
        case METHOD:
          if (byte === SPACE && this.#length + at > start) state = TARGET
          else if (TOKEN_LOWER[byte] === 0) return this.#refuse('the request does not begin with a method')
          break
        case TARGET:
          if (byte === SPACE && this.#run > 0) {
            state = VERSION
            this.#run = 0
            break
          }
          if (byte <= SPACE || byte >= DELETE) {
            return this.#refuse('the request target contains a character that does not belong there')
          }
          if (++this.#run > limits.urlBytes) return this.#refuse('', 'uri_too_long')
          break
        default:
          if (!isVersionByte(byte, this.#run++)) {
            return this.#refuse('the request line does not end with an HTTP version')
          }
          if (byte === CR) state = LINE_LF
      }
    }
    this.#state = state
    if (stop < end) {
      return this.#refuse('', state <= REQUEST_LINE_END ? 'uri_too_long' : 'headers_too_large')
    }
    this.#keep(bytes, start, end)
    return 'more'
  }

  #complete(bytes: Buffer, start: number, end: number): Collected {
    this.bytes = null
    if (this.#held === null) this.text = bytes.toString('latin1', start, end)
    else {
      this.#keep(bytes, start, end)
      this.text = this.#held.toString('latin1', 0, this.#length)
    }
    this.next = end
    this.#begin()
    return 'head'
  }

  #keep(bytes: Buffer, start: number, end: number): void {
    const length = this.#length + end - start
    if (this.#held === null || this.#held.length < length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(FIRST_PIECE, 2 ** Math.ceil(Math.log2(length))))
      this.#held?.copy(larger, 0, 0, this.#length)
      this.#held = larger
    }
    bytes.copy(this.#held, this.#length, start, end)
    this.#length = length
  }

  #begin(): void {
    this.#held = null
    this.#length = 0
    this.#state = this.#firstState
    this.#fields = 0
    this.#run = 0
    this.#skipped = 'nothing'
  }

  /** Where the head begins, or -1 where a bare CR stands before it. */
  #skipEmptyLine(bytes: Buffer, start: number, end: number): number {
    let at = start
    if (this.#skipped === 'nothing' && at < end && bytes[at] === CR) {
      this.#skipped = 'CR'
      at++
    }
    if (this.#skipped === 'CR' && at < end) {
      if (bytes[at] !== LF) return -1
      this.#skipped = 'CRLF'
      at++
    }
    return at
  }

  #refuse(detail: string, reason: Reason = 'bad_request'): Collected {
    this.#begin()
    if (this.#kind === 'response' || this.#kind === 'response trailers') {
      const cause = detail === '' ? 'the head is larger than allowed' : detail
      this.#error = new ProxyError('upstream_bad_response', '', { cause })
    } else this.#error = new ProxyError(reason, detail)
    return 'refused'
  }
}

/**
 * Where the head that begins at `start` ends, or -1 where its end is not among these bytes. Its first byte is neither CR
 * nor LF. Of its last four bytes one is met by looking at every fourth; for heads of a usual size that is faster than a
 * search by the engine, which moreover does not know where to stop.
 */
function findEnd(bytes: Buffer, start: number, end: number): number {
  for (let at = start + 3; at < end; at += 4) {
    const byte = bytes[at] as number
    if (byte > CR) continue
    if (byte === CR) {
      if (isEnd(bytes, at + 2, end)) return at + 2
      if (isEnd(bytes, at + 4, end)) return at + 4
    } else if (byte === LF) {
      if (isEnd(bytes, at + 1, end)) return at + 1
      if (isEnd(bytes, at + 3, end)) return at + 3
    }
  }
  return -1
}

function isEnd(bytes: Buffer, at: number, end: number): boolean {
  if (at > end) return false
  return bytes[at - 1] === LF && bytes[at - 2] === CR && bytes[at - 3] === LF && bytes[at - 4] === CR
}

/** Whether a byte may stand at this place of `HTTP/1.1` and the CR after it, whatever the digits. */
function isVersionByte(byte: number, place: number): boolean {
  if (place === 5 || place === 7) return byte >= 0x30 && byte <= 0x39
  return byte === 'HTTP/ . \r'.charCodeAt(place)
}

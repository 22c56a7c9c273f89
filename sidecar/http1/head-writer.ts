import { type HeaderList, WIRE_VALUE } from '../exchange/headers.ts'
import type { Clock } from '../runtime/clock.ts'
import { internalised, isToken } from './header-names.ts'
import type { Framing } from './message.ts'

/** What the writer itself puts into a response head. */
export interface ResponseOptions {
  /** The value of `date`, or null for none. */
  readonly date: string | null
  /** The value of `connection`, or null for none. */
  readonly connection: 'close' | 'keep-alive' | 'upgrade' | null
  /** A length to declare where no body follows (HEAD, 304), or null. Only with framing `none`. */
  readonly length: number | null
}

// RFC 9110 section 15 and the IANA registry.
const REASONS: Readonly<Record<number, string>> = {
  100: 'Continue',
  101: 'Switching Protocols',
  102: 'Processing',
  103: 'Early Hints',
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  203: 'Non-Authoritative Information',
  204: 'No Content',
  205: 'Reset Content',
  206: 'Partial Content',
  207: 'Multi-Status',
  208: 'Already Reported',
  226: 'IM Used',
  300: 'Multiple Choices',
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  304: 'Not Modified',
  305: 'Use Proxy',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  411: 'Length Required',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  416: 'Range Not Satisfiable',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  423: 'Locked',
  424: 'Failed Dependency',
  425: 'Too Early',
  426: 'Upgrade Required',
  428: 'Precondition Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  451: 'Unavailable For Legal Reasons',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
  506: 'Variant Also Negotiates',
  507: 'Insufficient Storage',
  508: 'Loop Detected',
  511: 'Network Authentication Required',
}

// Status lines of all statuses, made once: a status is an index.
const STATUS_LINES: readonly string[] = Array.from(
  { length: 600 },
  (_, status) => `HTTP/1.1 ${status} ${REASONS[status] ?? ''}\r\n`,
)

const TARGET = /^[\x21-\x7e]+$/

/**
 * The head of a request as one byte string.
 *
 * @param target as it goes on the wire: origin-form, or `*`
 * @param host the value of `host`, which stands first
 * @param headers names in lower case; without host, content-length and transfer-encoding
 * @param framing decides content-length or transfer-encoding; `none` writes neither
 * @throws Error where a part does not fit its place, which would be request splitting: a bug of whoever made it
 */
export function writeRequestHead(
  method: string,
  target: string,
  host: string,
  headers: HeaderList,
  framing: number | 'chunked' | 'none',
): string {
  if (!isToken(method)) throw new Error('a method is no token')
  if (!TARGET.test(target))
    throw new Error('a request target contains a character that does not belong there')
  if (!WIRE_VALUE.test(host)) throw new Error('a host contains a control or a wide character')
  return (
    `${method} ${target} HTTP/1.1\r\nhost: ${host}\r\n` + fieldLines(headers) + framingLine(framing) + '\r\n'
  )
}

/**
 * The head of a response as one byte string, always as HTTP/1.1 (RFC 9110 section 6.2).
 *
 * @param status from 100 to 599
 * @param headers names in lower case; without content-length, transfer-encoding and connection
 * @param framing decides content-length or transfer-encoding; `close` and `none` write neither
 * @throws Error where a part does not fit its place, which would be response splitting: a bug of whoever made it
 */
export function writeResponseHead(
  status: number,
  headers: HeaderList,
  framing: Framing,
  options: ResponseOptions,
): string {
  const line = STATUS_LINES[status]
  if (line === undefined || status < 100) throw new Error('a status is not from 100 to 599')
  let head = line + fieldLines(headers)
  if (options.date !== null) head += `date: ${options.date}\r\n`
  if (options.connection !== null) head += `connection: ${options.connection}\r\n`
  return head + framingLine(framing === 'none' && options.length !== null ? options.length : framing) + '\r\n'
}

/** The line before the data of a chunk (RFC 9112 section 7.1). `size` is not 0. */
export function chunkHead(size: number): string {
  return size.toString(16) + '\r\n'
}

/** The end of a chunked body, with its trailers if there are any. */
export function lastChunk(trailers: HeaderList | null): string {
  return trailers === null ? '0\r\n\r\n' : `0\r\n${fieldLines(trailers)}\r\n`
}

function framingLine(framing: Framing): string {
  if (framing === 'chunked') return 'transfer-encoding: chunked\r\n'
  return typeof framing === 'number' ? `content-length: ${framing}\r\n` : ''
}

/** How lines with a name begin, for names that were checked. Forgotten as a whole when there are too many. */
const lineStarts = new Map<string, string>()
const LINE_STARTS = 1024
const LONGEST_KEPT = 64

/**
 * Every name and value is checked here again, wherever it came from: this is the one place where fields go out, and a
 * character beyond 0xff would become another one, perhaps a line feed, when it is written as latin1.
 */
function fieldLines(headers: HeaderList): string {
  let lines = ''
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    const value = headers[i + 1] as string
    const start = lineStarts.get(name) ?? lineStart(name)
    if (!WIRE_VALUE.test(value))
      throw new Error(`the value of ${name} contains a control or a wide character`)
    lines += start + value + '\r\n'
  }
  return lines
}

function lineStart(name: string): string {
  if (!isToken(name)) throw new Error('a header name is no token')
  const start = `${name}: `
  if (name.length > LONGEST_KEPT) return start
  if (lineStarts.size >= LINE_STARTS) lineStarts.clear()
  const kept = internalised(start)
  lineStarts.set(internalised(name), kept)
  return kept
}

/** The value of `date` (RFC 9110 section 6.6.1), made anew when the second changes. */
export class DateHeader {
  readonly #clock: Clock
  #second = NaN
  #value = ''
  constructor(clock: Clock) {
    this.#clock = clock
  }
  /** The present time as an IMF-fixdate. */
  get value(): string {
    const second = Math.floor(this.#clock.wall() / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#value = new Date(second * 1000).toUTCString()
    }
    return this.#value
  }
}

// A small and very strict reading of HTTP/1.1 messages, written independently of the codec that it judges: whole
// buffers, one regular expression a line, and an error for whatever is not exactly as RFC 9112 writes it.

/** A message as it stood on the wire. */
export interface WireMessage {
  /** Names as sent, values as byte strings, in order. */
  readonly raw: readonly (readonly [name: string, value: string])[]
  /** By lower-case name; several lines joined with `, `. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  readonly trailers: readonly (readonly [name: string, value: string])[]
  readonly framing: 'length' | 'chunked' | 'close' | 'none'
  /** How many bytes it took. */
  readonly length: number
}

export interface WireRequest extends WireMessage {
  readonly method: string
  readonly target: string
  readonly version: string
}

export interface WireResponse extends WireMessage {
  readonly status: number
  readonly version: string
  readonly statusText: string
  /** False where the connection ended before the body did. */
  readonly complete: boolean
  /** The status codes and heads of 1xx responses before it. */
  readonly informational: readonly { status: number; headers: Readonly<Record<string, string>> }[]
}

/** What bytes hold that are not a well-formed message. */
export class MalformedMessage extends Error {}

const REQUEST_LINE = /^([!#$%&'*+\-.^_`|~\w]+) ([\x21-\x7e]+) (HTTP\/1\.[01])$/
const STATUS_LINE = /^(HTTP\/1\.[01]) ([1-9]\d\d) ([\t\x20-\x7e\x80-\xff]*)$/
const FIELD_LINE =
  /^([!#$%&'*+\-.^_`|~\w]+):[\t ]*((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[\t ]*$/
const LENGTH = /^\d{1,15}$/
const CHUNK_LINE = /^([\da-fA-F]{1,12})(?:;[\t\x20-\x7e\x80-\xff]*)?$/

interface Head {
  readonly start: string
  readonly raw: (readonly [string, string])[]
  readonly headers: Record<string, string>
  readonly end: number
}

interface Body {
  readonly bytes: Buffer
  readonly trailers: (readonly [string, string])[]
  readonly end: number
}

/**
 * Reads the request that begins at `from`. Null where it is not complete yet.
 * @throws MalformedMessage
 */
export function readRequest(bytes: Buffer, from = 0): WireRequest | null {
  const head = readHead(bytes, from)
  if (head === null) return null
  const [, method, target, version] = REQUEST_LINE.exec(head.start) ?? []
  if (method === undefined || target === undefined || version === undefined) {
    throw new MalformedMessage(`request line ${JSON.stringify(head.start)}`)
  }
  const hosts = head.raw.filter(([name]) => name.toLowerCase() === 'host').length
  if (hosts > 1 || (version === 'HTTP/1.1' && hosts === 0)) throw new MalformedMessage(`${hosts} host fields`)
  const framing = framingOf(head, 'none')
  const body = readBody(bytes, head, framing)
  if (body === null) return null
  return { method, target, version, ...message(head, body, framing, from) }
}

/**
 * All requests that the bytes of one connection hold, in order.
 * @throws MalformedMessage where a byte belongs to no well-formed request
 */
export function readRequests(bytes: Buffer): { requests: WireRequest[]; rest: Buffer } {
  const requests: WireRequest[] = []
  let at = 0
  while (at < bytes.length) {
    const request = readRequest(bytes, at)
    if (request === null) break
    requests.push(request)
    at += request.length
  }
  return { requests, rest: bytes.subarray(at) }
}

/**
 * Reads the final response at the beginning of `bytes`, informational ones before it included. Null where it is not
 * complete and the connection has not ended.
 * @param method what was asked: a response to HEAD has no body
 * @param ended whether no more bytes will come
 * @throws MalformedMessage
 */
export function readResponse(bytes: Buffer, method: string, ended: boolean): WireResponse | null {
  const informational: { status: number; headers: Record<string, string> }[] = []
  let from = 0
  for (;;) {
    const head = readHead(bytes, from)
    if (head === null) return null
    const [, version, code, statusText] = STATUS_LINE.exec(head.start) ?? []
    if (version === undefined || statusText === undefined) {
      throw new MalformedMessage(`status line ${JSON.stringify(head.start)}`)
    }
    const status = Number(code)
    if (status < 200 && status !== 101) {
      informational.push({ status, headers: head.headers })
      from = head.end
      continue
    }
    const bodiless = status === 101 || status === 204 || status === 304 || method === 'HEAD'
    const connected = method === 'CONNECT' && status < 300
    const framing = bodiless || connected ? 'none' : framingOf(head, 'close')
    const whole = framing === 'close' && !ended ? null : readBody(bytes, head, framing)
    if (whole === null && !ended) return null
    const body = whole ?? { bytes: bytes.subarray(head.end), trailers: [], end: bytes.length }
    const rest = { status, version, statusText, complete: whole !== null, informational }
    return { ...rest, ...message(head, body, framing, 0) }
  }
}

function message(head: Head, body: Body, framing: WireMessage['framing'], from: number): WireMessage {
  const { raw, headers } = head
  return {
    raw,
    headers,
    body: Buffer.from(body.bytes),
    trailers: body.trailers,
    framing,
    length: body.end - from,
  }
}

function readHead(bytes: Buffer, from: number): Head | null {
  const at = bytes.indexOf('\r\n\r\n', from)
  if (at < 0) {
    // Not complete; but what can never become right is wrong now.
    const text = bytes.toString('latin1', from)
    if (/(^|[^\r])\n|\r[^\n]|\0/.test(text)) throw new MalformedMessage(`line end in ${JSON.stringify(text)}`)
    return null
  }
  const [start = '', ...lines] = bytes.toString('latin1', from, at).split('\r\n')
  const raw = lines.map(readField)
  const headers: Record<string, string> = Object.create(null) as Record<string, string> // no prototype's names
  for (const [name, value] of raw) {
    const key = name.toLowerCase()
    headers[key] = headers[key] === undefined ? value : `${headers[key]}, ${value}`
  }
  return { start, raw, headers, end: at + 4 }
}

function readField(line: string): readonly [string, string] {
  const [, name, value] = FIELD_LINE.exec(line) ?? []
  if (name === undefined || value === undefined)
    throw new MalformedMessage(`field line ${JSON.stringify(line)}`)
  return [name, value]
}

function framingOf(head: Head, otherwise: 'close' | 'none'): WireMessage['framing'] {
  const coding = head.headers['transfer-encoding']
  const length = head.headers['content-length']
  if (coding !== undefined) {
    if (length !== undefined) throw new MalformedMessage('transfer-encoding with content-length')
    if (coding.toLowerCase() !== 'chunked') throw new MalformedMessage(`transfer-encoding ${coding}`)
    return 'chunked'
  }
  if (length === undefined) return otherwise
  if (!LENGTH.test(length)) throw new MalformedMessage(`content-length ${length}`)
  return 'length'
}

function readBody(bytes: Buffer, head: Head, framing: WireMessage['framing']): Body | null {
  if (framing === 'none') return { bytes: Buffer.alloc(0), trailers: [], end: head.end }
  if (framing === 'close') return { bytes: bytes.subarray(head.end), trailers: [], end: bytes.length }
  if (framing === 'chunked') return readChunks(bytes, head.end)
  const end = head.end + Number(head.headers['content-length'])
  return end > bytes.length ? null : { bytes: bytes.subarray(head.end, end), trailers: [], end }
}

function readChunks(bytes: Buffer, from: number): Body | null {
  const chunks: Buffer[] = []
  let at = from
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at)
    if (lineEnd < 0) return null
    const line = bytes.toString('latin1', at, lineEnd)
    const [, digits] = CHUNK_LINE.exec(line) ?? []
    if (digits === undefined) throw new MalformedMessage(`chunk line ${JSON.stringify(line)}`)
    const size = Number.parseInt(digits, 16)
    at = lineEnd + 2
    if (size === 0) break
    if (at + size + 2 > bytes.length) return null
    if (bytes.toString('latin1', at + size, at + size + 2) !== '\r\n') {
      throw new MalformedMessage(`no line end behind a chunk of ${size} bytes`)
    }
    chunks.push(bytes.subarray(at, at + size))
    at += size + 2
  }
  const trailers: (readonly [string, string])[] = []
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at)
    if (lineEnd < 0) return null
    const line = bytes.toString('latin1', at, lineEnd)
    at = lineEnd + 2
    if (line === '') return { bytes: Buffer.concat(chunks), trailers, end: at }
    trailers.push(readField(line))
  }
}

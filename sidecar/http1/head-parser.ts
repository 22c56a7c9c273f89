import type { HeaderList } from '../exchange/headers.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import { bytesOf, parseFieldLines, TOO_MANY_FIELDS } from './field-lines.ts'
import { FramingFields } from './framing.ts'
import { TOKEN_LOWER } from './header-names.ts'
import type { Framing, HeadLimits, Parsed, RequestHead, ResponseHead } from './message.ts'

const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const HASH = 0x23
const DOT = 0x2e
const SLASH = 0x2f
const ZERO = 0x30
const DELETE = 0x7f
const NO_MEMBERS: readonly string[] = []

// Methods that need no new string. Any other token is a method too; whether it is known is asked later.
const METHODS: readonly string[] = ['GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'OPTIONS', 'PATCH', 'CONNECT']

// A host as RFC 3986 writes it, and no user information before it.
const AUTHORITY_FORM = /^(?:[\w.~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$/
const ABSOLUTE_FORM = /^[A-Za-z]+:\/\/(?:[\w.~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?(?:[/?]|$)/

const requestFields = new FramingFields()
const responseFields = new FramingFields()

/**
 * Parses the head of an HTTP/1.x request. Accepts less than the grammar of RFC 9112 allows a recipient to, and nothing
 * beyond it: what two servers might read in two ways is refused.
 *
 * @param text the head as latin1, from the first byte of the request line to the empty line, both included
 * @param given bytes that begin with the head, where they are at hand and its empty line is known to be there: they are read
 *   in place of the text
 * @returns the head, or `bad_request`, `http_version`, `uri_too_long`, `headers_too_large`, `expectation_failed`
 */
export function parseRequestHead(
  text: string,
  limits: HeadLimits,
  given: Buffer | null = null,
): Parsed<RequestHead> {
  const bytes = given ?? bytesOf(text)
  let at = 0
  while (TOKEN_LOWER[bytes[at] as number] !== 0) at++
  if (at === 0) return bad('the request does not begin with a method')
  if (bytes[at] !== SPACE) return bad('the method is not followed by one space')
  const method = methodOf(text, at)

  const start = ++at
  let code = bytes[at] as number
  while (code > SPACE && code < DELETE && code !== HASH) code = bytes[++at] as number
  if (at - start > limits.urlBytes) return new ProxyError('uri_too_long')
  if (code !== SPACE) {
    if (code === CR) return bad('the request line names no version')
    return bad('the request target contains a character that does not belong there')
  }
  const target = text.slice(start, at)
  if (!isTarget(method, target)) return bad('the request target has none of the forms allowed for the method')

  const minor = minorVersion(text, ++at)
  if (typeof minor !== 'number') {
    if (minor === 'unsupported')
      return new ProxyError('http_version', 'only HTTP/1.1 and HTTP/1.0 are spoken here')
    return bad('the request line does not end with an HTTP version')
  }
  if (bytes[at + 8] !== CR || bytes[at + 9] !== LF) return bad('the request line is malformed')
  if (text.length > limits.headerBytes) return new ProxyError('headers_too_large')

  const headers: HeaderList = []
  const fault = parseFieldLines(text, bytes, at + 10, limits.headerFields, headers)
  if (fault !== null)
    return fault === TOO_MANY_FIELDS ? new ProxyError('headers_too_large', fault) : bad(fault)

  const fields = requestFields
  fields.read(headers)
  if (fields.fault !== null) return bad(fields.fault)
  if (fields.hosts > 1) return bad('there is more than one host field')
  if (minor === 1 && fields.host === '') return bad('there is no host field, or an empty one')
  if (fields.chunked && minor === 0) return bad('transfer-encoding does not belong in HTTP/1.0')
  const framing = fields.chunked ? 'chunked' : fields.length >= 0 ? fields.length : 'none'
  const hasBody = framing !== 'none' && framing !== 0
  if (hasBody && method === 'CONNECT') return bad('a CONNECT request has no body')

  let expectsContinue = false
  if (fields.expect !== null) {
    if (fields.expect !== '100-continue' && fields.expect.toLowerCase() !== '100-continue') {
      return new ProxyError('expectation_failed')
    }
    expectsContinue = minor === 1 && hasBody
  }
  return {
    method,
    target,
    minor,
    headers,
    framing,
    host: fields.hosts === 1 ? fields.host : null,
    keepAlive: minor === 1 ? !fields.close : fields.keepAlive && !fields.close,
    expectsContinue,
    upgrade:
      minor === 1 && fields.namesUpgrade && fields.upgrade !== null
        ? upgradeMembers(fields.upgrade)
        : NO_MEMBERS,
  }
}

/**
 * Parses the head of an HTTP/1.x response, as strictly as requests are.
 *
 * @param text the head as latin1, from the first byte of the status line to the empty line, both included
 * @param requestMethod the method of the request it answers: HEAD has no body; CONNECT is never asked of an upstream
 * @param given bytes that begin with the head, where they are at hand and its empty line is known to be there: they are read
 *   in place of the text
 * @returns the head, or `upstream_bad_response` with the fault as its cause
 */
export function parseResponseHead(
  text: string,
  limits: HeadLimits,
  requestMethod: string,
  given: Buffer | null = null,
): Parsed<ResponseHead> {
  const bytes = given ?? bytesOf(text)
  const minor = minorVersion(text, 0)
  if (typeof minor !== 'number' || bytes[8] !== SPACE)
    return badResponse('the status line begins with no HTTP/1.x version')
  const hundreds = text.charCodeAt(9) - ZERO
  const tens = text.charCodeAt(10) - ZERO
  const ones = text.charCodeAt(11) - ZERO
  // Written so that NaN, beyond the end of the text, is refused as well.
  if (!(hundreds >= 1 && hundreds <= 5 && tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9)) {
    return badResponse('the status is not a number from 100 to 599')
  }
  const status = hundreds * 100 + tens * 10 + ones
  let at = 12
  let code = bytes[at] as number
  let reason = ''
  if (code === SPACE) {
    const start = ++at
    code = bytes[at] as number
    while ((code >= SPACE && code !== DELETE) || code === 0x09) code = bytes[++at] as number
    reason = text.slice(start, at)
  }
  if (code !== CR || bytes[at + 1] !== LF) return badResponse('the status line is malformed')
  if (text.length > limits.headerBytes) return badResponse('the head is larger than allowed')

  const headers: HeaderList = []
  const fault = parseFieldLines(text, bytes, at + 2, limits.headerFields, headers)
  if (fault !== null) return badResponse(fault)

  const fields = responseFields
  fields.read(headers)
  if (fields.fault !== null) return badResponse(fields.fault)
  if (status < 200) {
    if (minor === 0) return badResponse('informational responses do not belong in HTTP/1.0')
    if (fields.close && status !== 101) return badResponse('an informational response closes the connection')
    if (fields.length > 0) return badResponse('an informational response has a length')
  }
  if (fields.chunked) {
    if (minor === 0) return badResponse('transfer-encoding does not belong in HTTP/1.0')
    if (status < 200 || status === 204) return badResponse('this status allows no transfer-encoding')
  }
  let framing: Framing = 'close'
  if (status < 200 || status === 204 || status === 304 || requestMethod === 'HEAD') framing = 'none'
  else if (fields.chunked) framing = 'chunked'
  else if (fields.length >= 0) framing = fields.length
  return {
    status,
    reason,
    version: minor === 1 ? 'HTTP/1.1' : 'HTTP/1.0',
    headers,
    framing,
    keepAlive: framing !== 'close' && !fields.close && (minor === 1 || fields.keepAlive),
    keepAliveHint: fields.hint === null ? null : hintSeconds(fields.hint),
  }
}

/** The minor version of the `HTTP/1.x` at this place, or what stands there instead of it. */
function minorVersion(text: string, at: number): 0 | 1 | 'unsupported' | 'malformed' {
  if (!text.startsWith('HTTP/', at)) return 'malformed'
  const major = text.charCodeAt(at + 5) - ZERO
  const minor = text.charCodeAt(at + 7) - ZERO
  if (text.charCodeAt(at + 6) !== DOT || !(major >= 1 && major <= 9 && minor >= 0 && minor <= 9))
    return 'malformed'
  if (major === 1 && minor <= 1) return minor === 1 ? 1 : 0
  return 'unsupported'
}

function methodOf(text: string, length: number): string {
  for (const method of METHODS) if (method.length === length && text.startsWith(method)) return method
  return text.slice(0, length)
}

/** Whether a target has one of the four forms of RFC 9112 section 3.2, as far as its beginning tells. */
function isTarget(method: string, target: string): boolean {
  if (method === 'CONNECT') return AUTHORITY_FORM.test(target)
  return target.charCodeAt(0) === SLASH || target === '*' || ABSOLUTE_FORM.test(target)
}

function upgradeMembers(value: string): readonly string[] {
  const members: string[] = []
  for (const part of value.split(',')) {
    const member = part.trim().toLowerCase()
    if (member !== '') members.push(member)
  }
  return members
}

/** Seconds of `timeout=N` in a `keep-alive` field; null where it names none. */
function hintSeconds(value: string): number | null {
  const match = /(?:^|[,;\s])timeout\s*=\s*"?([0-9]{1,9})(?![0-9])/i.exec(value)
  return match === null ? null : Number(match[1])
}

function bad(detail: string): ProxyError {
  return new ProxyError('bad_request', detail)
}

function badResponse(cause: string): ProxyError {
  return new ProxyError('upstream_bad_response', '', { cause })
}

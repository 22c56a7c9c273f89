import type { HeaderList } from '../exchange/headers.ts'
import type { ResponseHead } from '../exchange/outgoing.ts'
import { ProxyError } from '../exchange/proxy-error.ts'

/** The head of a response, and what it says of the body behind it. */
export interface CheckedHead extends ResponseHead {
  /** What DATA has to sum up to; `none` where there may be none of it. */
  readonly expected: number | 'unknown' | 'none'
  /** The length that the head names, whether or not a body of it follows (HEAD, 304); -1: none. */
  readonly declared: number
}

const DIGITS = /^[0-9]{1,16}$/
const STATUS = /^[1-5][0-9]{2}$/

/** What belongs to a connection of HTTP/1, and makes a message of HTTP/2 malformed (RFC 9113 section 8.2.2). */
const OF_CONNECTION: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
])

/**
 * Reads the header list of a response (RFC 9113 section 8.3.2) as strictly as requests are read. Names and values were
 * checked when they were decoded.
 *
 * @param headers the stream's list; its pseudo-header field is taken out of it
 * @param method of the request it answers
 * @returns the head, or `upstream_bad_response` with the fault as its cause
 */
export function checkResponseHead(headers: HeaderList, method: string): CheckedHead | ProxyError {
  if (headers[0] !== ':status') return bad('the response does not begin with :status')
  const written = headers[1] as string
  if (!STATUS.test(written)) return bad('the status is not a number from 100 to 599')
  const status = Number(written)
  // RFC 9113 section 8.6: there is no change of protocol.
  if (status === 101) return bad('101 does not belong in HTTP/2')
  let declared = -1
  let to = 0
  for (let from = 2; from < headers.length; from += 2) {
    const name = headers[from] as string
    const value = headers[from + 1] as string
    if (name.charCodeAt(0) === 0x3a) return bad(`${name} does not belong there`)
    if (name === 'content-length') {
      if (declared >= 0) return bad('there is more than one content-length')
      const length = DIGITS.test(value) ? Number(value) : Infinity
      // Sixteen digits may still be more than a number holds exactly.
      if (length > Number.MAX_SAFE_INTEGER) return bad('the content-length is not a valid number')
      declared = length
    } else if (OF_CONNECTION.has(name)) return bad(`${name} does not belong in HTTP/2`)
    headers[to] = name
    headers[to + 1] = value
    to += 2
  }
  headers.length = to
  if (status < 200 && declared > 0) return bad('an informational response has a length')
  const bodiless = status < 200 || status === 204 || status === 304 || method === 'HEAD'
  const expected = bodiless ? 'none' : declared >= 0 ? declared : 'unknown'
  return { status, headers, version: 'HTTP/2', expected, declared }
}

function bad(cause: string): ProxyError {
  return new ProxyError('upstream_bad_response', '', { cause })
}

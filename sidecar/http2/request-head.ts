import type { HeaderList } from '../exchange/headers.ts'
import { ProxyError } from '../exchange/proxy-error.ts'

/** A request as the header list of a stream says it, in the neutral form that exchanges have. */
export interface RequestHead {
  readonly method: string
  /** Origin-form or `*`; of a CONNECT authority-form. */
  readonly target: string
  /** `host` and the fields, without pseudo fields; cookies in one line. */
  readonly headers: HeaderList
  readonly length: number | 'unknown' | 'none'
  /** The protocol of an extended CONNECT (RFC 8441), which is a GET from here on; else null. */
  readonly tunnel: string | null
  readonly expectsContinue: boolean
}

const CONNECTION_SPECIFIC = 'a field belongs to a connection of HTTP/1'

// The same characters as in a request line of HTTP/1: what passes here is written into one.
const TARGET = /^(?:\/[\x21\x22\x24-\x7e]*|\*)$/
const AUTHORITY_FORM = /^(?:[\w.~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$/
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const VISIBLE = /^[\x21-\x7e]+$/
const DIGITS = /^[0-9]{1,16}$/

/**
 * Reads the header list of a request (RFC 9113 section 8.3). Accepts what a request of HTTP/1.1 could say as well, and
 * nothing beyond it: it may be sent on as one (security row 40). Names and values were validated when they were
 * decoded: names are tokens in lower case, values hold no control character.
 *
 * @param list as decoded; it is changed in place, and is the head's from then on
 * @param ended whether the stream ends with this block: there is no body
 * @param urlBytes how long a target may be
 * @param extended whether an extended CONNECT was offered
 * @returns the head; `bad_request` where the request is malformed (section 8.1.1) and the stream has to be reset;
 *   `uri_too_long` or `expectation_failed`, which can be answered
 */
export function readRequestHead(
  list: HeaderList,
  ended: boolean,
  urlBytes: number,
  extended: boolean,
): RequestHead | ProxyError {
  let method = ''
  let scheme = ''
  let path = ''
  let protocol = ''
  let authority: string | null = null
  let at = 0
  // Of each pseudo field at most one, all before the others (section 8.3).
  for (; at < list.length; at += 2) {
    const name = list[at] as string
    if (name.charCodeAt(0) !== 0x3a) break
    const value = list[at + 1] as string
    if (value === '') return malformed(`${name} is empty`)
    switch (name) {
      case ':method':
        if (method !== '') return twice(name)
        method = value
        break
      case ':scheme':
        if (scheme !== '') return twice(name)
        scheme = value
        break
      case ':path':
        if (path !== '') return twice(name)
        path = value
        break
      case ':authority':
        if (authority !== null) return twice(name)
        authority = value
        break
      case ':protocol':
        if (protocol !== '') return twice(name)
        protocol = value
        break
      default:
        return malformed('a pseudo field is not one of a request')
    }
  }
  if (!TOKEN.test(method)) return malformed(method === '' ? ':method is missing' : ':method is no token')
  const tunnel = protocol !== ''
  if (tunnel && (method !== 'CONNECT' || !extended || !TOKEN.test(protocol)))
    return malformed(':protocol is not understood here')
  const connect = method === 'CONNECT' && !tunnel
  if (connect) {
    if (scheme !== '' || path !== '' || authority === null || !AUTHORITY_FORM.test(authority))
      return malformed('a CONNECT names host and port, and nothing else')
  } else {
    const wrong = schemeAndPath(scheme, path)
    if (wrong !== null) return malformed(wrong)
  }
  if (authority !== null && !VISIBLE.test(authority)) return malformed(':authority is no authority')
  if (path.length > urlBytes) return new ProxyError('uri_too_long')

  const fields = readFields(list, at, authority, tunnel)
  if (typeof fields === 'string') return malformed(fields)
  const { length, expect } = fields
  if (ended && length > 0) return malformed('the body is shorter than its content-length')
  if (!ended && connect) return malformed('a CONNECT request has no body')
  if (expect !== '' && expect.toLowerCase() !== '100-continue') return new ProxyError('expectation_failed')
  return {
    method: tunnel ? 'GET' : method,
    target: connect ? (authority ?? '') : path,
    headers: list,
    length: tunnel ? 'none' : bodyLength(method, length, ended),
    tunnel: tunnel ? protocol.toLowerCase() : null,
    expectsContinue: expect !== '' && !ended && !tunnel,
  }
}

function schemeAndPath(scheme: string, path: string): string | null {
  // What the client believes; what counts is whether the connection is encrypted.
  if (scheme !== 'http' && scheme !== 'https') return ':scheme is missing, or not http or https'
  if (path === '') return ':path is missing'
  return TARGET.test(path) ? null : ':path contains a character that does not belong there'
}

function bodyLength(method: string, length: number, ended: boolean): number | 'unknown' | 'none' {
  if (length >= 0) return length
  if (!ended) return 'unknown'
  // In HTTP/1 these say that there is none (RFC 9110 section 8.6), which HTTP/2 clients have no need to.
  return method === 'POST' || method === 'PUT' || method === 'PATCH' ? 0 : 'none'
}

/**
 * Moves the fields from `at` on to the front of the list, behind `host`, and checks them.
 * @returns what they say about the message, or what is wrong
 */
function readFields(
  list: HeaderList,
  at: number,
  authority: string | null,
  tunnel: boolean,
): { readonly length: number; readonly expect: string } | string {
  let to = 0
  let cookieAt = -1
  let length = -1
  let expect = ''
  let host = authority
  let hosts = 0
  const { length: end } = list
  if (authority !== null) {
    // At least `:authority` itself stood before the fields, so nothing is overwritten that is still to be read.
    list[0] = 'host'
    list[1] = authority
    to = 2
  }
  for (let from = at; from < end; from += 2) {
    const name = list[from] as string
    const value = list[from + 1] as string
    switch (name) {
      case 'host':
        if (++hosts > 1) return 'there is more than one host field'
        if (value === '') return 'the host field is empty'
        // `:authority` replaces it (section 8.3.1); two that differ are two requests.
        if (authority === null) host = value
        else if (value.toLowerCase() === authority.toLowerCase()) continue
        else return 'host and :authority differ'
        break
      case 'cookie':
        // Section 8.2.3: one field again, for whoever reads it in HTTP/1 or in a filter.
        if (cookieAt >= 0) {
          list[cookieAt] = `${list[cookieAt] as string}; ${value}`
          continue
        }
        cookieAt = to + 1
        break
      case 'content-length': {
        if (length >= 0) return 'there is more than one content-length'
        length = DIGITS.test(value) ? Number(value) : Infinity
        if (length > Number.MAX_SAFE_INTEGER) return 'the content-length is not a valid number'
        if (tunnel) return 'a tunnel has no content-length'
        break
      }
      case 'expect':
        expect = expect === '' ? value : `${expect},${value}`
        break
      case 'te':
        if (value.toLowerCase() !== 'trailers') return CONNECTION_SPECIFIC
        break
      case 'connection':
      case 'keep-alive':
      case 'proxy-connection':
      case 'transfer-encoding':
      case 'upgrade':
        return CONNECTION_SPECIFIC
      default:
        if (name.charCodeAt(0) === 0x3a) return 'a pseudo field stands behind a field'
    }
    list[to] = name
    list[to + 1] = value
    to += 2
  }
  if (host === null) return 'there is neither :authority nor a host field'
  list.length = to
  return { length, expect }
}

function malformed(detail: string): ProxyError {
  return new ProxyError('bad_request', detail)
}

function twice(name: string): ProxyError {
  return malformed(`${name} stands twice`)
}

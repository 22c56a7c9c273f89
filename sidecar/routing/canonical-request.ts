import type { CanonicalRequest } from '../exchange/canonical-request.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import { type HostPort, parseHost } from './host-name.ts'

/**
 * A target in origin-form whose path is canonical already, with any legal query: nearly all there are. One linear test,
 * so that the common request costs no more than this and its result object.
 */
const CANONICAL =
  /^\/(?:(?!\.{1,2}(?:[/?]|$))[\w!$&'()*+,=:@~.-]+(?:\/|(?=\?|$)))*(?:\?[\x21\x22\x24-\x7e]*)?$/

/** What may stand in a query. It is passed on as sent, so all that matters is that it cannot end or split the line. */
const QUERY = /^[\x21\x22\x24-\x7e]*$/

/**
 * Reads a request's target and host in the one way that everything after it shares (RFC 9110 section 4.2.3, RFC 3986
 * section 6.2.2). Dot segments are resolved, slashes merged, escapes of unreserved characters decoded, the characters
 * that no path may hold encoded, hex digits in upper case. What two readers could take for two paths is refused.
 *
 * `scheme` is that of the connection, whatever an absolute-form target says: the client cannot choose it.
 *
 * @param method as sent; a CONNECT is read by `canonicalizeConnect`
 * @param target the request target as sent
 * @param host the Host field (`:authority` in HTTP/2), or null where there is none
 * @returns the request, or `bad_path`, `bad_host` or `bad_request` (400)
 */
export function canonicalize(
  method: string,
  target: string,
  host: string | null,
  encrypted: boolean,
  version: Exchange['version'],
): CanonicalRequest | ProxyError {
  let named: HostPort
  if (host !== null) {
    const parsed = parseHost(host)
    if (parsed === null) return new ProxyError('bad_host', 'The host is not a name or an address.')
    named = parsed
  } else if (version === 'HTTP/1.0') named = NO_HOST
  else return new ProxyError('bad_host', 'The request has no host.')

  const scheme = encrypted ? 'https' : 'http'
  if (CANONICAL.test(target)) {
    const mark = target.indexOf('?')
    if (mark === -1) return request(method, scheme, named, target, '', false)
    return request(method, scheme, named, target.slice(0, mark), target.slice(mark + 1), true)
  }
  if (target === '*') {
    if (method !== 'OPTIONS') return new ProxyError('bad_path', 'Only OPTIONS has the target *.')
    return request(method, scheme, named, '*', '', false)
  }
  if (target.startsWith('/')) return normalised(method, scheme, named, target)
  return absolute(method, scheme, host === null ? null : named, target)
}

/**
 * Reads the authority-form target of a CONNECT (RFC 9112 section 3.2.3), which has to name a port.
 *
 * @returns host and port, or `bad_host`
 */
export function canonicalizeConnect(target: string): HostPort | ProxyError {
  const named = parseHost(target)
  if (named === null || named.port === 0) return new ProxyError('bad_host', 'CONNECT needs host:port.')
  return named
}

/** A path in its canonical form (see `canonicalize`), or null where it has none. For what configuration says, too. */
export function canonicalPath(path: string): string | null {
  return normalise(path)
}

const NO_HOST: HostPort = { host: '', port: 0 }

function request(
  method: string,
  scheme: 'http' | 'https',
  named: HostPort,
  path: string,
  query: string,
  hasQuery: boolean,
): CanonicalRequest {
  return Object.freeze({ method, scheme, host: named.host, port: named.port, path, query, hasQuery })
}

/** Absolute-form (RFC 9112 section 3.2.2). The authority in it has to be that of the Host field. */
function absolute(
  method: string,
  scheme: 'http' | 'https',
  named: HostPort | null,
  target: string,
): CanonicalRequest | ProxyError {
  const parts = /^(https?):\/\/([^/?#]*)(.*)$/is.exec(target)
  if (parts === null) return new ProxyError('bad_path', 'The request target has no known form.')
  const authority = parseHost(parts[2] as string)
  if (authority === null) return new ProxyError('bad_host', 'The target names no valid host.')
  if (named !== null) {
    const usual = (parts[1] as string).length === 5 ? 443 : 80
    if (named.host !== authority.host || (named.port || usual) !== (authority.port || usual))
      return new ProxyError('bad_host', 'Target and Host name different hosts.')
  }
  const rest = parts[3] as string
  return normalised(method, scheme, named ?? authority, rest.startsWith('/') ? rest : `/${rest}`)
}

function normalised(
  method: string,
  scheme: 'http' | 'https',
  named: HostPort,
  target: string,
): CanonicalRequest | ProxyError {
  const mark = target.indexOf('?')
  const path = normalise(mark === -1 ? target : target.slice(0, mark))
  if (path === null) return new ProxyError('bad_path')
  const query = mark === -1 ? '' : target.slice(mark + 1)
  if (!QUERY.test(query))
    return new ProxyError('bad_path', 'The query holds characters that no URL may hold.')
  return request(method, scheme, named, path, query, mark !== -1)
}

function normalise(path: string): string | null {
  if (!path.startsWith('/') || !/^[\x21-\x7e]*$/.test(path) || /[\\;#?]/.test(path)) return null
  const text = unescape(path)
  return text === null ? null : resolveDots(text.replace(UNSAFE, encode))
}

/**
 * Characters that RFC 3986 lets stand in no path, but that clients send. Encoded, so that `[` and `%5B` are one.
 */
const UNSAFE = /["<>[\]^`{|}]/g
const encode = (character: string): string =>
  `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`

/**
 * Decodes escapes of unreserved characters (RFC 3986 section 2.3) and writes the others in upper case. Null for an
 * escape that is none, a slash, backslash, semicolon or control in disguise, text that would decode a second time, and
 * octets that are not UTF-8.
 */
function unescape(path: string): string | null {
  if (!path.includes('%')) return path
  if (/%(?![0-9A-Fa-f]{2})/.test(path)) return null
  const text = path.replace(/%[0-9A-Fa-f]{2}/g, escape => {
    const character = String.fromCharCode(parseInt(escape.slice(1), 16))
    return /[A-Za-z0-9._~-]/.test(character) ? character : escape.toUpperCase()
  })
  if (/%(?:2F|5C|3B|7F|[01][0-9A-F]|25[0-9A-Fa-f]{2})/.test(text)) return null
  if (/%[89A-F]/.test(text)) {
    try {
      decodeURIComponent(text)
    } catch {
      return null
    }
  }
  return text
}

/** RFC 3986 section 5.2.4 with slashes merged. Null where `..` would leave the root. */
function resolveDots(path: string): string | null {
  const segments = path.split('/')
  const kept: string[] = []
  for (const segment of segments) {
    if (segment === '' || segment === '.') continue
    if (segment === '..') {
      if (kept.pop() === undefined) return null
    } else kept.push(segment)
  }
  if (kept.length === 0) return '/'
  const last = segments.at(-1)
  const directory = last === '' || last === '.' || last === '..'
  return `/${kept.join('/')}${directory ? '/' : ''}`
}

import { isIPv6 } from 'node:net'

/** What a Host field or an authority says, in its one canonical spelling. */
export interface HostPort {
  /** Lower case, without a final dot; IPv6 in brackets and compressed. */
  readonly host: string
  /** The port that was named, or 0. */
  readonly port: number
}

/**
 * Hosts seen lately. Keys are copies, since the text that arrives is a slice of a whole request head, which it would
 * keep in memory. A full map is emptied: who sends many different hosts pays for the parsing and for nothing else.
 */
const seen = new Map<string, HostPort>()
const SEEN_AT_MOST = 1024
const SEEN_LENGTH = 128

/**
 * Reads `host [":" port]` (RFC 9110 section 7.2): an ASCII name, an IPv4 address or an IPv6 address in brackets.
 * Null for all else: user information, percent-escapes, zone identifiers, empty labels, an empty port, octets that are
 * not plain ASCII, and numbers that some resolvers read as an address (`127.1`, `0x7f.1`).
 */
export function parseHost(text: string): HostPort | null {
  const known = seen.get(text)
  if (known !== undefined) return known
  const parsed = parse(text)
  if (parsed !== null && text.length <= SEEN_LENGTH) {
    if (seen.size >= SEEN_AT_MOST) seen.clear()
    seen.set(Buffer.from(text, 'latin1').toString('latin1'), parsed)
  }
  return parsed
}

function parse(text: string): HostPort | null {
  const parts = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([1-9][0-9]{0,4}))?$/.exec(text)
  if (parts === null) return null
  const port = parts[2] === undefined ? 0 : Number(parts[2])
  if (port > 65535) return null
  const host = (parts[1] as string).startsWith('[') ? ipv6(parts[1] as string) : name(parts[1] as string)
  return host === null ? null : { host, port }
}

function ipv6(bracketed: string): string | null {
  // The URL parser is used for its compression only: what it gets is known to be one address and nothing else.
  return isIPv6(bracketed.slice(1, -1)) ? new URL(`http://${bracketed}`).hostname : null
}

function name(text: string): string | null {
  const host = (text.endsWith('.') ? text.slice(0, -1) : text).toLowerCase()
  if (host.length > 253 || !/^[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/.test(host)) return null
  const last = host.slice(host.lastIndexOf('.') + 1)
  if (/^(?:[0-9]+|0x[0-9a-f]*)$/.test(last) && !IPV4.test(host)) return null
  // A copy, for the same reason as above.
  return Buffer.from(host, 'latin1').toString('latin1')
}

const IPV4 = /^(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!$)|$)){4}$/

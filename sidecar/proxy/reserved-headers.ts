import { isReserved, RESERVED } from '../exchange/reserved-names.ts'

/** What a field means to a proxy; a field without a meaning passes. */
export type FieldRole =
  /** Ends at this connection, or is written anew by us or by the codec. */
  | 'hop'
  /** Says who the caller is, where the request came from or what was asked: only for those who may say so. */
  | 'identity'
  /** At most once, since two readers could take two different ones. */
  | 'singleton'
  | 'te'
  | 'x-forwarded-for'
  | 'x-forwarded-proto'
  | 'x-forwarded-host'
  | 'x-forwarded-client-cert'
  | 'forwarded'
  | 'via'
  | 'x-request-id'
  | 'traceparent'
  | 'tracestate'

/**
 * Fields of one connection (RFC 9110 section 7.6.1, with those that older texts name), and those that are made anew:
 * framing and `expect` by the codec, `host` by the route.
 */
export const HOP_BY_HOP: readonly string[] = Object.freeze([
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
])

/** Fields that a request may hold once (RFC 9110, RFC 6454). Host and content-length are counted by the parser. */
const SINGLETONS = [
  'access-control-request-headers',
  'access-control-request-method',
  'authorization',
  'content-range',
  'content-type',
  'from',
  'if-modified-since',
  'if-range',
  'if-unmodified-since',
  'max-forwards',
  'origin',
  'range',
  'referer',
  'sec-websocket-key',
  'sec-websocket-version',
  'user-agent',
]

/** Names that most requests hold and that mean nothing here; they are listed so that one look finds them. */
const PLAIN = [
  'accept',
  'accept-charset',
  'accept-encoding',
  'accept-language',
  'cache-control',
  'content-encoding',
  'cookie',
  'dnt',
  'if-match',
  'if-none-match',
  'pragma',
  'priority',
  'sec-fetch-dest',
  'sec-fetch-mode',
  'sec-fetch-site',
  'x-api-key',
]

const ROLES = new Map<string, FieldRole | null>()
for (const name of PLAIN) ROLES.set(name, null)
for (const name of SINGLETONS) ROLES.set(name, 'singleton')
for (const name of RESERVED) ROLES.set(name, 'identity')
for (const name of HOP_BY_HOP) ROLES.set(name, 'hop')
for (const name of [
  'te',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-client-cert',
  'forwarded',
  'via',
  'x-request-id',
  'traceparent',
  'tracestate',
] as const)
  ROLES.set(name, name)

/** What a field means, by its name in lower case. */
export function fieldRole(name: string): FieldRole | null {
  const known = ROLES.get(name)
  if (known !== undefined) return known
  return isReserved(name) ? 'identity' : null
}

/** Whether a name with underscores is held to be free of meaning: it is one of the plain ones, which hold none. */
export function hasUnderscore(name: string): boolean {
  return !ROLES.has(name) && name.includes('_')
}

/** The bit of a singleton in a set of those seen. */
export function singletonBit(name: string): number {
  return 1 << SINGLETONS.indexOf(name)
}

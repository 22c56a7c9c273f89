/** Longer tokens are refused unread, in bytes. */
export const MAX_TOKEN = 8192
/** A `kid` is somebody's text until a key has it. */
const MAX_KID = 128
/** Compact serialisation (RFC 7515 section 7.1): three parts, none of them empty; of five parts it is a JWE. */
const COMPACT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/
/**
 * Header members that would let a token say how it is to be read or where its key is to be found (RFC 8725 sections
 * 3.1, 3.5, 3.10), that change what is signed (RFC 7797), or that make it a JWE.
 */
const REFUSED = ['crit', 'b64', 'jku', 'jwk', 'x5u', 'enc', 'zip']

/** What the header of a token says, as far as it is used. */
export interface TokenHeader {
  readonly alg: string
  readonly kid: string | null
  /** Lower case, without `application/`; null: absent. */
  readonly typ: string | null
}

/** Reads the header of a token; text is why it is not accepted. Nothing of it is verified. */
export function readHeader(token: string): TokenHeader | string {
  if (token.length > MAX_TOKEN) return 'the token is too long'
  if (!COMPACT.test(token) || !token.split('.').every(isCanonical)) return 'it is no signed token'
  const header = decodeObject(token.slice(0, token.indexOf('.')))
  if (header === null) return 'the header is no JSON object'
  for (const name of REFUSED) if (Object.hasOwn(header, name)) return `the header says ${name}`
  const { alg, kid, typ } = header
  if (typeof alg !== 'string') return 'the header says no algorithm'
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > MAX_KID))
    return 'the kid is no short text'
  if (typ !== undefined && typeof typ !== 'string') return 'the typ is no text'
  return {
    alg,
    kid: kid ?? null,
    typ: typ === undefined ? null : typ.toLowerCase().replace(/^application\//, ''),
  }
}

/** Whether it is base64url as it is written in one way only (RFC 4648 section 3.5): padding bits could hide a second spelling. */
function isCanonical(part: string): boolean {
  return Buffer.from(part, 'base64url').toString('base64url') === part
}

/** A JSON object in base64url, without prototype; null where it is something else. */
export function decodeObject(part: string): Record<string, unknown> | null {
  const bytes = Buffer.from(part, 'base64url')
  return parseObject(bytes)
}

/** A JSON object in UTF-8, without prototype; null where it is something else. */
export function parseObject(bytes: Uint8Array): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(UTF8.decode(bytes))
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
    return Object.assign(Object.create(null) as Record<string, unknown>, value)
  } catch {
    return null
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

import { hash, timingSafeEqual } from 'node:crypto'
import { type IdentifiedToken } from '../token-caller.ts'
import { readClaims } from '../jwt/claims.ts'
import type { OidcProvider } from '../schema.ts'
import type { Tokens } from './relying-party.ts'

/** A browser's session, as its cookies hold it. Times in milliseconds since 1970. */
export interface Session {
  readonly id: string
  /** The only host that it is good for. */
  readonly host: string
  readonly loginAt: number
  readonly seenAt: number
  /** When the access token ends; null: not said. Absent: nobody needs it. */
  readonly accessUntil?: number | null
  /** When the access token ends, and the issuer is asked whether all is as it was; null: it is not asked. */
  readonly refreshAt: number | null
  readonly tokens: Tokens
}

/** A login that is under way, as the cookie of its browser holds it. */
export interface Login {
  readonly state: string
  readonly nonce: string
  readonly verifier: string
  readonly host: string
  readonly returnTo: string
  readonly until: number
}

/** Claims about the token itself: they say nothing of who calls, and its end is not that of the session. */
const ABOUT_TOKEN = new Set([
  'exp',
  'iat',
  'nbf',
  'nonce',
  'at_hash',
  'c_hash',
  's_hash',
  'jti',
  'sid',
  'auth_time',
])

/** A session that begins, or goes on with new tokens. */
export function sessionOf(
  tokens: Tokens,
  now: number,
  from: Pick<Session, 'id' | 'host' | 'loginAt'>,
): Session {
  const { expiresIn, refreshToken } = tokens
  const claims = Object.entries(tokens.claims).filter(([name]) => !ABOUT_TOKEN.has(name))
  const { id, host, loginAt } = from
  return {
    id,
    host,
    loginAt,
    seenAt: now,
    ...(tokens.accessToken === undefined
      ? {}
      : { accessUntil: expiresIn === null ? null : now + expiresIn * 1000 }),
    refreshAt: refreshToken === null || expiresIn === null ? null : now + expiresIn * 1000,
    tokens: { ...tokens, claims: Object.fromEntries(claims) },
  }
}

/** Reads what a cookie held; null where it is no session of this host, or over. */
export function readSession(value: unknown, spec: OidcProvider, host: string, now: number): Session | null {
  if (!isMap(value) || !isMap(value['tokens']) || !isMap(value['tokens']['claims'])) return null
  // It was sealed by `sessionOf` of this version or one before it.
  const session = value as unknown as Session
  if (session.host !== host) return null
  return isOver(session, spec, now) ? null : session
}

/** Whether it was idle for too long, or lasted for too long. */
export function isOver({ seenAt, loginAt }: Session, { idle, max }: OidcProvider, now: number): boolean {
  return !(now - seenAt < idle && now - loginAt < max)
}

/** Who a session's claims say it is; null where they name nobody who could be written. */
export function identify(session: Session, spec: OidcProvider): IdentifiedToken | null {
  const claims = Object.freeze(
    Object.assign(Object.create(null) as Record<string, unknown>, session.tokens.claims),
  )
  const rules = { issuer: null, audiences: null, expires: false, skew: 0 } as const
  const identity = readClaims(claims, { ...rules, subject: spec.subject, groups: spec.groups }, 0)
  if ('cause' in identity) return null
  return { identity: { ...identity, expiresAt: session.loginAt + spec.max }, caller: null, directory: '' }
}

/** Reads what the cookie of a login held; null where it is not of this state and host, or too old. */
export function readLogin(value: unknown, state: string, host: string, now: number): Login | null {
  if (!isMap(value) || typeof value['state'] !== 'string') return null
  // It was sealed by this provider.
  const login = value as unknown as Login
  const same = timingSafeEqual(hash('sha256', login.state, 'buffer'), hash('sha256', state, 'buffer'))
  return same && login.host === host && now < login.until ? login : null
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

import { type Claims, claimAt, claimText } from '../../../exchange/caller.ts'
import type { ClaimRules } from '../schema.ts'

/** What a verified token says of who calls. */
export interface TokenIdentity {
  /** Null where the claim is not there. */
  readonly subject: string | null
  readonly groups: readonly string[]
  readonly scopes: readonly string[]
  readonly claims: Claims
  /** Milliseconds since 1970; null: it does not end. */
  readonly expiresAt: number | null
}

/** Why a token is not accepted. */
export interface Unacceptable {
  readonly expired: boolean
  readonly cause: string
}

const MAX_SUBJECT = 256
/** More groups or scopes than anybody has. */
const MAX_NAMES = 1_000

/**
 * Checks the claims of a token whose signature holds (RFC 7519 section 4.1, RFC 8725 sections 3.8 to 3.11).
 * @param wall milliseconds since 1970
 */
export function readClaims(claims: Claims, provider: ClaimRules, wall: number): TokenIdentity | Unacceptable {
  const { issuer, audiences, skew } = provider
  const expiresAt = moment(claims['exp'])
  if (expiresAt === undefined) return refuse('exp is no time')
  if (expiresAt === null && provider.expires) return refuse('there is no exp')
  if (expiresAt !== null && wall >= expiresAt + skew) return { expired: true, cause: 'it has expired' }
  const notBefore = moment(claims['nbf'])
  if (notBefore === undefined) return refuse('nbf is no time')
  if (notBefore !== null && wall + skew < notBefore) return refuse('it is not valid yet')
  if (moment(claims['iat']) === undefined) return refuse('iat is no time')
  if (issuer !== null && claims['iss'] !== issuer) return refuse('it is of another issuer')
  if (audiences !== null && !meant(claims['aud'], audiences)) return refuse('it is for another audience')
  const subject = claimText(claims, provider.subject)
  if (subject === null && typeof claimAt(claims, provider.subject) === 'number')
    return refuse('the subject is a number that was rounded')
  // It becomes a name in headers, logs and metrics: what cannot be written there names nobody.
  if (subject !== null && !isName(subject, MAX_SUBJECT)) return refuse('the subject cannot be written')
  return {
    subject: subject === '' ? null : subject,
    groups: provider.groups === null ? [] : namesIn(claimAt(claims, provider.groups)),
    scopes: namesIn(claims['scope'] ?? claims['scp']),
    claims,
    expiresAt,
  }
}

function refuse(cause: string): Unacceptable {
  return { expired: false, cause }
}

/** A NumericDate in milliseconds; null: absent; undefined: something else. */
function moment(value: unknown): number | null | undefined {
  if (value === undefined) return null
  return typeof value === 'number' && Number.isFinite(value) ? value * 1000 : undefined
}

function meant(audience: unknown, accepted: readonly string[]): boolean {
  if (typeof audience === 'string') return accepted.includes(audience)
  return Array.isArray(audience) && audience.some(one => typeof one === 'string' && accepted.includes(one))
}

/** Names in a claim: a list of texts, or one text with spaces between them. Those that hold a comma could be taken for two. */
function namesIn(value: unknown): string[] {
  const list: unknown[] = typeof value === 'string' ? value.split(' ') : Array.isArray(value) ? value : []
  const names = new Set<string>()
  for (const one of list) {
    if (typeof one === 'string' && one !== '' && !one.includes(',') && isName(one, 128)) names.add(one)
    if (names.size >= MAX_NAMES) break
  }
  return [...names]
}

/** Blanks at an end are no part of a field value: `admin ` would arrive as `admin`, who is somebody else. */
function isName(text: string, most: number): boolean {
  return text.length <= most && text === text.trim() && !/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(text)
}

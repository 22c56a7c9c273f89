import { claimText } from '../../exchange/caller.ts'
import type { TokenIdentity } from './jwt/claims.ts'
import type { RevokedSpec } from './schema.ts'

/** Tokens and callers that are refused before their credentials end. Looked at for each request, whatever is kept. */
export class Revocations {
  readonly #tokens: ReadonlySet<string>
  /** Milliseconds since 1970: what was issued before that is refused. */
  readonly #subjects: ReadonlyMap<string, number>

  constructor({ tokens, subjects }: RevokedSpec) {
    this.#tokens = new Set(tokens)
    const latest = new Map<string, number>()
    for (const [subject, before] of subjects)
      latest.set(subject, Math.max(latest.get(subject) ?? -Infinity, before ?? Infinity))
    this.#subjects = latest
  }

  /**
   * Whether it is refused.
   * @param issuedAt milliseconds since 1970; null where it is not said, and then it may have been issued at any time
   */
  refuses({ subject, claims }: Pick<TokenIdentity, 'subject' | 'claims'>, issuedAt: number | null): boolean {
    // Some issuers number their tokens.
    const id = claimText(claims, 'jti')
    if (id !== null && this.#tokens.has(id)) return true
    const before = subject === null ? undefined : this.#subjects.get(subject)
    return before !== undefined && (issuedAt === null || issuedAt < before)
  }
}

/** Of a list that many routes have. */
const opened = new WeakMap<RevokedSpec, Revocations>()

/** What a provider refuses; null: it has no list. */
export function openRevocations(spec: RevokedSpec | undefined): Revocations | null {
  if (spec === undefined) return null
  let revocations = opened.get(spec)
  if (revocations === undefined) opened.set(spec, (revocations = new Revocations(spec)))
  return revocations
}

/** When a token was issued (RFC 7519 section 4.1.6), in milliseconds since 1970; null where it does not say. */
export function issuedAt({ claims }: Pick<TokenIdentity, 'claims'>): number | null {
  const at = claims['iat']
  return typeof at === 'number' ? at * 1000 : null
}

import { type Claims, claimAt } from '../../../exchange/caller.ts'

/** What a token is bound to: whoever brings it has to prove that it is theirs (RFC 7800). */
export type Binding =
  /** A client certificate (RFC 8705 section 3.1), by its SHA-256 in lower-case hex. */
  | { readonly kind: 'certificate'; readonly fingerprint: string }
  /** A key (RFC 9449 section 6.1), by its thumbprint. */
  | { readonly kind: 'key'; readonly thumbprint: string }
  /** Something that nobody here can check. */
  | { readonly kind: 'unknown' }

/** What the claims say that the token is bound to; null: it is for whoever has it. */
export function bindingOf(claims: Claims): Binding | null {
  if (claims['cnf'] === undefined) return null
  const certificate = claimAt(claims, 'cnf.x5t#S256')
  const thumbprint = claimAt(claims, 'cnf.jkt')
  // Two at once would both have to be proved: nobody issues that.
  if (typeof certificate === 'string' && thumbprint === undefined) {
    const digest = Buffer.from(certificate, 'base64url')
    return digest.length === 32
      ? { kind: 'certificate', fingerprint: digest.toString('hex') }
      : { kind: 'unknown' }
  }
  if (typeof thumbprint === 'string' && certificate === undefined) return { kind: 'key', thumbprint }
  return { kind: 'unknown' }
}

import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { SignJWT } from 'jose'

/** The issuer and audience that `sign` writes unless it is told otherwise. */
export const ISSUER = 'https://id.shop.example'
export const AUDIENCE = 'shop'

/** A key pair of an issuer. */
export class SigningKey {
  readonly kid: string
  readonly alg: string
  readonly #private: KeyObject
  /** The public key as a key set holds it. */
  readonly jwk: Readonly<Record<string, unknown>>

  constructor(kid: string, alg: 'ES256' | 'RS256' | 'EdDSA' = 'ES256') {
    this.kid = kid
    this.alg = alg
    const pair =
      alg === 'ES256'
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
        : alg === 'RS256'
          ? generateKeyPairSync('rsa', { modulusLength: 2048 })
          : generateKeyPairSync('ed25519')
    this.#private = pair.privateKey
    this.jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' }
  }

  /** A token that is good for an hour from `now` on (milliseconds since 1970). */
  sign(
    claims: Record<string, unknown> = {},
    options: { now?: number; header?: Record<string, unknown> } = {},
  ): Promise<string> {
    const seconds = Math.floor((options.now ?? Date.now()) / 1000)
    const payload = { iss: ISSUER, aud: AUDIENCE, sub: 'alice', iat: seconds, exp: seconds + 3600, ...claims }
    return new SignJWT(payload)
      .setProtectedHeader({ alg: this.alg, kid: this.kid, ...options.header })
      .sign(this.#private)
  }
}

/** A token of our own making: whatever header, payload and signature. */
export function forge(header: unknown, payload: unknown, signature = 'AAAA'): string {
  const part = (value: unknown): string =>
    Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
  return `${part(header)}.${part(payload)}.${signature}`
}

/** A key that both sides know. */
export const SECRET = 'a-secret-that-both-sides-know-123456'

/** A token that is signed with it: these claims and no others. */
export function sharedToken(claims: Record<string, unknown>, secret = SECRET): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(secret))
}

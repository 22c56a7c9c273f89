import type { CryptoKey } from 'jose'
import type { Jwk } from '../schema.ts'
import type { Jose } from './jose.ts'

/** How many keys a set may have. */
export const MAX_KEYS = 100
/** How many keys a token without `kid` is tried with. */
const MAX_TRIED = 4

/** What a kind of key is used with where neither it nor the configuration says more. */
export const BY_CURVE: ReadonlyMap<unknown, readonly string[]> = new Map([
  ['P-256', ['ES256']],
  ['P-384', ['ES384']],
  ['P-521', ['ES512']],
  ['Ed25519', ['EdDSA', 'Ed25519']],
])
/** Characters of the modulus of a key of 2,048 bits. */
export const MIN_RSA = 342
const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
/** The public members of a key (RFC 7518 section 6): nothing else of it is read. */
export const PUBLIC = ['kty', 'n', 'e', 'crv', 'x', 'y'] as const

/** A public key as verification uses it. */
interface SetKey {
  readonly kid: string | null
  readonly algorithms: readonly string[]
  readonly jwk: Record<string, string>
  /** Of its members: the same key, whatever it is called. */
  readonly identity: string
  readonly imported: Map<string, Promise<CryptoKey>>
}

/** The public keys of an issuer. */
export class KeySet {
  readonly #jose: Jose
  readonly #keys: SetKey[] = []

  /** Keys of other kinds and uses are left out. */
  constructor(keys: readonly Jwk[], jose: Jose) {
    this.#jose = jose
    for (const key of keys.slice(0, MAX_KEYS)) {
      const read = readKey(key)
      if (read !== null) this.#keys.push(read)
    }
  }

  /** Whether this set lacks a key that the other one has. */
  lacks(other: KeySet): boolean {
    const here = new Set(this.#keys.map(key => key.identity))
    return other.#keys.some(key => !here.has(key.identity))
  }

  /**
   * The keys that may have signed, ready for use; empty where none is known.
   * @param chosen whether the configuration names algorithms; else an RSA key without `alg` is used with RS256 only
   */
  find(alg: string, kid: string | null, chosen: boolean): Promise<CryptoKey>[] {
    const found: Promise<CryptoKey>[] = []
    for (const key of this.#keys) {
      if (kid !== null && key.kid !== kid) continue
      if (!key.algorithms.includes(alg)) continue
      if (!chosen && key.algorithms === RSA && alg !== 'RS256') continue
      found.push(this.#imported(key, alg))
      if (found.length === MAX_TRIED) break
    }
    return found
  }

  #imported(key: SetKey, alg: string): Promise<CryptoKey> {
    let imported = key.imported.get(alg)
    if (imported === undefined) {
      // Of a public key that is not symmetric it is a CryptoKey.
      imported = this.#jose.importJWK({ ...key.jwk }, alg) as Promise<CryptoKey>
      // Whoever asks for it hears of it; nobody may have asked yet.
      imported.catch(() => {})
      key.imported.set(alg, imported)
    }
    return imported
  }
}

function readKey(key: Jwk): SetKey | null {
  const { kty, crv, kid, alg, use, key_ops: operations } = key
  if (use !== undefined && use !== 'sig') return null
  if (Array.isArray(operations) && !operations.includes('verify')) return null
  const fitting = kty === 'RSA' ? RSA : (BY_CURVE.get(crv) ?? [])
  if (kty !== 'RSA' && kty !== 'EC' && kty !== 'OKP') return null
  const algorithms = typeof alg === 'string' ? fitting.filter(one => one === alg) : fitting
  if (algorithms.length === 0) return null
  const jwk: Record<string, string> = {}
  for (const name of PUBLIC) {
    const value = key[name]
    if (typeof value === 'string') jwk[name] = value
  }
  const identity = JSON.stringify([kid ?? null, algorithms, jwk])
  return { kid: typeof kid === 'string' ? kid : null, algorithms, jwk, identity, imported: new Map() }
}

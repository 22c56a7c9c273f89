import { hash } from 'node:crypto'
import type { Exchange } from '../../../exchange/exchange.ts'
import type { FilterLive, FilterParts } from '../../filter.ts'
import { VerifiedTokens } from '../verified-tokens.ts'
import type { Jose } from './jose.ts'
import { BY_CURVE, MIN_RSA, PUBLIC } from './key-set.ts'
import { decodeObject, MAX_TOKEN, parseObject } from './token.ts'

/** How old a proof may be, in milliseconds, and how far ahead a clock. */
const AGE_MS = 60_000
const AHEAD_MS = 30_000
/** Proofs that are remembered, so that none is taken twice. */
const REMEMBERED = 100_000
const MAX_JTI = 128
const COMPACT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

/** Algorithms of proofs, as the challenge lists them. */
export const PROOF_ALGORITHMS = ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'PS256', 'RS256']

/** Proofs of possession of a key (RFC 9449): each for one request, one token, and once. */
export class DpopProofs {
  readonly #parts: FilterParts
  readonly #jose: Jose
  readonly #seen = new VerifiedTokens<{ readonly until: number }>(REMEMBERED)

  constructor(jose: Jose, parts: FilterParts) {
    this.#jose = jose
    this.#parts = parts
  }

  /**
   * Checks the proof of a request (RFC 9449 section 4.3).
   * @param thumbprint of the key that the token is bound to
   * @returns null where it holds, else why not, for the log
   */
  async check(exchange: Exchange, token: string, thumbprint: string): Promise<string | null> {
    const proofs: string[] = []
    for (let i = 0; i < exchange.headers.length; i += 2)
      if (exchange.headers[i] === 'dpop') proofs.push(exchange.headers[i + 1] as string) // a value follows each name
    const [proof = '', second] = proofs
    if (second !== undefined || proof.length > MAX_TOKEN || !COMPACT.test(proof))
      return 'there is not one proof'
    const header = decodeObject(proof.slice(0, proof.indexOf('.')))
    const alg = header?.['alg']
    const jwk = publicKey(header?.['jwk'], alg)
    if (header === null || header['typ'] !== 'dpop+jwt' || typeof alg !== 'string' || jwk === null)
      return 'the header of the proof'
    if (Object.hasOwn(header, 'crit') || Object.hasOwn(header, 'b64')) return 'the header of the proof'
    if ((await this.#thumbprint(jwk)) !== thumbprint) return 'the proof is of another key'
    const payload = await this.#signed(proof, jwk, alg)
    const claims = payload === null ? null : parseObject(payload)
    if (claims === null) return 'the signature of the proof'
    return this.#claims(claims, exchange, token, thumbprint)
  }

  /** Null where the key lacks a part of itself. */
  async #thumbprint(jwk: Record<string, string>): Promise<string | null> {
    try {
      return await this.#jose.calculateJwkThumbprint(jwk)
    } catch {
      return null
    }
  }

  async #signed(proof: string, jwk: Record<string, string>, alg: string): Promise<Uint8Array | null> {
    try {
      const key = await this.#jose.importJWK(jwk, alg)
      return (await this.#jose.compactVerify(proof, key, { algorithms: [alg] })).payload
    } catch {
      return null
    }
  }

  #claims(
    claims: Record<string, unknown>,
    exchange: Exchange,
    token: string,
    thumbprint: string,
  ): string | null {
    const { jti, htm, htu, iat, ath } = claims
    if (htm !== exchange.method || typeof htu !== 'string' || !names(htu, exchange))
      return 'the proof is for another request'
    if (ath !== hash('sha256', token, 'base64url')) return 'the proof is for another token'
    const { clock } = this.#parts
    if (
      typeof iat !== 'number' ||
      !(iat * 1000 >= clock.wall() - AGE_MS && iat * 1000 <= clock.wall() + AHEAD_MS)
    )
      return 'the proof is of another time'
    if (typeof jti !== 'string' || jti === '' || jti.length > MAX_JTI) return 'the proof has no id'
    const id = hash('sha256', `${thumbprint} ${jti}`, 'base64url')
    if (this.#seen.get(id, clock.now()) !== undefined) return 'the proof was used before'
    this.#seen.set(id, { until: clock.now() + AGE_MS + AHEAD_MS })
    return null
  }
}

/** The proofs of all providers: a proof is used once, whatever for. */
export function openProofs(jose: Jose, live: FilterLive): DpopProofs {
  return live.use(
    ['dpop'],
    parts => new DpopProofs(jose, parts),
    () => {},
  )
}

/** The public key of a proof; null where it is none, or brings its private part. */
function publicKey(value: unknown, alg: unknown): Record<string, string> | null {
  if (typeof value !== 'object' || value === null || typeof alg !== 'string') return null
  const key = value as Record<string, unknown> // an object
  if (!PROOF_ALGORITHMS.includes(alg) || 'd' in key || 'k' in key) return null
  const { kty, crv, n } = key
  if (
    kty === 'RSA'
      ? !/^[RP]S/.test(alg) || typeof n !== 'string' || n.length < MIN_RSA
      : !(BY_CURVE.get(crv) ?? []).includes(alg)
  )
    return null
  const jwk: Record<string, string> = {}
  for (const name of PUBLIC) {
    const part = key[name]
    if (typeof part === 'string') jwk[name] = part
  }
  return jwk
}

/** Whether a URL is that of the request, without query (RFC 9449 section 4.3, step 9). Where TLS ends ahead of us it is https. */
function names(htu: string, { request }: Exchange): boolean {
  const url = URL.parse(htu)
  if (url === null || request === null || !/^https?:$/.test(url.protocol)) return false
  if (url.protocol === 'http:' && request.scheme === 'https') return false
  const usual = url.protocol === 'https:' ? 443 : 80
  const port = request.port === 0 ? usual : request.port
  return (
    url.hostname === request.host &&
    Number(url.port || usual) === port &&
    spelled(url.pathname) === request.path
  )
}

/** A path as `CanonicalRequest` spells it (RFC 3986 section 6.2.2): RFC 9449 asks for that ahead of the comparison. */
function spelled(path: string): string {
  return path
    .replace(/%[0-9A-Fa-f]{2}/g, escape => {
      const character = String.fromCharCode(Number.parseInt(escape.slice(1), 16))
      return /[A-Za-z0-9._~-]/.test(character) ? character : escape.toUpperCase()
    })
    .replace(/["<>[\]^`{|}]/g, character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replace(/\/{2,}/g, '/')
}

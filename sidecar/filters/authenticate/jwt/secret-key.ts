import { subtle } from 'node:crypto'
import type { CryptoKey } from 'jose'
import type { FoundKeys, KeySource } from './remote-keys.ts'

/** A key that both sides know (RFC 7518 section 3.2). */
export class SecretKey implements KeySource {
  readonly removals = 0
  readonly #secret: Uint8Array<ArrayBuffer>
  readonly #imported = new Map<string, Promise<CryptoKey>>()

  constructor(secret: string | Uint8Array<ArrayBuffer>) {
    this.#secret = typeof secret === 'string' ? new TextEncoder().encode(secret) : secret
  }

  /** Whatever a token calls it: there is one. */
  find(alg: string): FoundKeys {
    let key = this.#imported.get(alg)
    if (key === undefined) {
      const algorithm = { name: 'HMAC', hash: `SHA-${alg.slice(2)}` }
      key = subtle.importKey('raw', this.#secret, algorithm, false, ['verify'])
      this.#imported.set(alg, key)
    }
    return [key]
  }
}

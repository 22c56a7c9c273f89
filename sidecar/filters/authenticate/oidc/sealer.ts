import { hash, hkdfSync } from 'node:crypto'
import type { Jose } from '../jwt/jose.ts'
import { parseObject } from '../jwt/token.ts'

interface Key {
  readonly kid: string
  readonly bytes: Uint8Array
}

/**
 * Encrypts what a browser keeps for us (JWE, `dir` with A256GCM). The first secret encrypts, every one decrypts. Keys are
 * derived from a secret, what they are for and whom: what one purpose or provider wrote, no other can read.
 */
export class Sealer {
  readonly #jose: Jose
  readonly #keys: readonly Key[]

  /** @param purpose what the key is for, and of which provider */
  constructor(jose: Jose, secrets: readonly string[], purpose: string) {
    this.#jose = jose
    this.#keys = secrets.map(secret => {
      const bytes = new Uint8Array(hkdfSync('sha256', secret, '', `outrigger ${purpose}`, 32))
      return { kid: hash('sha256', bytes).slice(0, 8), bytes }
    })
  }

  async seal(value: object): Promise<string> {
    const [key] = this.#keys
    if (key === undefined) throw new Error('there is no secret')
    return new this.#jose.CompactEncrypt(new TextEncoder().encode(JSON.stringify(value)))
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid: key.kid })
      .encrypt(key.bytes)
  }

  /** What was sealed; null where it is not ours, or not any more. */
  async open(text: string): Promise<Record<string, unknown> | null> {
    const options = { keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: ['A256GCM'] }
    try {
      const { kid } = this.#jose.decodeProtectedHeader(text)
      const key = this.#keys.find(one => one.kid === kid)
      if (key === undefined) return null
      const { plaintext } = await this.#jose.compactDecrypt(text, key.bytes, options)
      return parseObject(plaintext)
    } catch {
      // Whatever is wrong with it, it is not ours.
      return null
    }
  }
}

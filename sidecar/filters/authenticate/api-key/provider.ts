import { hash, timingSafeEqual } from 'node:crypto'
import { NO_CLAIMS } from '../../../exchange/caller.ts'
import type { Exchange } from '../../../exchange/exchange.ts'
import type { Clock } from '../../../runtime/clock.ts'
import type { ConsumerDirectory } from '../consumers.ts'
import { AMBIGUOUS, readCredential, stripCredential } from '../credential-place.ts'
import { type Proof, type Provider, rejected } from '../provider.ts'
import type { ApiKeyProvider } from '../schema.ts'

/** Longer ones are nobody's: ours have 43 characters. */
const MAX_LENGTH = 1024

/**
 * Keys of consumers. Only digests are stored: one is looked up by its first digits and the rest is compared in constant
 * time, so that neither a copy of the configuration nor the time an answer takes tells a key.
 */
export class ApiKeys implements Provider {
  readonly kind = 'apiKey'
  readonly name: string
  readonly challenge = 'ApiKey realm="outrigger"'
  readonly ambient: boolean
  readonly bringsClaims = false
  readonly claimHeaders = []
  readonly #spec: ApiKeyProvider
  readonly #consumers: ConsumerDirectory
  readonly #clock: Clock

  constructor(spec: ApiKeyProvider, consumers: ConsumerDirectory, clock: Clock) {
    this.name = spec.name
    this.#spec = spec
    this.ambient = spec.from.kind === 'cookie'
    this.#consumers = consumers
    this.#clock = clock
  }

  prove(exchange: Exchange): Proof | null {
    const key = readCredential(exchange.headers, this.#spec.from)
    if (key === null) return null
    if (key === AMBIGUOUS) return rejected(this.challenge, 'two keys')
    if (key.length > MAX_LENGTH) return rejected(this.challenge, 'the key is too long')
    const digest = hash('sha256', Buffer.from(key, 'latin1'), 'buffer')
    for (const stored of this.#consumers.keysLike(digest.toString('hex'))) {
      if (stored.provider !== null && stored.provider !== this.name) continue
      if (!timingSafeEqual(digest, stored.digest)) continue
      if (stored.expires !== null && this.#clock.wall() >= stored.expires)
        return rejected(this.challenge, `a key of ${stored.consumer.name} has expired`)
      return this.#consumers.caller(stored.consumer, {
        method: 'apiKey',
        provider: this.name,
        subject: null,
        groups: [],
        scopes: [],
        claims: NO_CLAIMS,
        expiresAt: stored.expires,
      })
    }
    return rejected(this.challenge, 'no consumer has this key')
  }

  strip(exchange: Exchange): void {
    stripCredential(exchange.upstreamHeaders, this.#spec.from)
  }
}

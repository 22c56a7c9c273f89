import { hash, timingSafeEqual } from 'node:crypto'
import { NO_CLAIMS } from '../../../exchange/caller.ts'
import type { Exchange } from '../../../exchange/exchange.ts'
import type { ConsumerDirectory } from '../consumers.ts'
import { AMBIGUOUS, readCredential, stripCredential } from '../credential-place.ts'
import { type Proof, type Provider, rejected } from '../provider.ts'
import type { BasicProvider } from '../schema.ts'

const PLACE = { kind: 'bearer' } as const
const NOBODY = Buffer.alloc(32)

/** Names and passwords (RFC 7617). The password never travels upstream. */
export class BasicUsers implements Provider {
  readonly kind = 'basic'
  readonly name: string
  readonly challenge: string
  /** A browser that asked for the password once sends it along. */
  readonly ambient = true
  readonly bringsClaims = false
  readonly claimHeaders = []
  readonly #users: ReadonlyMap<string, Buffer>
  readonly #consumers: ConsumerDirectory

  constructor({ name, realm, users }: BasicProvider, consumers: ConsumerDirectory) {
    this.name = name
    this.challenge = `Basic realm="${realm.replaceAll(/[^\x20-\x7e]|["\\]/g, '')}", charset="UTF-8"`
    this.#users = new Map(Object.entries(users).map(([user, digest]) => [user, Buffer.from(digest, 'hex')]))
    this.#consumers = consumers
  }

  prove(exchange: Exchange): Proof | null {
    const value = readCredential(exchange.headers, PLACE, 'basic')
    if (value === null) return null
    if (value === AMBIGUOUS) return rejected(this.challenge, 'two credentials')
    const text = Buffer.from(value, 'base64').toString('utf8')
    const colon = text.indexOf(':')
    const user = colon === -1 ? '' : text.slice(0, colon)
    const stored = this.#users.get(user)
    // Somebody unknown takes as long as a wrong password.
    const same = timingSafeEqual(hash('sha256', text.slice(colon + 1), 'buffer'), stored ?? NOBODY)
    if (!same || stored === undefined) return rejected(this.challenge, 'wrong name or password')
    return this.#consumers.caller(this.#consumers.bySubject(this.name, user), {
      method: 'basic',
      provider: this.name,
      subject: user,
      groups: [],
      scopes: [],
      claims: NO_CLAIMS,
      expiresAt: null,
    })
  }

  strip(exchange: Exchange): void {
    stripCredential(exchange.upstreamHeaders, PLACE, 'basic')
  }
}

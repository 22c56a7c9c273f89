import { NO_CLAIMS } from '../../../exchange/caller.ts'
import type { Exchange } from '../../../exchange/exchange.ts'
import type { ConsumerDirectory } from '../consumers.ts'
import type { Proof, Provider } from '../provider.ts'
import type { MtlsProvider } from '../schema.ts'

/** Whoever proved by a certificate to be at the other end. The listener's TLS has checked it. */
export class ClientCertificates implements Provider {
  readonly kind = 'mtls'
  readonly name: string
  readonly challenge = 'mTLS realm="outrigger"'
  readonly ambient = true
  readonly bringsClaims = false
  readonly claimHeaders = []
  readonly #consumers: ConsumerDirectory

  constructor({ name }: MtlsProvider, consumers: ConsumerDirectory) {
    this.name = name
    this.#consumers = consumers
  }

  prove(exchange: Exchange): Proof | null {
    const { identity } = exchange.peer
    if (identity === null) return null
    const names = identity.spiffe === '' ? identity.dns : [identity.spiffe]
    const known = names.find(name => this.#consumers.bySpiffe(name) !== undefined)
    return this.#consumers.caller(known === undefined ? undefined : this.#consumers.bySpiffe(known), {
      method: 'mtls',
      provider: this.name,
      subject: names[0] ?? null,
      groups: [],
      scopes: [],
      claims: NO_CLAIMS,
      expiresAt: identity.notAfter,
    })
  }

  strip(): void {}
}

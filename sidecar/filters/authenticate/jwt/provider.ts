import { hash } from 'node:crypto'
import type { Exchange } from '../../../exchange/exchange.ts'
import { ProxyError } from '../../../exchange/proxy-error.ts'
import type { FilterLive } from '../../filter.ts'
import type { ConsumerDirectory } from '../consumers.ts'
import { AMBIGUOUS, readCredential, stripCredential } from '../credential-place.ts'
import type { Identity } from '../identity.ts'
import { type Proof, type Provider, rejected } from '../provider.ts'
import type { JwtProvider } from '../schema.ts'
import { callerOf } from '../token-caller.ts'
import { openVerifier, type VerifiedToken, type Verifier } from './verifier.ts'

/** Signed tokens (RFC 7519): of one issuer, for one of some audiences. */
export class Tokens implements Provider {
  readonly kind = 'jwt'
  readonly name: string
  readonly challenge: string
  readonly byCookie: boolean
  readonly bringsClaims = true
  readonly claimHeaders: Provider['claimHeaders']
  readonly #spec: JwtProvider
  readonly #consumers: ConsumerDirectory
  readonly #verifier: Verifier
  readonly #invalid: string

  constructor(spec: JwtProvider, { consumers, jose }: Identity, live: FilterLive) {
    if (jose === null) throw new Error('the library for tokens was not loaded')
    this.name = spec.name
    this.challenge = 'Bearer realm="outrigger"'
    // RFC 6750 section 3.1.
    this.#invalid = `${this.challenge}, error="invalid_token"`
    this.claimHeaders = spec.claimHeaders
    this.#spec = spec
    this.byCookie = spec.from.kind === 'cookie'
    this.#consumers = consumers
    this.#verifier = openVerifier(spec, jose, live)
  }

  prove(exchange: Exchange): Proof | Promise<Proof> | null {
    const token = readCredential(exchange.headers, this.#spec.from)
    if (token === null) return null
    if (token === AMBIGUOUS) return rejected(this.#invalid, 'two tokens')
    // One digest for who is asked and for what is kept: two tokens never share an entry, whatever they say.
    const id = hash('sha256', token, 'base64url')
    const known = this.#verifier.known(id)
    if (known !== undefined) return callerOf(known, this, this.#consumers)
    const verified = this.#verifier.verify(token, id)
    return verified instanceof Promise ? verified.then(one => this.#proof(one)) : this.#proof(verified)
  }

  #proof(
    verified: VerifiedToken | ProxyError | { readonly expired: boolean; readonly cause: string },
  ): Proof {
    if (verified instanceof ProxyError) return verified
    if ('cause' in verified)
      return rejected(
        this.#invalid,
        verified.cause,
        verified.expired ? 'token_expired' : 'credentials_invalid',
      )
    return callerOf(verified, this, this.#consumers)
  }

  strip(exchange: Exchange): void {
    if (!this.#spec.forward) stripCredential(exchange.upstreamHeaders, this.#spec.from)
  }
}

import type { Exchange } from '../../../exchange/exchange.ts'
import { ProxyError } from '../../../exchange/proxy-error.ts'
import type { FilterLive } from '../../filter.ts'
import type { ConsumerDirectory } from '../consumers.ts'
import { AMBIGUOUS, readCredential, stripCredential } from '../credential-place.ts'
import type { Identity } from '../identity.ts'
import { type Proof, type Provider, rejected } from '../provider.ts'
import type { JwtProvider } from '../schema.ts'
import { callerOf } from '../token-caller.ts'
import { tokenDigest } from '../token-digest.ts'
import { issuedAt, openRevocations, type Revocations } from '../revocations.ts'
import { openExchange } from '../token-exchange.ts'
import type { Slots } from '../slots.ts'
import { type DpopProofs, openProofs, PROOF_ALGORITHMS } from './dpop.ts'
import { openSlots, openVerifier, type VerifiedToken, type Verifier } from './verifier.ts'

/** A token as a request brings it. */
interface Bring {
  readonly exchange: Exchange
  readonly token: string
  /** By the scheme DPoP. */
  readonly asKey: boolean
}

/** Signed tokens (RFC 7519): of one issuer, for one of some audiences. */
export class Tokens implements Provider {
  readonly kind = 'jwt'
  readonly name: string
  readonly challenge: string
  readonly ambient: boolean
  readonly bringsClaims = true
  readonly claimHeaders: Provider['claimHeaders']
  readonly relay?: NonNullable<Provider['relay']>
  readonly #spec: JwtProvider
  readonly #consumers: ConsumerDirectory
  readonly #verifier: Verifier
  readonly #proofs: DpopProofs
  readonly #slots: Slots
  readonly #revoked: Revocations | null
  readonly #invalid: string

  constructor(spec: JwtProvider, { consumers, jose }: Identity, live: FilterLive) {
    if (jose === null) throw new Error('the library for tokens was not loaded')
    this.name = spec.name
    this.challenge =
      spec.proof === 'dpop'
        ? `DPoP realm="outrigger", algs="${PROOF_ALGORITHMS.join(' ')}"`
        : 'Bearer realm="outrigger"'
    // RFC 6750 section 3.1.
    this.#invalid = `${this.challenge}, error="invalid_token"`
    this.claimHeaders = spec.claimHeaders
    this.#spec = spec
    this.ambient = spec.from.kind === 'cookie'
    this.#consumers = consumers
    this.#verifier = openVerifier(spec, jose, live)
    this.#proofs = openProofs(jose, live)
    this.#slots = openSlots(live)
    this.#revoked = openRevocations(spec.revoked)
    const tokens = openExchange(spec, live)
    if (tokens !== null)
      this.relay = (exchange, caller) => tokens.relay(this.#brought(exchange), caller, this.#invalid)
  }

  prove(exchange: Exchange): Proof | Promise<Proof> | null {
    const bearer = readCredential(exchange.headers, this.#spec.from)
    // RFC 9449 section 7.1: a token that is bound to a key has a scheme of its own.
    const token = bearer ?? readCredential(exchange.headers, this.#spec.from, 'dpop')
    if (token === null) return null
    if (token === AMBIGUOUS) return rejected(this.#invalid, 'two tokens')
    const id = tokenDigest(exchange.peer, token)
    const known = this.#verifier.known(id)
    const bring: Bring = { exchange, token, asKey: bearer === null }
    if (known !== undefined) return this.#bound(known, bring)
    const verified = this.#verifier.verify(token, id)
    return verified instanceof Promise
      ? verified.then(one => this.#proof(one, bring))
      : this.#proof(verified, bring)
  }

  /** The text of a token that is proved. */
  #brought({ headers }: Exchange): string {
    const { from } = this.#spec
    return String(readCredential(headers, from) ?? readCredential(headers, from, 'dpop'))
  }

  #proof(
    verified: VerifiedToken | ProxyError | { readonly expired: boolean; readonly cause: string },
    bring: Bring,
  ): Proof | Promise<Proof> {
    if (verified instanceof ProxyError) return verified
    if ('cause' in verified)
      return rejected(
        this.#invalid,
        verified.cause,
        verified.expired ? 'token_expired' : 'credentials_invalid',
      )
    return this.#bound(verified, bring)
  }

  /** Whoever brings a token that is bound has to prove that it is theirs: for each request anew. */
  #bound(verified: VerifiedToken, { exchange, token, asKey }: Bring): Proof | Promise<Proof> {
    const { binding, identity } = verified
    if (this.#revoked?.refuses(identity, issuedAt(identity)) === true)
      return rejected(this.#invalid, 'it was revoked')
    const { proof } = this.#spec
    if (binding === null) {
      if (proof !== null || asKey) return rejected(this.#invalid, 'the token is bound to nothing')
      return callerOf(verified, this, this.#consumers)
    }
    if (binding.kind === 'certificate' && proof !== 'dpop' && !asKey) {
      if (exchange.peer.identity?.fingerprint === binding.fingerprint)
        return callerOf(verified, this, this.#consumers)
      return rejected(this.#invalid, 'the token is bound to another certificate')
    }
    if (binding.kind !== 'key' || proof === 'mtls' || !asKey)
      return rejected(this.#invalid, 'what the token is bound to was not proved')
    const checked = this.#slots.run(() => this.#proofs.check(exchange, token, binding.thumbprint))
    if (checked === null) return new ProxyError('overloaded', '', { cause: 'signatures' })
    return checked.then(cause =>
      cause === null
        ? callerOf(verified, this, this.#consumers)
        : rejected(
            `DPoP realm="outrigger", error="invalid_dpop_proof", algs="${PROOF_ALGORITHMS.join(' ')}"`,
            cause,
          ),
    )
  }

  strip(exchange: Exchange, proved: boolean): void {
    if (this.#spec.forward && proved) return
    stripCredential(exchange.upstreamHeaders, this.#spec.from)
    if (this.#spec.from.kind === 'bearer') stripCredential(exchange.upstreamHeaders, this.#spec.from, 'dpop')
  }
}

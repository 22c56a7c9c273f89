import type { Exchange } from '../../../exchange/exchange.ts'
import { ProxyError } from '../../../exchange/proxy-error.ts'
import type { FilterLive } from '../../filter.ts'
import type { ConsumerDirectory } from '../consumers.ts'
import { AMBIGUOUS, readCredential, stripCredential } from '../credential-place.ts'
import { MAX_TOKEN } from '../jwt/token.ts'
import { type Proof, type Provider, rejected } from '../provider.ts'
import { issuedAt, openRevocations, type Revocations } from '../revocations.ts'
import type { IntrospectionProvider } from '../schema.ts'
import { callerOf } from '../token-caller.ts'
import { tokenDigest } from '../token-digest.ts'
import { openExchange } from '../token-exchange.ts'
import { type Introspected, Introspector } from './introspector.ts'

/** RFC 6749 appendix A.12. */
const TOKEN = /^[\x21-\x7e]+$/

/** Tokens of which their issuer says whether they are good (RFC 7662). */
export class IntrospectedTokens implements Provider {
  readonly kind = 'introspection'
  readonly name: string
  readonly challenge = 'Bearer realm="outrigger"'
  readonly ambient: boolean
  readonly bringsClaims = true
  readonly claimHeaders: Provider['claimHeaders']
  readonly relay?: NonNullable<Provider['relay']>
  readonly #spec: IntrospectionProvider
  readonly #consumers: ConsumerDirectory
  readonly #introspector: Introspector
  readonly #revoked: Revocations | null
  // RFC 6750 section 3.1.
  readonly #invalid = `${this.challenge}, error="invalid_token"`

  constructor(spec: IntrospectionProvider, consumers: ConsumerDirectory, live: FilterLive) {
    this.name = spec.name
    this.claimHeaders = spec.claimHeaders
    this.#spec = spec
    this.ambient = spec.from.kind === 'cookie'
    this.#consumers = consumers
    this.#revoked = openRevocations(spec.revoked)
    const tokens = openExchange(spec, live)
    if (tokens !== null)
      this.relay = ({ headers }, caller) =>
        tokens.relay(String(readCredential(headers, spec.from)), caller, this.#invalid)
    this.#introspector = live.use(
      ['introspection', spec.digest],
      parts => new Introspector(spec, parts),
      () => {},
    )
  }

  prove(exchange: Exchange): Proof | Promise<Proof> | null {
    const token = readCredential(exchange.headers, this.#spec.from)
    if (token === null) return null
    if (token === AMBIGUOUS) return rejected(this.#invalid, 'two tokens')
    // Nobody is asked about what cannot be a token.
    if (token.length > MAX_TOKEN || !TOKEN.test(token)) return rejected(this.#invalid, 'it is no token')
    const id = tokenDigest(exchange.peer, token)
    const known = this.#introspector.known(id)
    if (known !== undefined) return this.#proof(known, exchange)
    const asked = this.#introspector.ask(token, id)
    return asked instanceof Promise
      ? asked.then(one => this.#proof(one, exchange))
      : this.#proof(asked, exchange)
  }

  #proof(introspected: Introspected, exchange: Exchange): Proof {
    if (introspected instanceof ProxyError) return introspected
    if ('cause' in introspected) {
      const reason = introspected.expired ? 'token_expired' : 'credentials_invalid'
      return rejected(this.#invalid, introspected.cause, reason)
    }
    const { identity, binding } = introspected
    // RFC 8705 section 3.2: the issuer says what the token is bound to, and whoever asks has to look at it.
    if (
      binding !== null &&
      (binding.kind !== 'certificate' || exchange.peer.identity?.fingerprint !== binding.fingerprint)
    )
      return rejected(this.#invalid, 'what the token is bound to was not proved')
    if (this.#revoked?.refuses(identity, issuedAt(identity)) === true)
      return rejected(this.#invalid, 'it was revoked')
    return callerOf(introspected, this, this.#consumers)
  }

  strip(exchange: Exchange, proved: boolean): void {
    if (!this.#spec.forward || !proved) stripCredential(exchange.upstreamHeaders, this.#spec.from)
  }
}

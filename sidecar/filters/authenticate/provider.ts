import type { Caller } from '../../exchange/caller.ts'
import type { Exchange } from '../../exchange/exchange.ts'
import { ProxyError, type Reason } from '../../exchange/proxy-error.ts'
import type { FilterAnswer } from '../filter.ts'
import type { ProviderKind } from './schema.ts'

/** What a provider makes of a request: whose it is, why its credential is not accepted, or what else it is answered. */
export type Proof = Caller | Refusal

/** A token for upstreams, none, or a refusal. */
export type Relayed = string | null | ProxyError

/** What is answered in place of the route's action. */
export type Refusal = ProxyError | FilterAnswer

/** One provider as a route asks it. Keeps nothing of a request. */
export interface Provider {
  readonly kind: ProviderKind
  readonly name: string
  /** What `www-authenticate` says where the credential is missing (RFC 9110 section 11.6.1). */
  readonly challenge: string
  /** Whether browsers send its credentials by themselves, so that a page of others may act as its visitor. Absent: no. */
  readonly ambient?: boolean
  /** Whether its credentials bring claims. */
  readonly bringsClaims: boolean
  /** Looks at the request's credential. Null where it has none of this kind. A promise only where something has to be waited for. */
  prove(exchange: Exchange): Proof | Promise<Proof> | null
  /** What a request without any credential is answered instead of 401; null: 401. */
  invite?(exchange: Exchange): Promise<Refusal> | null
  /**
   * The token that goes upstream as `authorization: Bearer` in place of what the client sent, or why nothing can go there;
   * null: none does. Absent: the request keeps what is not stripped.
   */
  relay?(exchange: Exchange, caller: Caller): Relayed | Promise<Relayed>
  /**
   * Takes the credential out of what goes upstream, where it may not go there.
   * @param proved whether it was looked at: one that was not goes nowhere, since services believe what they get
   */
  strip(exchange: Exchange, proved: boolean): void
  /** Headers that tell the upstream what claims say: they are written for this provider's callers, or taken away. */
  readonly claimHeaders: readonly (readonly [header: string, claim: string])[]
}

/** Whether it is whose the request is. */
export function isCaller(proof: Proof): proof is Caller {
  return !(proof instanceof ProxyError) && !('body' in proof)
}

/** What a client is told where it has none of the credentials that would do. */
export function missing(providers: readonly Provider[]): ProxyError {
  const challenges = providers.map(provider => provider.challenge).join(', ')
  return new ProxyError('credentials_missing', '', { headers: ['www-authenticate', challenges] })
}

/**
 * A credential that is not accepted.
 * @param challenge of the provider
 * @param cause for the log: what was wrong with it, never the credential
 */
export function rejected(
  challenge: string,
  cause: string,
  reason: Extract<Reason, 'credentials_invalid' | 'token_expired'> = 'credentials_invalid',
): ProxyError {
  return new ProxyError(reason, '', { cause, headers: ['www-authenticate', challenge] })
}

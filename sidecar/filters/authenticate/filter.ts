import type { AuthorizationDecision } from '../../exchange/authorization-decision.ts'
import type { Caller } from '../../exchange/caller.ts'
import type { Exchange } from '../../exchange/exchange.ts'
import { type HeaderList, removeHeader, setHeader } from '../../exchange/headers.ts'
import { ProxyError, type Reason } from '../../exchange/proxy-error.ts'
import type { Filter, FilterKind, FilterLive, Verdict } from '../filter.ts'
import { writeCaller } from './caller-headers.ts'
import type { Identity } from './identity.ts'
import { isCaller, missing, type Proof, type Provider, type Relayed } from './provider.ts'
import { openProvider } from './providers.ts'
import type { AuthenticatePolicy } from './schema.ts'
import { writeCookies } from './set-cookies.ts'

/** A route's policy with what it names. */
export interface AuthenticateSettings {
  readonly policy: AuthenticatePolicy
  readonly identity: Identity
}

/**
 * Who is calling: proves it, or refuses. Sets `exchange.caller`, tells the upstream who calls, and takes out of the
 * request what must not travel on. Nothing is awaited for a credential that was seen before.
 */
export const authenticateFilter: FilterKind<AuthenticateSettings> = {
  name: 'authenticate',
  create: (settings, _route, live) => new AuthenticateFilter(settings, live),
}

class AuthenticateFilter implements Filter {
  readonly name = 'authenticate'
  readonly #policy: AuthenticatePolicy
  readonly #providers: readonly Provider[]

  constructor({ policy, identity }: AuthenticateSettings, live: FilterLive) {
    this.#policy = policy
    this.#providers = policy.ways.map(way => openProvider(way, identity, live))
  }

  onRequest(exchange: Exchange): Verdict | Promise<Verdict> {
    // Nobody is known before this filter, except where `explain` says who would be.
    if (exchange.caller !== null) {
      const method = exchange.caller.method
      this.#forward(exchange, exchange.caller, this.#providers.find(one => one.kind === method) ?? null)
      return undefined
    }
    const verdict = this.#policy.mode === 'any' ? this.#any(exchange) : this.#all(exchange)
    return verdict instanceof Promise
      ? verdict.then(later => noted(exchange, later))
      : noted(exchange, verdict)
  }

  onResponse(exchange: Exchange, headers: HeaderList): void {
    writeCookies(exchange, headers)
  }

  /** The first whose credential is there decides, whatever it decides: a bad one is never a try at the next. */
  #any(exchange: Exchange): Verdict | Promise<Verdict> {
    for (const provider of this.#providers) {
      const proof = provider.prove(exchange)
      if (proof === null) continue
      if (!(proof instanceof Promise)) return this.#settle(exchange, proof, provider)
      return proof.then(later => this.#settle(exchange, later, provider))
    }
    return this.#anonymous(exchange)
  }

  #all(exchange: Exchange): Verdict | Promise<Verdict> {
    const proofs: (Proof | Promise<Proof>)[] = []
    const without: Provider[] = []
    for (const provider of this.#providers) {
      const proof = provider.prove(exchange)
      if (proof === null) without.push(provider)
      else if (!(proof instanceof Promise) && !isCaller(proof)) return proof
      else {
        // Where another one is refused or missing nobody waits for this, and its outcome is nobody's.
        if (proof instanceof Promise) proof.catch(() => {})
        proofs.push(proof)
      }
    }
    if (proofs.length === 0) return this.#anonymous(exchange)
    if (without.length > 0) return this.#refuse(exchange, without)
    return Promise.all(proofs.map(async proof => proof)).then(all => {
      const failed = all.find(proof => !isCaller(proof))
      if (failed !== undefined && !isCaller(failed)) return failed
      const at = Math.max(
        0,
        this.#providers.findIndex(provider => provider.bringsClaims),
      )
      return this.#settle(exchange, all[at] as Proof, this.#providers[at] as Provider) // one proof a provider
    })
  }

  /** Without a credential: a browser may be sent to a login, everybody else hears what would do. */
  #refuse(exchange: Exchange, without: readonly Provider[]): Verdict | Promise<Verdict> {
    for (const provider of without) {
      const invited = provider.invite?.(exchange) ?? null
      if (invited !== null) return invited
    }
    return missing(without)
  }

  #anonymous(exchange: Exchange): Verdict | Promise<Verdict> {
    if (!this.#policy.optional) return this.#refuse(exchange, this.#providers)
    this.#forward(exchange, null, null)
    return undefined
  }

  #settle(exchange: Exchange, proof: Proof, provider: Provider): Verdict | Promise<Verdict> {
    if (!isCaller(proof)) return proof
    exchange.caller = proof
    // Of several that are all needed, one that a page cannot bring is enough.
    const deciding = this.#policy.mode === 'all' ? this.#providers : [provider]
    if (deciding.every(one => one.ambient === true)) exchange.ambient = true
    this.#forward(exchange, proof, provider)
    if (provider.relay === undefined) return undefined
    const relayed = provider.relay(exchange, proof)
    return relayed instanceof Promise
      ? relayed.then(later => relay(exchange, later))
      : relay(exchange, relayed)
  }

  #forward(exchange: Exchange, caller: Caller | null, provider: Provider | null): void {
    // Of all: a key beside the token that decided is still a key, and a token beside the key is nobody's word.
    const all = this.#policy.mode === 'all' && caller !== null
    for (const one of this.#providers) {
      one.strip(exchange, all || one === provider)
      if (one !== provider)
        for (const [header] of one.claimHeaders) removeHeader(exchange.upstreamHeaders, header)
    }
    writeCaller(exchange, caller, provider === null ? [] : provider.claimHeaders)
  }
}

/** In place of what the client sent: whoever reads it takes it for the session's or the exchange's. */
function relay(exchange: Exchange, relayed: Relayed): Verdict {
  if (relayed instanceof ProxyError) return relayed
  if (relayed === null) removeHeader(exchange.upstreamHeaders, 'authorization')
  else setHeader(exchange.upstreamHeaders, 'authorization', `Bearer ${relayed}`)
  return undefined
}

/** One for each reason: most of those who are refused are refused for the same. */
const DENIED = new Map<Reason, AuthorizationDecision>()

/** For the audit: who is refused here never gets to a decision of authorization. A login that begins is no refusal. */
function noted(exchange: Exchange, verdict: Verdict): Verdict {
  if (!(verdict instanceof ProxyError)) return verdict
  const { reason } = verdict
  let decision = DENIED.get(reason)
  if (decision === undefined) {
    decision = { event: 'authentication', decision: 'deny', rule: 'authenticate', unmet: reason }
    DENIED.set(reason, decision)
  }
  exchange.decision = decision
  return verdict
}

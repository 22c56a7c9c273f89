import { hash } from 'node:crypto'
import type { Caller } from '../../exchange/caller.ts'
import { ProxyError } from '../../exchange/proxy-error.ts'
import type { Counter, FilterLive, FilterParts } from '../filter.ts'
import { clientAuthorization } from './client-authentication.ts'
import { FetchFailed, fetchJson } from './fetch-json.ts'
import { MAX_TOKEN } from './jwt/token.ts'
import { type Relayed, rejected } from './provider.ts'
import type { ExchangeSpec } from './schema.ts'
import { Slots } from './slots.ts'
import { VerifiedTokens } from './verified-tokens.ts'

const MAX_BYTES = 64 * 1024
/** Exchanges at a time, and requests that wait for one. */
const SLOTS = { running: 32, waiting: 512 }
/** After so many failures in a row nobody asks for a moment, in milliseconds. */
const FAILURES = 5
const PAUSE_MS = 1_000
/** A token of which the issuer does not say how long it is good, in milliseconds. */
const UNSAID_MS = 60_000
/** A token is exchanged anew so long before its end, since it is on its way for a while; at most half its time. */
const MARGIN_MS = 10_000
/** How long a token that the issuer does not exchange is refused without asking again. */
const REFUSED_MS = 5_000
/** What is wrong with us, not with the token that was brought (RFC 6749 section 5.2, RFC 8693 section 2.2.2). */
const OURS: ReadonlySet<string> = new Set([
  ...['invalid_client', 'unauthorized_client', 'unsupported_grant_type'],
  ...['invalid_scope', 'invalid_target'],
])
const TOKEN = /^[\x21-\x7e]+$/

/** A token for upstreams; or why there is none for this one; or why nobody can tell. */
export type Exchanged = string | { readonly cause: string } | ProxyError

interface Kept {
  readonly until: number
  readonly outcome: Exclude<Exchanged, ProxyError>
}

/** The exchange of a provider, shared by all routes that have it; null: it has none. */
export function openExchange(
  { name, digest, exchange }: { name: string; digest: string; exchange?: ExchangeSpec },
  live: FilterLive,
): TokenExchange | null {
  if (exchange === undefined) return null
  return live.use(
    ['token exchange', name, digest],
    parts => new TokenExchange(name, exchange, parts),
    () => {},
  )
}

/**
 * Exchanges the tokens that callers bring for tokens that upstreams take (RFC 8693). What was exchanged is kept until a
 * little before its end, and never past the end of what it was exchanged for; who brings the same token at once waits for one
 * answer. Without an answer nothing goes upstream.
 */
export class TokenExchange {
  readonly #name: string
  readonly #spec: ExchangeSpec
  readonly #parts: FilterParts
  readonly #authorization: string
  readonly #kept = new VerifiedTokens<Kept>()
  readonly #refused = new VerifiedTokens<Kept>(1_000)
  readonly #running = new Map<string, Promise<Exchanged>>()
  readonly #slots = new Slots(SLOTS.running, SLOTS.waiting)
  readonly #counts: Readonly<Record<'known' | 'asked' | 'failed', Counter>>
  #failures = 0
  #pausedUntil = -Infinity

  constructor(name: string, spec: ExchangeSpec, parts: FilterParts) {
    this.#name = name
    this.#spec = spec
    this.#parts = parts
    this.#authorization = clientAuthorization(spec.clientId, spec.clientSecret)
    const help = 'Tokens for upstreams, by provider: known already, asked for, and without an answer.'
    const count = (result: string): Counter =>
      parts.counter('outrigger_token_exchanges_total', help, { provider: name, result })
    this.#counts = { known: count('known'), asked: count('asked'), failed: count('failed') }
  }

  /**
   * @param token what the caller brought, which is good
   * @param expiresAt its end, in milliseconds since 1970; null: it has none
   */
  exchange(token: string, expiresAt: number | null): Exchanged | Promise<Exchanged> {
    const { clock } = this.#parts
    const id = hash('sha256', token, 'base64url')
    const now = clock.now()
    const known = this.#kept.get(id, now) ?? this.#refused.get(id, now)
    if (known !== undefined) {
      this.#counts.known.value++
      return known.outcome
    }
    const running = this.#running.get(id)
    if (running !== undefined) return running
    if (now < this.#pausedUntil) return this.#unavailable('it failed a moment ago')
    const left = expiresAt === null ? Infinity : expiresAt - clock.wall()
    const asked = this.#slots.run(() => this.#ask(token, id, left))
    if (asked === null) return new ProxyError('overloaded', '', { cause: 'token exchanges' })
    const settled = asked.finally(() => this.#running.delete(id))
    this.#running.set(id, settled)
    return settled
  }

  /**
   * What goes upstream for a caller.
   * @param token what proved who it is
   * @param challenge of the provider, where the issuer does not exchange it
   */
  relay(token: string, { expiresAt }: Caller, challenge: string): Relayed | Promise<Relayed> {
    const outcome = this.exchange(token, expiresAt)
    const read = (one: Exchanged): Relayed =>
      typeof one === 'string' || one instanceof ProxyError ? one : rejected(challenge, one.cause)
    return outcome instanceof Promise ? outcome.then(read) : read(outcome)
  }

  async #ask(token: string, id: string, left: number): Promise<Exchanged> {
    const { url, timeout } = this.#spec
    if (this.#parts.clock.now() < this.#pausedUntil) return this.#unavailable('it failed a moment ago')
    this.#counts.asked.value++
    const body = this.#form(token)
    const headers = {
      authorization: this.#authorization,
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': String(body.length),
    }
    try {
      const request = { url, method: 'POST', headers, body, timeout, maxBytes: MAX_BYTES } as const
      const { status, json } = await fetchJson(request, this.#parts.wheel)
      const answer = isMap(json) ? json : {}
      if (status >= 400 && status < 500) return this.#refuse(answer['error'], status, id)
      if (status !== 200) throw new FetchFailed(`status ${status}`)
      return this.#take(answer, id, left)
    } catch (error) {
      if (!(error instanceof FetchFailed)) throw error
      return this.#failed(error.message)
    }
  }

  /** RFC 8693 section 2.1. */
  #form(token: string): string {
    const { audience, resource, scopes } = this.#spec
    const form = new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    })
    if (audience !== null) form.set('audience', audience)
    if (resource !== null) form.set('resource', resource)
    if (scopes.length > 0) form.set('scope', scopes.join(' '))
    return form.toString()
  }

  #take(answer: Readonly<Record<string, unknown>>, id: string, left: number): string {
    const { access_token: token, token_type: type, expires_in: seconds } = answer
    if (typeof token !== 'string' || token.length > MAX_TOKEN || !TOKEN.test(token))
      throw new FetchFailed('there is no token in the answer')
    // A token of another type is not for `authorization: Bearer`.
    if (typeof type !== 'string' || type.toLowerCase() !== 'bearer')
      throw new FetchFailed('the token is of another type')
    this.#failures = 0
    const life = typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : UNSAID_MS
    const until = this.#parts.clock.now() + Math.min(life - Math.min(MARGIN_MS, life / 2), left)
    this.#kept.set(id, { until, outcome: token })
    return token
  }

  #refuse(error: unknown, status: number, id: string): Exchanged {
    const code = typeof error === 'string' && /^[a-z_]{1,40}$/.test(error) ? error : `status ${status}`
    if (typeof error !== 'string' || OURS.has(error) || status === 429) throw new FetchFailed(code)
    this.#failures = 0
    const outcome = { cause: `it is not exchanged: ${code}` }
    this.#refused.set(id, { until: this.#parts.clock.now() + REFUSED_MS, outcome })
    return outcome
  }

  #failed(why: string): ProxyError {
    this.#counts.failed.value++
    if (++this.#failures >= FAILURES) this.#pausedUntil = this.#parts.clock.now() + PAUSE_MS
    this.#parts.warn('tokens cannot be exchanged', { provider: this.#name, url: this.#spec.url, why })
    return this.#unavailable(why)
  }

  #unavailable(why: string): ProxyError {
    const cause = `token exchange of ${this.#name}: ${why}`
    return new ProxyError('identity_provider_unavailable', '', { cause })
  }
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

import { ProxyError } from '../../../exchange/proxy-error.ts'
import type { Counter, FilterParts } from '../../filter.ts'
import { clientAuthorization } from '../client-authentication.ts'
import { FetchFailed, fetchJson } from '../fetch-json.ts'
import { type Binding, bindingOf } from '../jwt/binding.ts'
import { readClaims, type Unacceptable } from '../jwt/claims.ts'
import type { IntrospectionProvider } from '../schema.ts'
import { Slots } from '../slots.ts'
import type { IdentifiedToken } from '../token-caller.ts'
import { VerifiedTokens } from '../verified-tokens.ts'

const MAX_BYTES = 64 * 1024
/** How long a token that is not good is refused without asking again, in milliseconds. */
const REFUSED_MS = 5_000
/** Questions that are asked at a time, and tokens that wait for that; each holds its request. */
const SLOTS = { running: 32, waiting: 512 }
/** After so many failures in a row nobody asks for a moment, in milliseconds: a request need not wait to hear of it. */
const FAILURES = 5
const PAUSE_MS = 1_000

/** A token that its issuer calls good. */
export interface ActiveToken extends IdentifiedToken {
  readonly until: number
  /** What it is bound to; null: it is for whoever has it. */
  readonly binding: Binding | null
}

/** What becomes of a token: it is good, or why not, or why nobody can tell. */
export type Introspected = ActiveToken | Unacceptable | ProxyError

/**
 * Asks an issuer of which tokens it says that they are good (RFC 7662). What was good is kept for a minute at most and
 * never past its end; what was not, for a few seconds, apart from it, so that a flood of strange tokens pushes nothing
 * out. Whoever brings the same token at once waits for one answer. Without an answer nobody passes.
 */
export class Introspector {
  readonly #provider: IntrospectionProvider
  readonly #parts: FilterParts
  readonly #authorization: string
  readonly #good = new VerifiedTokens<ActiveToken>()
  readonly #refused = new VerifiedTokens<Unacceptable & { readonly until: number }>(1_000)
  readonly #running = new Map<string, Promise<Introspected>>()
  readonly #slots = new Slots(SLOTS.running, SLOTS.waiting)
  readonly #counts: { readonly known: Counter; readonly asked: Counter; readonly failed: Counter }
  #failures = 0
  #pausedUntil = -Infinity

  constructor(provider: IntrospectionProvider, parts: FilterParts) {
    this.#provider = provider
    this.#parts = parts
    this.#authorization = clientAuthorization(provider.clientId, provider.clientSecret)
    const help = 'Tokens of introspection, by provider: known already, asked about, and without an answer.'
    const count = (result: string): Counter =>
      parts.counter('outrigger_introspections_total', help, { provider: provider.name, result })
    this.#counts = { known: count('known'), asked: count('asked'), failed: count('failed') }
  }

  /** What is known of a token, by its digest. */
  known(id: string): ActiveToken | Unacceptable | undefined {
    const { clock } = this.#parts
    const good = this.#good.get(id, clock.now())
    if (good !== undefined) {
      const { expiresAt } = good.identity
      if (expiresAt === null || clock.wall() < expiresAt) {
        this.#counts.known.value++
        return good
      }
      this.#good.delete(id)
    }
    return this.#refused.get(id, clock.now())
  }

  /** Asks about a token that is not known. */
  ask(token: string, id: string): Introspected | Promise<Introspected> {
    const running = this.#running.get(id)
    if (running !== undefined) return running
    if (this.#parts.clock.now() < this.#pausedUntil) return this.#unavailable('it failed a moment ago')
    const asked = this.#slots.run(() => this.#ask(token, id))
    if (asked === null) return new ProxyError('overloaded', '', { cause: 'introspections' })
    const settled = asked.finally(() => this.#running.delete(id))
    this.#running.set(id, settled)
    return settled
  }

  async #ask(token: string, id: string): Promise<Introspected> {
    const { url, timeout } = this.#provider
    // Whoever waited for its turn hears of a failure in between.
    if (this.#parts.clock.now() < this.#pausedUntil) return this.#unavailable('it failed a moment ago')
    this.#counts.asked.value++
    const body = `token=${encodeURIComponent(token)}&token_type_hint=access_token`
    const headers = {
      authorization: this.#authorization,
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': String(body.length),
    }
    try {
      const request = { url, method: 'POST', headers, body, timeout, maxBytes: MAX_BYTES } as const
      const { status, json } = await fetchJson(request, this.#parts.wheel)
      if (status !== 200) throw new FetchFailed(`status ${status}`)
      if (!isMap(json) || typeof json['active'] !== 'boolean')
        throw new FetchFailed('it does not say `active`')
      this.#failures = 0
      return this.#read(json, id)
    } catch (error) {
      if (!(error instanceof FetchFailed)) throw error
      return this.#failed(error.message)
    }
  }

  #read(answer: Readonly<Record<string, unknown>>, id: string): ActiveToken | Unacceptable {
    const { clock } = this.#parts
    if (answer['active'] === false) return this.#refuse({ expired: false, cause: 'it is not active' }, id)
    const claims = Object.freeze(Object.assign(Object.create(null) as Record<string, unknown>, answer))
    const identity = readClaims(claims, this.#provider, clock.wall())
    if ('cause' in identity) return this.#refuse(identity, id)
    const token = {
      until: clock.now() + this.#provider.cache,
      binding: bindingOf(identity.claims),
      identity,
      caller: null,
      directory: '',
    }
    if (this.#provider.cache > 0) this.#good.set(id, token)
    return token
  }

  #refuse(why: Unacceptable, id: string): Unacceptable {
    if (this.#provider.cache > 0)
      this.#refused.set(id, { ...why, until: this.#parts.clock.now() + REFUSED_MS })
    return why
  }

  #failed(why: string): ProxyError {
    this.#counts.failed.value++
    this.#failures++
    if (this.#failures >= FAILURES) this.#pausedUntil = this.#parts.clock.now() + PAUSE_MS
    const { name, url } = this.#provider
    this.#parts.warn('an issuer cannot be asked about tokens', { provider: name, url, why })
    return this.#unavailable(why)
  }

  #unavailable(why: string): ProxyError {
    const cause = `introspection ${this.#provider.name}: ${why}`
    return new ProxyError('identity_provider_unavailable', '', { cause })
  }
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

import type { Caller } from '../../exchange/caller.ts'
import { ContextKey } from '../../exchange/context-key.ts'
import type { Exchange } from '../../exchange/exchange.ts'
import type { HeaderList } from '../../exchange/headers.ts'
import { ProxyError } from '../../exchange/proxy-error.ts'
import type { Filter, FilterKind, FilterLive, Verdict } from '../filter.ts'
import { Binding } from './binding.ts'
import { seconds, tightest, writeLimitFields } from './limit-fields.ts'
import { type LimitSet, limitsFor, NO_LIMITS, quotaFor, Standing } from './limit-set.ts'
import type { LimitsConfig, RateLimitPolicy } from './schema.ts'

/** A route's limits, with those of plans and consumers and the stores that they name. */
export interface RateLimitSettings {
  readonly policy: RateLimitPolicy
  readonly limits: LimitsConfig
  /** Only those limits that are counted in front of authentication; else only the others. */
  readonly early?: boolean
}

/**
 * Counts a request in all limits that hold for its caller, or refuses it and counts it in none. Without a store nothing
 * is awaited. Counts are live state: they outlive the route and every reload that leaves the limit what it is; a number
 * that changes keeps the count.
 */
export const rateLimitFilter: FilterKind<RateLimitSettings> = {
  name: 'rateLimit',
  create: (settings, route, live) => new RateLimitFilter(settings, route.name, live),
}

class RateLimitFilter implements Filter {
  readonly name = 'rateLimit'
  readonly #policy: RateLimitPolicy
  readonly #config: LimitsConfig
  readonly #route: string
  readonly #early: boolean
  readonly #binding: Binding
  /** What the limits said of a request: for the response's fields, and for what is given back at its end. */
  readonly #standings = new ContextKey<readonly Standing[]>('rateLimit')
  /** Of callers without plan and limits of their own. */
  readonly #common: LimitSet
  /** Of the others, by plan and name. */
  readonly #sets = new Map<string, LimitSet>()

  constructor({ policy, limits, early = false }: RateLimitSettings, route: string, live: FilterLive) {
    this.#policy = policy
    this.#config = limits
    this.#route = route
    this.#early = early
    this.#binding = new Binding(policy, limits, live)
    this.#common = this.#compile(null)
  }

  onRequest(exchange: Exchange): Verdict | Promise<Verdict> {
    const set = this.#setFor(exchange.caller)
    // A request that is only explained has used nothing up, and no store is asked about it.
    if (set.limits.length === 0 || this.#binding.parts.offline) return undefined
    const standings = set.limits.map(limit => new Standing(limit, exchange))
    const asked: Standing[] = []
    let fits = true
    for (const standing of standings) {
      const { store } = standing.limit
      const paid = standing.pay()
      if (paid !== undefined) fits &&= paid
      else if (store !== null && store.ready) asked.push(standing)
      else if (store === null || store.spec.onError === 'local') {
        if (!standing.look()) fits = false
      } else if (store.spec.onError === 'deny') {
        this.#giveBack(standings)
        return this.#unavailable(standing)
      }
    }
    if (!fits) {
      if (set.leased) this.#giveBack(standings)
      return this.#refuse(exchange, standings)
    }
    for (const standing of standings) standing.take()
    if (set.concurrent || (!this.#early && this.#policy.headers !== 'off'))
      exchange.set(this.#standings, standings)
    return asked.length === 0 ? undefined : this.#ask(exchange, standings, asked)
  }

  onResponse(exchange: Exchange, headers: HeaderList): void {
    const { headers: kind, dryRun } = this.#policy
    if (kind === 'off' || dryRun) return
    const standings = exchange.get(this.#standings)
    if (standings === undefined) return
    // Of one that goes on, the limits after authentication tell the client how far it is.
    if (this.#early && !standings.some(({ wait }) => wait > 0)) return
    writeLimitFields(headers, kind, standings, this.#binding.parts.clock.wall())
  }

  onDone(exchange: Exchange): void {
    const standings = exchange.get(this.#standings)
    if (standings === undefined) return
    for (const standing of standings) if (standing.limit.spec.rate.kind === 'concurrent') standing.giveBack()
  }

  async #ask(
    exchange: Exchange,
    standings: readonly Standing[],
    asked: readonly Standing[],
  ): Promise<Verdict> {
    const [first] = asked
    const store = first?.limit.store
    if (store == null) return undefined
    const rest = asked.filter(standing => standing.limit.store !== store)
    const { refused, unknown } = await store.take(asked.filter(standing => standing.limit.store === store))
    if (refused) return this.#undo(exchange, standings)
    for (const standing of unknown) {
      const { onError } = store.spec
      if (onError === 'deny') {
        this.#giveBack(standings)
        return this.#unavailable(standing)
      }
      if (onError === 'allow') continue
      if (!standing.look()) return this.#undo(exchange, standings)
      standing.take()
    }
    return rest.length === 0 ? undefined : this.#ask(exchange, standings, rest)
  }

  /** One refused what others have counted already. */
  #undo(exchange: Exchange, standings: readonly Standing[]): Verdict {
    this.#giveBack(standings)
    return this.#refuse(exchange, standings)
  }

  #giveBack(standings: readonly Standing[]): void {
    const stores = new Set(standings.map(standing => standing.limit.store))
    for (const store of stores) store?.giveBack(standings.filter(standing => standing.limit.store === store))
    for (const standing of standings) standing.giveBack()
  }

  #refuse(exchange: Exchange, standings: readonly Standing[]): Verdict {
    const worst = tightest(standings)
    if (worst === null) return undefined
    const { spec, quota } = worst.limit
    const { dryRun, headers } = this.#policy
    this.#count(exchange.caller, dryRun)
    if (dryRun) {
      this.#binding.parts.warn('a limit would refuse a request', { limit: spec.name, route: this.#route })
      return undefined
    }
    if (headers !== 'off') exchange.set(this.#standings, standings)
    const violated = standings.filter(standing => standing.wait > 0).map(standing => standing.limit.spec.name)
    const detail =
      spec.rate.kind === 'concurrent'
        ? `The limit ${spec.name} of ${quota} at once is used up.`
        : `The limit ${spec.name} of ${quota} per ${spec.per} is used up.`
    return new ProxyError('rate_limited', detail, {
      cause: spec.name,
      headers: ['retry-after', String(Math.max(1, seconds(worst.wait)))],
      members: { 'violated-policies': violated },
    })
  }

  #unavailable({ limit }: Standing): Verdict {
    const { parts } = this.#binding
    parts.counter(
      'outrigger_rate_limit_unavailable_total',
      'Requests refused since a store did not answer.',
      {
        store: limit.spec.store ?? '',
      },
    ).value++
    if (this.#policy.dryRun) return undefined
    return new ProxyError('rate_limit_unavailable', '', { cause: limit.spec.name })
  }

  #count(caller: Caller | null, dryRun: boolean): void {
    const { parts } = this.#binding
    const labels = {
      client_id: caller === null ? 'anonymous' : parts.clientLabel(caller.name),
      route: this.#route,
    }
    if (dryRun)
      parts.counter(
        'outrigger_rate_limit_dry_run_exceeded_total',
        'Requests that a limit with dryRun would have refused.',
        labels,
      ).value++
    else
      parts.counter('gateway_rate_limit_exceeded_total', 'Requests refused by a rate limit.', labels).value++
  }

  #setFor(caller: Caller | null): LimitSet {
    if (caller === null) return this.#common
    const { plan, known, name } = caller
    const own = known && Object.hasOwn(this.#config.consumers, name)
    if (plan === null && !own) return this.#common
    // Neither a plan nor a consumer has a space in its name.
    const key = `${plan ?? ''} ${own ? name : ''}`
    let set = this.#sets.get(key)
    if (set === undefined) this.#sets.set(key, (set = this.#compile(caller)))
    return set
  }

  #compile(caller: Pick<Caller, 'name' | 'known' | 'plan'> | null): LimitSet {
    const specs = limitsFor(this.#policy, this.#config, caller).filter(
      ({ early = false }) => early === this.#early,
    )
    if (specs.length === 0) return NO_LIMITS
    const limits = specs.map(spec => this.#binding.bind(spec, quotaFor(spec, caller?.plan ?? null) ?? 0))
    return {
      limits,
      concurrent: limits.some(limit => limit.spec.rate.kind === 'concurrent'),
      leased: limits.some(limit => limit.leases !== null),
    }
  }
}

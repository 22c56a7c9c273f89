import type { Exchange } from '../../exchange/exchange.ts'
import { compileExpression } from '../../exchange/expression/expression.ts'
import { compileCountingKey } from '../../exchange/request-key.ts'
import type { FilterLive, FilterParts } from '../filter.ts'
import { type Counter, openCounter } from './counters.ts'
import { Leases } from './lease.ts'
import { policyItem } from './limit-fields.ts'
import type { Limit } from './limit-set.ts'
import { RecentKeys } from './recent-keys.ts'
import { RedisConnection } from './redis/connection.ts'
import { RedisStore } from './redis/store.ts'
import type { LimitsConfig, LimitSpec, RateLimitPolicy } from './schema.ts'

/** The counts of the limits of plans and consumers: any route may need any of them, so that all share them. */
interface Shared {
  readonly parts: FilterParts
  readonly counters: RecentKeys<Counter>
  readonly leases: RecentKeys<Leases>
}

/**
 * Binds the limits of one route to where they are counted. What a route says itself is taken at once, so that a reload
 * keeps it; what callers bring is looked up when the first of them comes.
 */
export class Binding {
  readonly parts: FilterParts
  readonly #shared: Shared
  readonly #live: FilterLive
  readonly #bound = new Map<string, Omit<Limit, 'quota' | 'item'>>()
  readonly #stores = new Map<string, RedisStore>()

  constructor(policy: RateLimitPolicy, config: LimitsConfig, live: FilterLive) {
    this.#live = live
    this.#shared = live.use(
      ['limits'],
      (parts): Shared => ({ parts, counters: new RecentKeys(Infinity), leases: new RecentKeys(Infinity) }),
      () => {},
    )
    this.parts = this.#shared.parts
    const own = [...policy.outer, ...policy.own]
    const callers = [config.plans, config.consumers].flatMap(Object.values<LimitsConfig['plans'][string]>)
    for (const { store } of [...own, ...callers.flatMap(one => one.limits)]) {
      if (store !== null && !this.#stores.has(store)) this.#openStore(store, config)
    }
    for (const spec of own) this.bind(spec, spec.quota)
  }

  bind(spec: LimitSpec, quota: number): Limit {
    const id = JSON.stringify(spec)
    let bound = this.#bound.get(id)
    if (bound === undefined) {
      const store = spec.store === null ? null : (this.#stores.get(spec.store) ?? null)
      bound = {
        spec,
        key: compileCountingKey(spec.by),
        cost: compileCost(spec),
        counter: this.#counter(spec),
        store,
        leases: store === null ? null : this.#leases(spec, store),
      }
      this.#bound.set(id, bound)
    }
    const item = spec.rate.kind === 'calendar' ? null : policyItem(spec, quota, 0)
    return { ...bound, quota, item }
  }

  /** What a number is called and what it is are no part of the count: a number that changes keeps it. */
  #counter({ scope, name, by, rate }: LimitSpec): Counter {
    const { parts, counters } = this.#shared
    const key = ['limit', scope, name, JSON.stringify(by), JSON.stringify(rate)]
    const open = (): Counter => openCounter(rate, parts.clock)
    if (ofCaller(scope)) return counters.get(JSON.stringify(key), 0, open)
    return this.#live.use(key, open, () => {})
  }

  #leases(spec: LimitSpec, store: RedisStore): Leases | null {
    const { scope, name, by, rate, lease } = spec
    if (lease === undefined) return null
    const { parts, leases } = this.#shared
    const key = ['limit leases', scope, name, JSON.stringify(by), JSON.stringify(rate), spec.store, lease]
    const open = (): Leases => new Leases(lease, rate, () => parts.clock.now())
    const held = ofCaller(scope)
      ? leases.get(JSON.stringify(key), 0, open)
      : this.#live.use(key, open, opened => void store.putBack(opened))
    store.lend(held, spec)
    return held
  }

  #openStore(name: string, config: LimitsConfig): void {
    const spec = config.stores[name]
    const { parts } = this
    if (spec === undefined) return
    const store = this.#live.use(
      ['limit store', spec.name, spec.digest],
      () => new RedisStore(spec, new RedisConnection(spec, parts)),
      opened => {
        const closed = opened.close()
        parts.outlast?.(closed)
      },
    )
    this.#stores.set(name, store)
  }
}

/** What a plan or a consumer says holds on any route. */
function ofCaller(scope: string): boolean {
  return /^(plan|consumer)\./.test(scope)
}

/** What a request counts for: from 1 to the limit's `cost`, which is also what counts where the expression has no number. */
function compileCost({ cost: most, costBy }: LimitSpec): (exchange: Exchange) => number {
  if (costBy === undefined) return () => most
  const expression = compileExpression(costBy)
  return exchange => {
    const value = expression.number(exchange)
    return value === null ? most : Math.min(Math.max(1, Math.ceil(value)), most)
  }
}

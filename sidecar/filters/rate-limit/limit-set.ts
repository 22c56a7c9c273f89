import type { Caller } from '../../exchange/caller.ts'
import type { Exchange } from '../../exchange/exchange.ts'
import type { KeyState } from './key-state.ts'
import type { Counter } from './counters.ts'
import type { CallerLimits, LimitsConfig, LimitSpec, RateLimitPolicy, StoreSpec } from './schema.ts'

/** Where several processes count together. */
export interface LimitStore {
  readonly spec: StoreSpec
  /** Whether it answered lately; where it did not, nobody waits for it. */
  readonly ready: boolean
  /**
   * Counts a request in all of these limits, or in none where one refuses.
   *
   * @returns whether one refused, and the standings that nobody could say anything about
   */
  take(
    standings: readonly Standing[],
  ): Promise<{ readonly refused: boolean; readonly unknown: readonly Standing[] }>
  /** Takes back what is counted of these. Nobody waits for it. */
  giveBack(standings: readonly Standing[]): void
}

/** A limit as it holds for some callers, bound to where it is counted. */
export interface Limit {
  readonly spec: LimitSpec
  /** The number that holds for these callers. */
  readonly quota: number
  readonly key: (exchange: Exchange) => string
  /** The counts in this process: all there are, or what holds while the store does not answer. */
  readonly counter: Counter
  readonly store: LimitStore | null
  /** Its item of `RateLimit-Policy`; null where that changes with the calendar. */
  readonly item: string | null
}

/** The limits of one route for callers of one plan, or for one caller who has limits of its own. */
export interface LimitSet {
  readonly limits: readonly Limit[]
  /** Whether one of them has to be given back when the request is over. */
  readonly concurrent: boolean
}

/** The set of nobody's limits. */
export const NO_LIMITS: LimitSet = { limits: [], concurrent: false }

/**
 * The limits that hold for a caller: of `defaults` and the listener, of the plan, of the consumer, of the route, in this
 * order; one replaces another of its name that stands before it.
 */
export function limitsFor(
  policy: RateLimitPolicy,
  { plans, consumers }: LimitsConfig,
  caller: Pick<Caller, 'name' | 'known' | 'plan'> | null,
): LimitSpec[] {
  const named = new Map(policy.outer.map(limit => [limit.name, limit]))
  const lay = (level: CallerLimits | undefined): void => {
    if (level?.off === true) named.clear()
    for (const limit of level?.limits ?? []) named.set(limit.name, limit)
  }
  if (caller?.plan != null) lay(plans[caller.plan])
  if (caller?.known === true) lay(consumers[caller.name])
  for (const limit of policy.own) named.set(limit.name, limit)
  return [...named.values()].filter(limit => quotaFor(limit, caller?.plan ?? null) !== null)
}

/** The number that holds for callers of a plan; null: none. */
export function quotaFor(limit: LimitSpec, plan: string | null): number | null {
  const own = plan === null ? undefined : limit.plans[plan]
  return own === undefined ? limit.quota : own
}

/** What became of one limit in one request. */
export class Standing {
  readonly limit: Limit
  readonly key: string
  /** Where it was counted in this process; null where it was not. */
  state: KeyState | null = null
  /** Whether this request is counted in it. */
  taken = false
  /** Whether anybody could say; not where the store did not answer and `onError` is `allow`. */
  known = false
  remaining = 0
  /** Milliseconds until something is left again. */
  reset = 0
  /** Milliseconds until the request would fit; 0 where it did. */
  wait = 0

  constructor(limit: Limit, key: string) {
    this.limit = limit
    this.key = key
  }

  /** Looks whether the request fits into the count of this process. */
  look(): boolean {
    const { limit } = this
    const now = limit.counter.now()
    this.state = limit.counter.state(this.key, now)
    this.#read(this.state, now)
    if (this.state.fits(now, limit.quota, limit.spec.cost)) return true
    this.wait = this.state.wait(now, limit.quota, limit.spec.cost)
    return false
  }

  /** Counts it where it was looked for. */
  take(): void {
    const { limit, state } = this
    if (state === null) return
    const now = limit.counter.now()
    state.take(now, limit.quota, limit.spec.cost)
    this.taken = true
    this.#read(state, now)
  }

  giveBack(): void {
    if (!this.taken) return
    this.taken = false
    this.state?.giveBack(this.limit.quota, this.limit.spec.cost)
  }

  #read(state: KeyState, now: number): void {
    this.known = true
    this.remaining = state.remaining(now, this.limit.quota)
    this.reset = state.reset(now, this.limit.quota)
  }
}

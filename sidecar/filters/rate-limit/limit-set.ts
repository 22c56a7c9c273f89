import type { Caller } from '../../exchange/caller.ts'
import type { Exchange } from '../../exchange/exchange.ts'
import type { KeyState } from './key-state.ts'
import type { Draft, Lease, Leases, StoreAnswer } from './lease.ts'
import type { Counter } from './counters.ts'
import type { CallerLimits, LimitsConfig, LimitSpec, RateLimitPolicy, StoreSpec } from './schema.ts'

/** Where several processes count together. */
export interface LimitStore {
  readonly spec: Pick<StoreSpec, 'onError'>
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
  /** What a request counts for. */
  readonly cost: (exchange: Exchange) => number
  /** The counts in this process: all there are, or what holds while the store does not answer. */
  readonly counter: Counter
  readonly store: LimitStore | null
  /** What this process has taken ahead from the store; null: nothing is. */
  readonly leases: Leases | null
  /** Its item of `RateLimit-Policy`; null where that changes with the calendar. */
  readonly item: string | null
}

/** The limits of one route for callers of one plan, or for one caller who has limits of its own. */
export interface LimitSet {
  readonly limits: readonly Limit[]
  /** Whether one of them has to be given back when the request is over. */
  readonly concurrent: boolean
  /** Whether a store is asked ahead for one of them. */
  readonly leased: boolean
}

/** The set of nobody's limits. */
export const NO_LIMITS: LimitSet = { limits: [], concurrent: false, leased: false }

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
    if (policy.withoutCallers !== true) for (const limit of level?.limits ?? []) named.set(limit.name, limit)
  }
  if (caller?.plan != null) lay(plans[caller.plan])
  if (caller?.known === true) lay(consumers[caller.name])
  for (const limit of policy.own) named.set(limit.name, limit)
  return [...named.values()].filter(limit => quotaFor(limit, caller?.plan ?? null) !== null)
}

/** The number that holds for callers of a plan; null: none. */
export function quotaFor(limit: LimitSpec, plan: string | null): number | null {
  const own = plan !== null && Object.hasOwn(limit.plans, plan) ? limit.plans[plan] : undefined
  return own === undefined ? limit.quota : own
}

/** What became of one limit in one request. */
export class Standing {
  readonly limit: Limit
  readonly key: string
  readonly cost: number
  /** What this process has taken ahead; null: nothing is. */
  readonly lease: Lease | null
  /** What the store is asked for, where something is taken ahead. */
  draft: Draft | null = null
  /** Which lease it is put back to; null: to where it was counted. */
  turn: number | null = null
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

  constructor(limit: Limit, exchange: Exchange) {
    this.limit = limit
    this.key = limit.key(exchange)
    this.cost = limit.cost(exchange)
    this.lease = limit.leases === null ? null : limit.leases.of(this.key)
  }

  /**
   * Pays from what was taken ahead.
   * @returns whether that was enough; undefined: the store has to be asked
   */
  pay(): boolean | undefined {
    const { limit, lease, cost } = this
    if (lease === null || limit.leases === null) return undefined
    const now = limit.leases.now()
    if (lease.spend(cost, now)) {
      this.taken = true
      this.turn = lease.turn
    } else {
      this.wait = lease.refused(cost, now)
      if (this.wait === 0) return undefined
    }
    this.known = true
    this.remaining = lease.remaining(now)
    this.reset = lease.reset(now)
    return this.taken
  }

  /** Begins to ask the store. */
  ask(): void {
    const { lease, limit, cost } = this
    if (lease === null || limit.leases === null) return
    this.draft = lease.begin(cost, limit.leases.now())
    lease.quota = limit.quota
  }

  /**
   * Hears what the store said of it.
   * @param answer null where there was none in time
   * @param fits whether the request is counted
   */
  answered(answer: StoreAnswer | null, fits: boolean): void {
    const { draft, lease } = this
    if (draft !== null && lease?.end(draft, answer, fits) === true) this.turn = lease.turn
    if (answer === null) return
    this.known = true
    this.taken = fits
    this.remaining = answer.left + answer.ahead
    this.reset = answer.reset
    this.wait = answer.wait
  }

  /** Looks whether the request fits into the count of this process. */
  look(): boolean {
    const { limit } = this
    const now = limit.counter.now()
    this.state = limit.counter.state(this.key, now)
    this.#read(this.state, now)
    if (this.state.fits(now, limit.quota, this.cost)) return true
    this.wait = this.state.wait(now, limit.quota, this.cost)
    return false
  }

  /** Counts it where it was looked for. */
  take(): void {
    const { limit, state } = this
    if (state === null) return
    const now = limit.counter.now()
    state.take(now, limit.quota, this.cost)
    this.taken = true
    this.#read(state, now)
  }

  giveBack(): void {
    if (!this.taken) return
    this.taken = false
    if (this.turn !== null) this.lease?.putBack(this.cost, this.turn)
    this.state?.giveBack(this.limit.quota, this.cost)
  }

  #read(state: KeyState, now: number): void {
    this.known = true
    this.remaining = state.remaining(now, this.limit.quota)
    this.reset = state.reset(now, this.limit.quota)
  }
}

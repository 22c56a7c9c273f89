import type { KeySource } from '../../exchange/request-key.ts'

/** The stretches of the calendar, in UTC; a week begins on Monday. */
export type CalendarUnit = 'day' | 'week' | 'month' | 'year'

/** How a limit counts. Milliseconds. */
export type Rate =
  /** At most so many in any stretch of this length. */
  | { readonly kind: 'sliding'; readonly window: number }
  /** A bucket that holds `burst` and gets the limit's number back in each `window`. */
  | { readonly kind: 'bucket'; readonly window: number; readonly burst: number }
  /** At most so many in each day, week, month or year. */
  | { readonly kind: 'calendar'; readonly unit: CalendarUnit }
  /** At most so many at one moment. Counted in each process. */
  | { readonly kind: 'concurrent' }

/** One limit, with where it counts. */
export interface LimitSpec {
  readonly name: string
  /** What it counts over: `defaults`, `listener.api`, `route.orders`, `plan.gold`, `consumer.acme`. */
  readonly scope: string
  readonly by: readonly KeySource[]
  readonly rate: Rate
  /** How many requests, or how many at one moment. */
  readonly quota: number
  /** In words, such as `second` or `10s`; empty for a concurrent one. */
  readonly per: string
  /** The number for callers of a plan; null: no limit for them. */
  readonly plans: Readonly<Record<string, number | null>>
  /** What one request counts for; where an expression says that, the most. */
  readonly cost: number
  /** What a request counts for, as an expression. */
  readonly costBy?: string
  /** How much of it a process takes from the store at a time; absent: what each request needs. */
  readonly lease?: number
  /** A name in `stores`; null: counted in this process. */
  readonly store: string | null
  /** Whether it is counted in front of authentication. */
  readonly early?: true
}

/** The fields that tell a client how far it is. */
export type LimitHeaders = 'ietf' | 'kong' | 'off'

/** The limits of one route. What plans and consumers add is in `LimitsConfig`. */
export interface RateLimitPolicy {
  /** Of `defaults` and the listener: what a plan or a consumer replaces by name. */
  readonly outer: readonly LimitSpec[]
  /** Of the route itself: what replaces those of plans and consumers by name. */
  readonly own: readonly LimitSpec[]
  readonly headers: LimitHeaders
  /** Only reports what it would refuse. */
  readonly dryRun: boolean
  /** What plans and consumers bring is no part of it. */
  readonly withoutCallers?: true
  /** Those that are tried out beside it; absent: none. */
  readonly tried?: RateLimitPolicy
  /** Of the `LimitsConfig` that it was resolved with. */
  readonly digest: string
}

/** What a plan or a consumer says of limits. */
export interface CallerLimits {
  /** Those of `defaults`, the listener and (in a consumer) the plan do not hold. */
  readonly off: boolean
  readonly limits: readonly LimitSpec[]
}

/** A Redis that several processes count in. */
export interface StoreSpec {
  readonly name: string
  /** With credentials: never shown. One, or the nodes of a cluster that are asked first. */
  readonly urls: readonly string[]
  readonly cluster: boolean
  /** PEM: authorities, and our own certificate; null: the system's, and none. */
  readonly tls: {
    readonly ca: string | null
    readonly cert: string | null
    readonly key: string | null
  } | null
  /** How long a request waits for it, in milliseconds. */
  readonly timeout: number
  /** What holds while it does not answer: a count in this process, no limit, or no request. */
  readonly onError: 'local' | 'allow' | 'deny'
  /** What stands in front of every key. */
  readonly prefix: string
  /** Over all of the above: equal digests, one connection. */
  readonly digest: string
}

/** What limits need beside the policies of routes. */
export interface LimitsConfig {
  readonly stores: Readonly<Record<string, StoreSpec>>
  readonly plans: Readonly<Record<string, CallerLimits>>
  readonly consumers: Readonly<Record<string, CallerLimits>>
  readonly digest: string
}

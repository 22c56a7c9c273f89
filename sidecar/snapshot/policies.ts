import type { CorsPolicy } from '../filters/cors/schema.ts'
import type { HeadersPolicy } from '../filters/headers/schema.ts'

/** A listener's role: a set of defaults, nothing more. */
export type Role = 'inbound' | 'outbound' | 'edge'

/** What a route does with a request. */
export type ActionSpec =
  | { readonly kind: 'upstream'; readonly upstream: string }
  | { readonly kind: 'redirect'; readonly to: string; readonly status: number }
  | {
      readonly kind: 'respond'
      readonly status: number
      readonly headers: Readonly<Record<string, string>>
      readonly body: string
    }

/** A policy that is off, or that nobody gave and that has no default, is null. */
export interface RoutePolicies {
  readonly timeout: TimeoutPolicy
  readonly retry: RetryPolicy | null
  /** Bytes; null: unlimited. */
  readonly requestSize: number | null
  readonly rewrite: RewritePolicy | null
  readonly headers: HeadersPolicy | null
  readonly cors: CorsPolicy | null
  readonly upgrade: UpgradePolicy
}

/** Milliseconds; null: off. */
export interface TimeoutPolicy {
  readonly total: number | null
  readonly idle: number | null
}
/** `never_processed` for any method; `idempotent` adds 502, 503 and 504 for idempotent methods (with resilience). */
export interface RetryPolicy {
  readonly count: number
}
/** What becomes of path and Host on the way upstream. */
export interface RewritePolicy {
  /** Without a final slash, e.g. `/api`. */
  readonly stripPrefix: string | null
  /** A template with `{param}`. */
  readonly path: string | null
  /** A host name, `keep`, or null for the role's default. */
  readonly host: string | null
}
/** Protocol names, lower case, that may be upgraded to; empty: none. */
export interface UpgradePolicy {
  readonly protocols: readonly string[]
}

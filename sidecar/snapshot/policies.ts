import type { AuthenticatePolicy } from '../filters/authenticate/schema.ts'
import type { AuthorizePolicy } from '../filters/authorize/schema.ts'
import type { CorsPolicy } from '../filters/cors/schema.ts'
import type { ExternalPolicy } from '../filters/external/schema.ts'
import type { HeadersPolicy } from '../filters/headers/schema.ts'
import type { RateLimitPolicy } from '../filters/rate-limit/schema.ts'
import type { KeySource } from '../exchange/request-key.ts'

/** A listener's role: a set of defaults, nothing more. */
export type Role = 'inbound' | 'outbound' | 'edge'

/** What a route does with a request. */
export type ActionSpec =
  | { readonly kind: 'upstream'; readonly upstream: string }
  | {
      readonly kind: 'split'
      /** The first that the request has decides the side; without any the side is drawn. */
      readonly by: readonly KeySource[]
      readonly to: readonly { readonly upstream: string; readonly weight: number }[]
      /** What lets a request name its side. */
      readonly pin: KeySource | null
    }
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
  /** Null: everybody may call, as nobody's. */
  readonly authenticate: AuthenticatePolicy | null
  /** Null: whoever may call may call this. */
  readonly authorize: AuthorizePolicy | null
  /** Null: any number of requests. */
  /** A service that is asked as well. Absent: none. */
  readonly external?: ExternalPolicy
  /** A service that is asked beside it, and refuses nobody. Absent: none. */
  readonly triedExternal?: ExternalPolicy
  /** The cookies of sessions that the route does not ask for go no further. Absent: there are none. */
  readonly ownCookies?: true
  readonly rateLimit: RateLimitPolicy | null
  readonly upgrade: UpgradePolicy
  readonly mirror: MirrorPolicy | null
  readonly fault: FaultPolicy | null
  readonly affinity: AffinityPolicy | null
  readonly fallback: FallbackPolicy | null
  /** Whether calls of gRPC-Web go on as gRPC. Absent: they pass as they are. */
  readonly grpcWeb?: true
  /** The value of `strict-transport-security`, as the listener's TLS says. */
  readonly hsts: string | null
}

/** Plain tunnels to hosts that are no route. */
export interface TunnelPolicy {
  /** How long neither side may send a byte, in milliseconds; null: any time. */
  readonly idle: number | null
}

/** Milliseconds; null: off. */
export interface TimeoutPolicy {
  /** From the request's last byte to the response's head, tries and pauses included. */
  readonly total: number | null
  /** One try, from its connection to the response's head. */
  readonly perTry: number | null
  /** One try, from the request's last byte to the first byte of the response. */
  readonly firstByte: number | null
  /** From the response's head on: how long each side may be silent. */
  readonly idle: number | null
  /** From the response's head to its end, or a tunnel's whole life. */
  readonly stream: number | null
  /** A request header that holds how many milliseconds the caller still waits: it shortens `total` and goes on reduced. */
  readonly header: string | null
}
/**
 * When a request is tried again: never-processed ones of any method; and where the route's role or `methods` says so,
 * requests of `methods` (idempotent by default) that ended without a whole head or with one of `statuses`.
 */
export interface RetryPolicy {
  readonly count: number
  /** Statuses that are tried again for `methods`; empty: never-processed requests only. */
  readonly statuses: readonly number[]
  /** Statuses of gRPC in a response's headers, in place of HTTP's. Absent: none. */
  readonly grpcStatuses?: readonly number[]
  /** Names in lower case: a response that has one of these is tried again, whatever its status. Absent: none. */
  readonly headers?: readonly string[]
  readonly methods: readonly string[]
  /** Milliseconds; the pause is drawn evenly between 0 and a bound that doubles from `from` to `to` (full jitter). */
  readonly backoff: { readonly from: number; readonly to: number }
  /** Retries that run or wait are at most the larger of `min` and `percent` of the first attempts in flight. */
  readonly budget: { readonly percent: number; readonly min: number }
  /** Bytes of the request's body that are kept for another try. */
  readonly replay: number
  /** Milliseconds without a response head after which an idempotent request is tried a second time beside the first; null: off. */
  readonly hedge: { readonly after: number } | null
}
/** A copy of some requests for another upstream, whose answers are dropped. */
export interface MirrorPolicy {
  readonly upstream: string
  readonly percent: number
}
/** Trouble made on purpose, before the action. Milliseconds. */
export interface FaultPolicy {
  readonly percent: number
  readonly delay: number | null
  /** A status to answer with instead of asking the upstream; null: go on. `abort` closes the connection. */
  readonly respond: number | 'abort' | null
  /** Only requests that have this header; null: all. */
  readonly header: { readonly name: string; readonly value: string | null } | null
}
/** A cookie of ours that keeps a client at one endpoint while that can take requests. */
export interface AffinityPolicy {
  readonly cookie: string
  /** Seconds the cookie lives; null: as long as the browser's session. */
  readonly maxAge: number | null
}
/** What is done instead of answering with an error of ours that the upstream caused, or 502, 503 or 504 of its own. */
export type FallbackPolicy =
  | { readonly kind: 'upstream'; readonly upstream: string }
  | {
      readonly kind: 'respond'
      readonly status: number
      readonly headers: Readonly<Record<string, string>>
      readonly body: string
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
  readonly websocket: WebSocketPolicy
}
/** How WebSockets are looked after. Milliseconds; null: not. */
export interface WebSocketPolicy {
  /** Origins whose pages may open one, besides the own host; null: any. */
  readonly origins: readonly string[] | null
  /** How long an end may be silent before it is asked whether it is there. */
  readonly ping: number | null
  /** How long one may live. */
  readonly max: number | null
}

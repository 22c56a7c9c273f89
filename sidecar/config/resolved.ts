import type { Address } from '../exchange/address.ts'
import type { IdentitySpec } from '../filters/authenticate/schema.ts'
import type { LimitsConfig } from '../filters/rate-limit/schema.ts'
import type { ListenerConnection, ListenerLimits } from '../exchange/connection-settings.ts'
import type { MatchSpec } from '../routing/match-spec.ts'
import type { ListenerTls } from '../snapshot/listener-tls.ts'
import type { ActionSpec, Role, RoutePolicies, TunnelPolicy } from '../snapshot/policies.ts'
import type { UpstreamSpec } from '../upstream/upstream-spec.ts'

/**
 * What the loader hands to the serving thread: plain JSON data, shorthands expanded, levels merged into each route,
 * durations in milliseconds (`Infinity` cannot stand in JSON, so `off` is null), sizes in bytes, references resolved.
 * Each part that compiles on its own carries a hash of its content: an unchanged hash keeps its compiled object.
 */
export interface ResolvedConfig {
  readonly service: string
  /** SHA-256 (first 16 hex digits) over everything below except `files`. */
  readonly hash: string
  /** Labels of the layers in order, e.g. `edge.yaml`, `edge.production.yaml`. */
  readonly layers: readonly string[]
  /** Absolute paths of every file that took part: to be watched. */
  readonly files: readonly string[]
  readonly listeners: readonly ResolvedListener[]
  readonly upstreams: Readonly<Record<string, ResolvedUpstream>>
  /** Providers, consumers and plans. */
  readonly identity: IdentitySpec
  /** Stores, and the limits of plans and consumers. */
  readonly limits: LimitsConfig
  readonly admin: ResolvedAdmin
  readonly telemetry: ResolvedTelemetry
  /** What is written of the decisions of authorization; null: nothing. */
  readonly audit: ResolvedAudit | null
  /** Null: by role (edge 30 s, sidecar 120 s). */
  readonly drain: { readonly timeout: number | null }
  /** What references brought and how each was written, so that it is shown as written. Absent where there are none. */
  readonly references?: readonly ResolvedReference[]
  /** How often files are compared by content, whatever the watcher says. */
  readonly watch: { readonly poll: number }
}

/** A listener with its routes; every level is merged into them. */
/** A value that came from outside of the files: perhaps a secret. */
export interface ResolvedReference {
  readonly value: string
  /** Such as `${env:TOKEN}`. */
  readonly written: string
  /** Whether it was written into the middle of a word. */
  readonly within?: true
}

/** A listener with everything that its routes inherit already in them. */
export interface ResolvedListener {
  readonly name: string
  readonly role: Role
  readonly address: Address
  /** Lower case; `*.x` for wildcards; empty: every host. */
  readonly hosts: readonly string[]
  /** Address ranges (`10.0.0.0/8`, single addresses). */
  readonly trustedProxies: readonly string[]
  readonly limits: ListenerLimits
  readonly connection: ListenerConnection
  readonly protocol: 'http' | 'tcp'
  /** Whether every connection begins with a PROXY protocol header. */
  readonly proxyProtocol: boolean
  readonly tls: ListenerTls | null
  /** Absent: off. */
  readonly tunnel?: TunnelPolicy
  readonly routes: readonly ResolvedRoute[]
  readonly hash: string
  readonly at: SourcePlace
}

/** A route with every policy that applies to it. */
export interface ResolvedRoute {
  readonly name: string
  readonly match: MatchSpec
  readonly action: ActionSpec
  readonly policies: RoutePolicies
  readonly hash: string
  readonly at: SourcePlace
  /** Where each policy that applies was written: `listeners.0`, `defaults`, a role default. For `explain`. */
  readonly from: Readonly<Record<string, string>>
}

/** An upstream with the hash of its content and the place where it was written. */
export interface ResolvedUpstream extends UpstreamSpec {
  readonly hash: string
  readonly at: SourcePlace
}

/** Where the admin endpoints listen. */
export interface ResolvedAdmin {
  /** Null: `admin: off` is not possible; the admin listener always is. */
  readonly address: Address
  readonly probes: Address | null
  readonly token: string | null
}

/** What is written of the decisions of authorization, and where. */
export interface ResolvedAudit {
  /** How many of the allowed requests, 0 to 100. */
  readonly percent: number
  /** `stdout`, `stderr` or the absolute name of a file. */
  readonly to: string
}

/** What is logged and how durations are counted. */
export interface ResolvedTelemetry {
  readonly accessLog: {
    /** `all`, `errors` (status 400 and above) or `off`; null: by role. */
    readonly write: 'all' | 'errors' | 'off' | null
    /** Null: `text` on a terminal, else `json`. */
    readonly format: 'json' | 'text' | null
    readonly percent: number
  }
  /** Upper bounds of the duration histogram in milliseconds. */
  readonly metrics: { readonly buckets: readonly number[] }
}

/** Where something was written: file as the user named it, line and column from 1. */
export interface SourcePlace {
  readonly file: string
  readonly line: number
  readonly column: number
}

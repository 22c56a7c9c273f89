import type { Exchange } from '../exchange/exchange.ts'
import type { ProxyError } from '../exchange/proxy-error.ts'
import type { HeaderList } from '../exchange/headers.ts'

/** An answer that a filter gives by itself instead of the upstream. The body is text; its length is counted in bytes. */
export interface FilterAnswer {
  readonly status: number
  readonly headers: HeaderList
  readonly body: string
}

/** What a request hook says: go on, answer this, or fail with that. */
export type Verdict = FilterAnswer | ProxyError | undefined

/**
 * One compiled filter of one route. Made once when the route is compiled, shared by all its requests, so it keeps
 * nothing of a request on itself. Every hook is optional; a missing hook costs nothing.
 *
 * Hooks are called in the documented order on the way up and in reverse order on the way down. A hook is awaited only
 * if it returned a promise. A hook that throws fails its exchange with `internal`; it never reaches the process.
 */
export interface Filter {
  readonly name: string
  /** Before the upstream is chosen. May answer or fail the request; may edit `exchange.upstreamHeaders`. */
  onRequest?(exchange: Exchange): Verdict | Promise<Verdict>
  /** Before the response head is written, for upstream responses and for our own answers. Edits `headers` in place. */
  onResponse?(exchange: Exchange, headers: HeaderList): void
  /** Exactly once when the exchange is over, whatever happened. Synchronous; must not throw. */
  onDone?(exchange: Exchange): void
}

/** What a filter's folder exports: its name, and how the part of a route's policies that is its own becomes a filter. */
export interface FilterKind<Policy> {
  readonly name: string
  /** Pure: no I/O, no timer. Called by `check` too. */
  create(policy: Policy, route: { readonly name: string }): Filter
}

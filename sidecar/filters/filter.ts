import type { Exchange } from '../exchange/exchange.ts'
import type { ProxyError } from '../exchange/proxy-error.ts'
import type { HeaderList } from '../exchange/headers.ts'
import type { Destination } from '../runtime/destination.ts'
import type { Clock } from '../runtime/clock.ts'
import type { MemoryBudget } from '../runtime/memory-budget.ts'
import type { Random } from '../runtime/random.ts'
import type { IdentityKey } from '../runtime/registry.ts'
import type { ReadBuffers } from '../runtime/read-buffers.ts'
import type { TimerWheel } from '../runtime/timer-wheel.ts'

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
  /** No I/O, no timer: `explain` calls it too. Live state is acquired here, and begins its work at its first use. */
  create(policy: Policy, route: { readonly name: string }, live: FilterLive): Filter
}

/** Where a filter takes the state that outlives it: keys, caches, counts. Held as long as a generation holds the route. */
export interface FilterLive {
  /**
   * The state under a key, made where nobody holds it yet. What the key leaves out is a setting: whoever comes later
   * finds the state as it is.
   *
   * @param key the kind, and what makes the thing another thing; digests of secrets, never secrets
   * @param open makes it; starts no I/O and no timer by itself, since a configuration that is only explained opens it too
   * @param close ends it, when nobody holds it any more
   */
  use<T>(key: IdentityKey, open: (parts: FilterParts) => T, close: (value: T) => void): T
}

/** What the live state of filters is made with. */
export interface FilterParts {
  /** Nothing may be asked over the network: a configuration is only explained. Absent: it may. */
  readonly offline?: boolean
  /** The process does not end before this work, which takes a moment at most. Absent: nobody waits. */
  outlast?(work: Promise<void>): void
  /** Ticks of 100 ms. */
  readonly wheel: TimerWheel
  /** Ticks of 10 ms, for what is shorter. */
  readonly fine: TimerWheel
  /** `now()` measures, `wall()` is what credentials are compared with; it jumps. */
  readonly clock: Clock
  readonly random: Random
  /** What is held of bodies is counted in it. */
  readonly budget: MemoryBudget
  /** Where pieces of bodies that were given away go back to. */
  readonly buffers: ReadBuffers
  /** Writes to the process log; a flood of one text is one line a second. Never a secret. */
  warn(text: string, fields?: Readonly<Record<string, unknown>>): void
  /**
   * A counter in the metrics. The same name and labels are the same counter; labels have to be few: names of the
   * configuration and fixed words.
   */
  counter(name: string, help: string, labels: Readonly<Record<string, string>>): Counter
  /** A number that rises and falls, by the same rules. */
  gauge(name: string, help: string, labels: Readonly<Record<string, string>>): Counter
  /** The name of a caller as a label: itself while it is among the most active 100, else `other`. */
  clientLabel(name: string): string
}

/** An upstream that a filter itself asks: its endpoints, their health, its limits and breakers are those that requests meet. */
export interface AskedUpstream {
  /** The Host that is sent: the authority of its `url`, else its name. */
  readonly authority: string
  /** What its `url` puts in front of a path; empty: nothing. */
  readonly basePath: string
  /**
   * Asks for a place at an endpoint.
   * @param entered hears once, perhaps before this returns: a place, or why there is none
   * @returns gives up waiting; afterwards `entered` hears nothing
   */
  enter(entered: (place: AskedPlace | ProxyError) => void): () => void
}

/** A place at an endpoint, to be given back. */
export interface AskedPlace {
  readonly target: Destination
  /**
   * Gives it back, once, with what the endpoint showed.
   * @param status of HTTP, or 0 where it gave no whole answer, and then `error` says why
   */
  leave(status: number, error: ProxyError | null): void
}

/** A count that only grows, or a number that falls too where it is a gauge. */
export interface Counter {
  value: number
}

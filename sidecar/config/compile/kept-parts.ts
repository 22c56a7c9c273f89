import type { RouteTable } from '../../routing/route-table.ts'
import type { Role } from '../../snapshot/policies.ts'
import type { Route } from '../../snapshot/route.ts'
import type { RouteRecorder } from '../../telemetry/recorder.ts'
import type { UpstreamSpec } from '../../upstream/upstream-spec.ts'
import type { ResolvedRoute } from '../resolved.ts'
import type { FilterLeases } from './filter-leases.ts'

/** What a route asks of its upstream when it is compiled: not its live state. */
export interface Specified {
  readonly spec: UpstreamSpec
}

/** A compiled route, with all that it was made of. */
export interface KeptRoute<U> {
  readonly hash: string
  readonly role: Role
  /** Those that it asked for when it was compiled. */
  readonly upstreams: readonly U[]
  /** What its filters hold. */
  readonly leases: FilterLeases
  readonly route: Route<U>
}

/**
 * What one compilation made, for the next to take over: a route of the same content, role and upstreams stays the same
 * object, and so does the table of a listener all of whose routes stay.
 */
export class KeptParts<U extends Specified> {
  readonly #routes = new Map<string, KeptRoute<U>>()
  readonly #tables = new Map<string, RouteTable<Route<U>>>()

  /** The route as it was compiled, or null where a part of it is another now. */
  route(
    spec: ResolvedRoute,
    role: Role,
    now: { readonly upstreams: ReadonlyMap<string, U>; recorder(route: string): RouteRecorder },
  ): KeptRoute<U> | null {
    const kept = this.#routes.get(spec.name)
    if (kept === undefined || kept.hash !== spec.hash || kept.role !== role) return null
    // Beyond so many routes all share one recorder, and one that finds room gets its own.
    if (kept.route.recorder !== now.recorder(spec.name)) return null
    const { upstreams } = now
    return kept.upstreams.every(upstream => upstreams.get(upstream.spec.name) === upstream) ? kept : null
  }

  /** The table of a listener, or null where it would hold other routes or in another order. */
  table(listener: string, routes: readonly Route<U>[]): RouteTable<Route<U>> | null {
    const table = this.#tables.get(listener)
    if (table === undefined || table.entries.length !== routes.length) return null
    return table.entries.every((entry, index) => entry.value === routes[index]) ? table : null
  }

  keepRoute(kept: KeptRoute<U>): void {
    this.#routes.set(kept.route.name, kept)
  }

  keepTable(listener: string, table: RouteTable<Route<U>>): void {
    this.#tables.set(listener, table)
  }
}

import type { Exchange } from '../exchange/exchange.ts'
import type { ProxyError } from '../exchange/proxy-error.ts'
import type { HeaderList } from '../exchange/headers.ts'
import type { Filter } from '../filters/filter.ts'
import type { RouteRecorder } from '../telemetry/recorder.ts'
import type { Upstream } from '../upstream/upstream.ts'
import type { RoutePolicies } from './policies.ts'

/** A way to one upstream, with what the route makes of the request on the way. */
export interface UpstreamAction<U = Upstream> {
  readonly kind: 'upstream'
  readonly upstream: U
  /** Path and query as they go upstream. */
  target(exchange: Exchange): string | ProxyError
  /** The Host that goes upstream. */
  host(exchange: Exchange): string
  /** What the balancer hashes by, 32 bits, or -1 where the request has none of it; null: it hashes nothing. */
  readonly hash: ((exchange: Exchange) => number) | null
}

/** What a compiled route does with a request. `U` is what stands for the upstream where nothing is asked of it. */
export type Action<U = Upstream> =
  | UpstreamAction<U>
  | {
      readonly kind: 'split'
      readonly sides: readonly UpstreamAction<U>[]
      /** The side that takes this request: the one that it names, else the one that its key falls to. */
      choose(exchange: Exchange): UpstreamAction<U>
    }
  | { readonly kind: 'redirect'; readonly status: number; location(exchange: Exchange): string | ProxyError }
  | { readonly kind: 'respond'; readonly status: number; readonly headers: HeaderList; readonly body: Buffer }

/** A route, compiled: everything that a request needs of it is bound here and looked up nowhere else. */
export interface Route<U = Upstream> {
  readonly name: string
  readonly action: Action<U>
  readonly policies: RoutePolicies
  /** In the order in which requests pass them; responses pass them the other way round. */
  readonly filters: readonly Filter[]
  readonly recorder: RouteRecorder
  /** Where copies go; null: nowhere. */
  readonly mirror: UpstreamAction<U> | null
  /** Where a request goes that its upstream failed; null: nowhere. */
  readonly fallback: UpstreamAction<U> | null
}

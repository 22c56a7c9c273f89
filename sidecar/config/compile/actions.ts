import { toWire } from '../../exchange/headers.ts'
import { compileRequestHash } from '../../exchange/request-key.ts'
import { compileHost, compileRedirect, compileRewrite } from '../../proxy/rewrite.ts'
import { compileSplit } from '../../proxy/split.ts'
import type { Action, UpstreamAction } from '../../snapshot/route.ts'
import type { Role } from '../../snapshot/policies.ts'
import type { ResolvedRoute } from '../resolved.ts'
import type { Specified } from './kept-parts.ts'

/** Where a route finds its upstreams. */
export type Upstreams<U> = Pick<ReadonlyMap<string, U>, 'get'>

/** Everywhere that a route may send a request, and what else it does with one. */
export interface CompiledActions<U> {
  readonly action: Action<U>
  /** Where copies go; null: nowhere. */
  readonly mirror: UpstreamAction<U> | null
  /** Where a request goes that its upstream failed; null: nowhere. */
  readonly fallback: UpstreamAction<U> | null
}

/** @throws Error where an upstream is not there, which the loader has checked */
export function compileActions<U extends Specified>(
  role: Role,
  route: ResolvedRoute,
  upstreams: Upstreams<U>,
): CompiledActions<U> {
  const way = (name: string): UpstreamAction<U> => compileWay(name, role, route, upstreams)
  const { mirror, fallback } = route.policies
  return {
    action: compileAction(route, way),
    mirror: mirror === null ? null : way(mirror.upstream),
    fallback: fallback?.kind === 'upstream' ? way(fallback.upstream) : null,
  }
}

function compileAction<U>({ action }: ResolvedRoute, way: (name: string) => UpstreamAction<U>): Action<U> {
  switch (action.kind) {
    case 'upstream':
      return way(action.upstream)
    case 'split': {
      const sides = action.to.map(({ upstream, weight }) => ({
        name: upstream,
        weight,
        action: way(upstream),
      }))
      const choose = compileSplit(sides, action.by, action.pin)
      return { kind: 'split', sides: sides.map(side => side.action), choose }
    }
    case 'redirect':
      return { kind: 'redirect', status: action.status, location: compileRedirect(action.to) }
    case 'respond': {
      const headers = Object.entries(action.headers).flatMap(([name, value]) => {
        const wire = toWire(value)
        return wire === null ? [] : [name.toLowerCase(), wire]
      })
      return { kind: 'respond', status: action.status, headers, body: Buffer.from(action.body) }
    }
  }
}

/** The way to one upstream, with what the route makes of the request for it. */
function compileWay<U extends Specified>(
  name: string,
  role: Role,
  route: ResolvedRoute,
  upstreams: Upstreams<U>,
): UpstreamAction<U> {
  const upstream = upstreams.get(name)
  if (upstream === undefined) throw new Error(`the upstream ${name} was checked and is not there`)
  const rewrite = route.policies.rewrite
  return {
    kind: 'upstream',
    upstream,
    target: compileRewrite(rewrite, upstream.spec.basePath),
    host: compileHost(rewrite, role, upstream.spec.authority, upstream.spec.https),
    hash: compileRequestHash(upstream.spec.loadBalance.by),
  }
}

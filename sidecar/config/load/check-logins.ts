import type { IdentitySpec } from '../../filters/authenticate/schema.ts'
import type { PathMatch } from '../../routing/match-spec.ts'
import type { ResolvedListener, ResolvedRoute } from '../resolved.ts'
import type { Resolution } from './resolution.ts'

/**
 * A browser that comes back from its login has to find a route that knows of it: without one it would be sent there again
 * and again. Each provider's `callback` and `logout` have to match a route of the listener that uses the provider.
 */
export function checkLogins(
  listener: ResolvedListener,
  path: readonly (string | number)[],
  identity: IdentitySpec,
  resolution: Resolution,
): void {
  for (const { name, callback, logout } of Object.values(identity.providers.oidc)) {
    const using = listener.routes.filter(route => uses(route, name))
    if (using.length === 0) continue
    for (const [key, own] of [
      ['callback', callback],
      ['logout', logout],
    ] as const) {
      if (own === null || using.some(({ match }) => match.paths.some(one => mayMatch(one, own)))) continue
      resolution.fault(
        path,
        `no route that logs in with \`${name}\` matches its \`${key}\`, ${own}`,
        `add one: { name: ${name}-${key}, match: { path: { exact: ${own} } }, authenticate: { oidc: ${name} }, respond: {} }`,
        'key',
      )
    }
  }
}

function uses({ policies }: ResolvedRoute, name: string): boolean {
  return policies.authenticate?.ways.some(way => way.kind === 'oidc' && way.name === name) ?? false
}

/** Of templates and expressions that is not asked: they are taken at their author's word. */
function mayMatch(match: PathMatch, path: string): boolean {
  if (match.kind === 'exact') return match.path === path
  return match.kind !== 'prefix' || path === match.path || path.startsWith(`${match.path}/`)
}

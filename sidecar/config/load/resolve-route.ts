import type { MatchSpec, ValueMatch } from '../../routing/match-spec.ts'
import type { IdentitySpec } from '../../filters/authenticate/schema.ts'
import type { ActionSpec, Role, RoutePolicies } from '../../snapshot/policies.ts'
import type { ResolvedRoute } from '../resolved.ts'
import { contentHash } from './hash.ts'
import type { WrittenRoute } from './listener-schema.ts'
import { checkLevel } from './check-level.ts'
import { checkRouteTemplates } from './check-templates.ts'
import { resolveAction, upstreamsOf } from './resolve-action.ts'
import { resolvePolicies } from './resolve-policies.ts'
import type { PolicyLevel } from './resolve-policies.ts'
import type { ConfigPath, Resolution } from './resolution.ts'

/** What a route stands in. */
export interface RouteSurroundings {
  readonly role: Role
  /** Outermost first, the route's own not among them. */
  readonly levels: readonly PolicyLevel[]
  /** The value of `strict-transport-security`, or null. */
  readonly hsts: string | null
  readonly upstreams: ReadonlySet<string>
  readonly identity: IdentitySpec
  readonly resolution: Resolution
}

/** One route: its match and action made whole, the levels merged into it. Null where it has no action. */
export function resolveRoute(
  written: WrittenRoute,
  path: ConfigPath,
  surroundings: RouteSurroundings,
): ResolvedRoute | null {
  const { resolution, role } = surroundings
  const action = resolveAction(written, path, surroundings)
  const match = resolveMatch(written.match)
  checkCall(written.match, path, resolution)
  const own: PolicyLevel = { policies: written, path, label: 'route', name: written.name }
  const levels = [...surroundings.levels, own]
  const { policies: merged, from } = resolvePolicies(levels, role, surroundings.identity, resolution)
  checkLevel(own, surroundings.upstreams, resolution)
  if (!resolution.partial) checkRouteTemplates(written, match, path, resolution)
  if (action === null) return null
  if (merged.rewrite?.path !== null && merged.rewrite?.stripPrefix !== null && merged.rewrite !== null) {
    resolution.fault(
      [...path, 'rewrite'],
      '`stripPrefix` and `path` are alternatives: give one',
      undefined,
      'key',
    )
  }
  const policies = resolution.shared({
    ...withoutUnusable(merged, { action, path, levels, from, resolution }),
    hsts: surroundings.hsts,
  })
  const content = { name: written.name, match, action, policies }
  return { ...content, hash: contentHash(content), at: resolution.place(path), from: resolution.shared(from) }
}

/** Policies that do something only on the way to an upstream. */
const ON_THE_WAY = ['retry', 'rewrite', 'mirror', 'fault', 'affinity', 'fallback'] as const

/**
 * Takes away what cannot work in this route. What was written for the route itself is an error; what it inherits was
 * meant for others.
 */
function withoutUnusable(
  policies: RoutePolicies,
  route: {
    readonly action: ActionSpec
    readonly path: ConfigPath
    readonly levels: readonly PolicyLevel[]
    readonly from: Record<string, string>
    readonly resolution: Resolution
  },
): RoutePolicies {
  const { action, path, levels, from, resolution } = route
  const leftOut: Partial<Record<(typeof ON_THE_WAY)[number], null>> = {}
  const leaveOut = (name: (typeof ON_THE_WAY)[number], why: string): void => {
    leftOut[name] = null
    from[name] = 'none'
    const level = levels.findLast(one => one.policies[name] !== undefined)
    if (level === undefined || level.policies[name] === false) return
    if (level.path.join('.') === path.join('.')) resolution.fault([...path, name], why, undefined, 'key')
  }
  const targets = upstreamsOf(action)
  if (targets.length === 0) {
    for (const name of ON_THE_WAY) {
      leaveOut(name, `\`${name}\` works only with \`upstream\`: this route has \`${action.kind}\``)
    }
  }
  const { mirror, fallback } = policies
  if (mirror !== null && targets.includes(mirror.upstream)) {
    leaveOut('mirror', `\`${mirror.upstream}\` would get each request twice: mirror to another upstream`)
  }
  if (fallback?.kind === 'upstream' && targets.length === 1 && targets[0] === fallback.upstream) {
    leaveOut('fallback', `\`${fallback.upstream}\` is the upstream that failed: fall back to another one`)
  }
  return { ...policies, ...leftOut }
}

/** What a match says, every kind of it given. */
export function resolveMatch(written: WrittenRoute['match']): MatchSpec {
  const {
    host = [],
    sni = [],
    path = [],
    methods = [],
    headers = {},
    query = {},
    grpc,
    priority = 0,
  } = written ?? {}
  const paths = grpc === undefined ? path : callPaths(grpc)
  return {
    // Where there are no requests, the name asked for stands in the place of their host.
    hosts: [...new Set([...host, ...sni])],
    paths: paths.length === 0 ? [{ kind: 'prefix', path: '' }] : paths,
    // gRPC is always a POST.
    methods: grpc === undefined ? [...new Set(methods)] : ['POST'],
    headers: conditions(headers),
    query: conditions(query),
    priority,
  }
}

type WrittenCall = NonNullable<NonNullable<WrittenRoute['match']>['grpc']>

/** The paths of gRPC calls: `/package.Service/Method` (gRPC over HTTP/2, "Requests"). */
function callPaths({ service, method = [] }: WrittenCall): MatchSpec['paths'] {
  if (method.length === 0) return [{ kind: 'prefix', path: `/${service}` }]
  return [...new Set(method)].map(name => ({ kind: 'exact', path: `/${service}/${name}` }))
}

/** A gRPC call says path and method already. */
function checkCall(written: WrittenRoute['match'], path: ConfigPath, resolution: Resolution): void {
  if (written?.grpc === undefined) return
  for (const key of ['path', 'methods'] as const)
    if (written[key] !== undefined)
      resolution.fault(
        [...path, 'match', key],
        `\`grpc\` says path and method already: leave \`${key}\` out`,
        undefined,
        'key',
      )
}

function conditions(written: Readonly<Record<string, ValueMatch['tests']>>): ValueMatch[] {
  return Object.entries(written).map(([name, tests]) => ({ name, tests }))
}

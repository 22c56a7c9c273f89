import { STATUS_CODES } from 'node:http'
import type { MatchSpec, ValueMatch } from '../../routing/match-spec.ts'
import type { ActionSpec, Role } from '../../snapshot/policies.ts'
import type { ResolvedRoute } from '../resolved.ts'
import { contentHash } from './hash.ts'
import type { WrittenRoute } from './listener-schema.ts'
import { checkRouteTemplates } from './check-templates.ts'
import { resolvePolicies } from './resolve-policies.ts'
import type { PolicyLevel } from './resolve-policies.ts'
import type { ConfigPath, Resolution } from './resolution.ts'
import { didYouMean } from './suggestion.ts'

/** What a route stands in. */
export interface RouteSurroundings {
  readonly role: Role
  /** Outermost first, the route's own not among them. */
  readonly levels: readonly PolicyLevel[]
  readonly upstreams: ReadonlySet<string>
  readonly resolution: Resolution
}

export const ACTION_KEYS = ['upstream', 'redirect', 'respond'] as const
type Actions = Pick<WrittenRoute, (typeof ACTION_KEYS)[number]>

/** One route: its match and action made whole, the levels merged into it. Null where it has no action. */
export function resolveRoute(
  written: WrittenRoute,
  path: ConfigPath,
  surroundings: RouteSurroundings,
): ResolvedRoute | null {
  const { resolution, role } = surroundings
  const action = resolveAction(written, path, surroundings)
  const match = resolveMatch(written.match)
  const own: PolicyLevel = { policies: written, path, label: 'route' }
  const { policies: merged, from } = resolvePolicies([...surroundings.levels, own], role, resolution)
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
  if (action.kind !== 'upstream' && written.rewrite) rewriteUnused(written, path, resolution)
  const policies = action.kind === 'upstream' ? merged : { ...merged, rewrite: null }
  if (action.kind !== 'upstream') from['rewrite'] = 'none'
  const content = { name: written.name, match, action, policies }
  return { ...content, hash: contentHash(content), at: resolution.place(path), from }
}

/** Reports a rewrite that is written for an action that sends nothing upstream; one that is inherited is not used. */
export function rewriteUnused(written: Actions, path: ConfigPath, resolution: Resolution): void {
  const action = ACTION_KEYS.find(key => written[key] !== undefined) ?? ''
  resolution.fault(
    [...path, 'rewrite'],
    `\`rewrite\` works only with \`upstream\`: this route has \`${action}\``,
    undefined,
    'key',
  )
}

/** The one action of a route or of a listener that stands for a route. */
function resolveAction(
  written: Actions,
  path: ConfigPath,
  { upstreams, resolution }: RouteSurroundings,
): ActionSpec | null {
  const given = ACTION_KEYS.filter(key => written[key] !== undefined)
  if (given.length === 0) {
    resolution.fault(path, `a route needs an action: ${ACTION_KEYS.map(key => `\`${key}\``).join(', ')}`)
    return null
  }
  if (given.length > 1) {
    const list = given.map(key => `\`${key}\``).join(' and ')
    resolution.fault(
      [...path, given[1] ?? ''],
      `${list} are alternatives: a route has one action`,
      undefined,
      'key',
    )
  }
  if (written.upstream !== undefined) {
    checkUpstream(written.upstream, [...path, 'upstream'], upstreams, resolution)
    return { kind: 'upstream', upstream: written.upstream }
  }
  if (written.redirect !== undefined) {
    return { kind: 'redirect', to: written.redirect.to, status: written.redirect.status ?? 308 }
  }
  const { status = 200, headers = {}, body } = written.respond ?? {}
  if (STATUS_CODES[status] === undefined) {
    resolution.fault([...path, 'respond', 'status'], `${status} is no status that HTTP knows`)
  }
  if (body !== undefined && (status === 204 || status === 304)) {
    resolution.fault([...path, 'respond', 'body'], `a response of status ${status} has no body`)
  }
  if (body === undefined || body === '') return { kind: 'respond', status, headers, body: '' }
  const isText = typeof body === 'string'
  // A body without a type would be guessed at by browsers.
  const type = isText ? 'text/plain; charset=utf-8' : 'application/json'
  const typed = Object.hasOwn(headers, 'content-type') ? headers : { 'content-type': type, ...headers }
  return { kind: 'respond', status, headers: typed, body: isText ? body : JSON.stringify(body) }
}

/** Reports a name that no upstream has. */
export function checkUpstream(
  name: string,
  path: ConfigPath,
  upstreams: ReadonlySet<string>,
  resolution: Resolution,
): boolean {
  if (upstreams.has(name)) return true
  // With references left alone a name may be a stand-in.
  if (!resolution.secrets && name === 'name') return true
  const there = upstreams.size === 0 ? 'there are no `upstreams`' : undefined
  resolution.fault(path, `there is no upstream \`${name}\``, didYouMean(name, upstreams) ?? there)
  return false
}

/** What a match says, every kind of it given. */
export function resolveMatch(written: WrittenRoute['match']): MatchSpec {
  const { host = [], path = [], methods = [], headers = {}, query = {}, priority = 0 } = written ?? {}
  return {
    hosts: [...new Set(host)],
    paths: path.length === 0 ? [{ kind: 'prefix', path: '' }] : path,
    methods: [...new Set(methods)],
    headers: conditions(headers),
    query: conditions(query),
    priority,
  }
}

function conditions(written: Readonly<Record<string, ValueMatch['tests']>>): ValueMatch[] {
  return Object.entries(written).map(([name, tests]) => ({ name, tests }))
}

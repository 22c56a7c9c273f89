import type { IdentitySpec } from '../../filters/authenticate/schema.ts'
import type { CorsPolicy } from '../../filters/cors/schema.ts'
import type { HeaderEdits, HeadersPolicy } from '../../filters/headers/schema.ts'
import type { Role, RoutePolicies, UpgradePolicy } from '../../snapshot/policies.ts'
import { resolveAuthenticate } from './resolve-authenticate.ts'
import { resolveExternal } from './resolve-external.ts'
import { resolveAuthorize } from './resolve-authorize.ts'
import { isConfigMap } from './merge.ts'
import type { WrittenPolicies } from './policy-schema.ts'
import { resolveRetry, resolveTimeout } from './resolve-retry.ts'
import { resolveAffinity, resolveFallback, resolveFault, resolveMirror } from './resolve-traffic.ts'
import { resolveRateLimit } from './resolve-rate-limit.ts'
import type { ConfigPath, Resolution } from './resolution.ts'

/** One level of policies: what was written there, and where. */
export interface PolicyLevel {
  readonly policies: WrittenPolicies
  readonly path: ConfigPath
  readonly label: string
  /** What its name is, where it has one: of the listener, of the route. */
  readonly name?: string
}

export const POLICY_NAMES = [
  'timeout',
  'retry',
  'requestSize',
  'rewrite',
  'headers',
  'cors',
  'grpcWeb',
  'authenticate',
  'authorize',
  'rateLimit',
  'upgrade',
  'mirror',
  'fault',
  'affinity',
  'fallback',
] as const
type PolicyName = (typeof POLICY_NAMES)[number]

/** Policies that a level gives whole: alternatives do not merge. */
const WHOLE: ReadonlySet<string> = new Set(['fallback', 'authenticate'])

const MIB = 1024 * 1024

/** The policies of one route, merged over its levels (outermost first), with where each was written. */
export function resolvePolicies(
  levels: readonly PolicyLevel[],
  role: Role,
  identity: IdentitySpec,
  resolution: Resolution,
): { policies: RoutePolicies; from: Record<string, string> } {
  const merged: WrittenPolicies = {}
  const from: Record<string, string> = {}
  for (const name of POLICY_NAMES) {
    let value: unknown
    const places: string[] = []
    for (const level of levels) {
      const written = level.policies[name]
      if (written === undefined) continue
      if (!isConfigMap(value) || !isConfigMap(written) || WHOLE.has(name)) places.length = 0
      places.push(`${level.label} (${resolution.line([...level.path, name])})`)
      value = value === undefined ? written : mergeLevel(value, written, name)
    }
    // Each policy merges with itself only, so its type stays.
    if (value !== undefined) Object.assign(merged, { [name]: value })
    from[name] = places.length === 0 ? builtIn(name, role) : places.join(' + ')
  }
  const innermost = (name: PolicyName): ConfigPath => {
    const level = levels.findLast(one => one.policies[name] !== undefined)
    return [...(level?.path ?? []), name]
  }
  const cors = resolveCors(merged, innermost('cors'), resolution)
  return {
    policies: {
      timeout: resolveTimeout(merged.timeout),
      retry: resolveRetry(merged.retry, role),
      requestSize: resolveSize(merged.requestSize, role),
      rewrite: resolveRewrite(merged.rewrite),
      headers: resolveHeaders(merged.headers),
      cors,
      authenticate: resolveAuthenticate(merged.authenticate, innermost('authenticate'), identity, resolution),
      authorize: resolveAuthorize(levels, resolution),
      ...resolveExternal(levels, resolution),
      rateLimit: resolveRateLimit(levels, resolution),
      upgrade: resolveUpgrade(merged.upgrade),
      mirror: resolveMirror(merged.mirror),
      fault: resolveFault(merged.fault, innermost('fault'), resolution),
      affinity: resolveAffinity(merged.affinity),
      fallback: resolveFallback(merged.fallback, innermost('fallback'), resolution),
      ...(merged.grpcWeb === true ? { grpcWeb: true as const } : {}),
      ...(hasOthersSessions(merged.authenticate, identity) ? { ownCookies: true as const } : {}),
      // The listener's own TLS says it.
      hsts: null,
    },
    from,
  }
}

/** Whether browsers may bring a session that the route does not ask for. */
function hasOthersSessions(
  authenticate: WrittenPolicies['authenticate'],
  { providers: { oidc } }: IdentitySpec,
): boolean {
  const logins = Object.keys(oidc)
  if (logins.length === 0 || authenticate === undefined || authenticate === false) return logins.length > 0
  const ways = [authenticate, ...(authenticate.anyOf ?? []), ...(authenticate.allOf ?? [])]
  return logins.some(name => !ways.some(way => way.oidc === name))
}

/** Maps merge key by key, everything else is replaced; of `stripPrefix` and `path` one takes the other away. */
function mergeLevel(below: unknown, above: unknown, name: string): unknown {
  if (!isConfigMap(below) || !isConfigMap(above) || WHOLE.has(name)) return above
  const result = { ...below }
  if (name === 'rewrite' && (above['path'] !== undefined || above['stripPrefix'] !== undefined)) {
    delete result['path']
    delete result['stripPrefix']
  }
  for (const [key, value] of Object.entries(above)) {
    if (value === undefined) continue
    result[key] = Object.hasOwn(result, key) ? mergeLevel(result[key], value, key) : value
  }
  return result
}

function builtIn(name: PolicyName, role: Role): string {
  if (name === 'requestSize' || name === 'retry') return `default of the role ${role}`
  return name === 'timeout' || name === 'upgrade' ? 'default' : 'none'
}

/** `timeout.idle` as it holds for what passes a listener without a route. */
export function resolveIdle(levels: readonly PolicyLevel[]): number | null {
  let merged: WrittenPolicies['timeout']
  for (const { policies } of levels) {
    const written = policies.timeout
    if (written === undefined) continue
    merged = isConfigMap(merged) && isConfigMap(written) ? { ...merged, ...written } : written
  }
  return resolveTimeout(merged).idle
}

function resolveSize(written: WrittenPolicies['requestSize'], role: Role): number | null {
  if (written === false) return null
  if (typeof written === 'number') return written
  return role === 'edge' ? MIB : 10 * MIB
}

function resolveRewrite(written: WrittenPolicies['rewrite']): RoutePolicies['rewrite'] {
  if (written === undefined || written === false || Object.keys(written).length === 0) return null
  return { stripPrefix: written.stripPrefix ?? null, path: written.path ?? null, host: written.host ?? null }
}

const PING_MS = 30_000

function resolveUpgrade(written: WrittenPolicies['upgrade']): UpgradePolicy {
  const none = { origins: null, ping: PING_MS, max: null }
  if (written === false) return { protocols: [], websocket: none }
  const websocket = written?.websocket
  return {
    protocols: written?.protocols ?? ['websocket'],
    websocket: {
      origins: websocket?.origins ?? null,
      ping: websocket?.ping === undefined ? PING_MS : websocket.ping,
      max: websocket?.max ?? null,
    },
  }
}

type WrittenEdits = Exclude<WrittenPolicies['headers'], undefined | false>['request']

function resolveEdits(written: WrittenEdits): HeaderEdits {
  return {
    set: Object.entries(written?.set ?? {}),
    add: Object.entries(written?.add ?? {}),
    remove: written?.remove ?? [],
  }
}

function resolveHeaders(written: WrittenPolicies['headers']): HeadersPolicy | null {
  if (written === undefined || written === false) return null
  return { request: resolveEdits(written.request), response: resolveEdits(written.response) }
}

function resolveCors(merged: WrittenPolicies, path: ConfigPath, resolution: Resolution): CorsPolicy | null {
  const written = merged.cors
  if (written === undefined || written === false) return null
  if (resolution.partial) {
    // The origins may be what the schema refused.
  } else if (written.origins === undefined || written.origins.length === 0) {
    resolution.fault(
      path,
      '`cors` needs `origins`: who may call',
      'e.g. cors: { origins: https://shop.example }',
      'key',
    )
  } else if (written.credentials === true && written.origins.includes('*')) {
    resolution.fault(
      path,
      '`credentials` cannot go with the origin `*`: any page could act as its visitor',
      'list the origins',
      'key',
    )
  }
  return {
    origins: written.origins ?? [],
    methods: written.methods ?? ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    headers: written.headers ?? ['*'],
    expose: written.expose ?? [],
    credentials: written.credentials ?? false,
    maxAge: written.maxAge ?? 600,
  }
}

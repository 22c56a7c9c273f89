import { dirname, resolve } from 'node:path'
import type {
  ResolvedAdmin,
  ResolvedConfig,
  ResolvedListener,
  ResolvedTelemetry,
  ResolvedUpstream,
} from '../resolved.ts'
import { isLoopback } from './address-text.ts'
import { checkAddresses } from './check-addresses.ts'
import { checkCollisions } from './check-collisions.ts'
import { checkFields } from './check-fields.ts'
import { checkLogins } from './check-logins.ts'
import { checkLevel } from './check-level.ts'
import { checkProxyProtocol } from './check-tcp.ts'
import { checkHashedParameters, checkInheritedTemplates } from './check-templates.ts'
import { contentHash } from './hash.ts'
import type { PolicyLevel } from './resolve-policies.ts'
import { resolveExternals } from './resolve-external.ts'
import { resolveAuthenticate } from './resolve-authenticate.ts'
import { resolveIdentity } from './resolve-identity.ts'
import { resolveLimitsConfig } from './resolve-limits.ts'
import { resolveListener } from './resolve-listener.ts'
import { fromFile, resolveUpstream } from './resolve-upstream.ts'
import type { Resolution } from './resolution.ts'
import { DEFAULT_BUCKETS } from './root-schema.ts'
import type { WrittenConfig } from './root-schema.ts'

/** Makes a configuration whole: shorthands expanded, levels merged, defaults filled in, names checked against each other. */
export function resolveConfig(
  written: WrittenConfig,
  layers: readonly string[],
  resolution: Resolution,
): Omit<ResolvedConfig, 'files' | 'references'> {
  const upstreams = new Map<string, ResolvedUpstream>()
  for (const [name, upstream] of Object.entries(written.upstreams ?? {})) {
    upstreams.set(name, resolveUpstream(name, upstream, resolution))
  }
  const defaults: PolicyLevel = { policies: written.defaults ?? {}, path: ['defaults'], label: 'defaults' }
  checkLevel(defaults, new Set(upstreams.keys()), resolution)
  const identity = resolveIdentity(written, resolution)
  resolveAuthenticate(defaults.policies.authenticate, ['defaults', 'authenticate'], identity, resolution)
  resolution.externals = resolveExternals(written.authorization, new Set(upstreams.keys()), resolution)
  const limits = resolveLimitsConfig(written, resolution)
  resolution.limits = limits
  const listeners = written.listeners.map((listener, index) =>
    resolveListener(listener, ['listeners', index], { defaults, upstreams, identity, resolution }),
  )
  if (listeners.length === 0) resolution.fault(['listeners'], '`listeners` is empty: nothing could be served')
  checkNames(written, listeners, resolution)
  const admin = resolveAdmin(written.admin, resolution)
  if (!resolution.partial) {
    checkAddresses(listeners, admin, resolution)
    const matches = listeners.flatMap(listener => listener.routes.map(route => route.match))
    checkInheritedTemplates(defaults.policies, matches, defaults.path, resolution)
    checkHashedParameters(upstreams, listeners, resolution)
    for (const [index, listener] of listeners.entries()) {
      checkCollisions(listener, ['listeners', index], resolution)
      if (resolution.secrets) checkLogins(listener, ['listeners', index], identity, resolution)
      checkFields(listener, ['listeners', index], identity, resolution)
      checkProxyProtocol(listener, ['listeners', index], resolution)
    }
  }
  const content = {
    service: written.service,
    layers,
    listeners,
    upstreams: Object.fromEntries(upstreams),
    identity,
    limits,
    admin,
    audit: resolveAudit(written.authorization, resolution),
    telemetry: resolveTelemetry(written.telemetry, resolution),
    drain: { timeout: written.drain?.timeout ?? null },
    watch: { poll: written.watch?.poll ?? 30_000 },
  }
  const hash = contentHash({
    ...content,
    listeners: listeners.map(listener => listener.hash),
    upstreams: [...upstreams.values()].map(upstream => upstream.hash),
  })
  return { ...content, hash }
}

/** Listener names and route names are unique, each in the whole configuration. */
function checkNames(
  written: WrittenConfig,
  listeners: readonly ResolvedListener[],
  resolution: Resolution,
): void {
  const listenerNames = new Map<string, number>()
  const routeNames = new Map<string, string>()
  for (const [index, listener] of listeners.entries()) {
    const twin = listenerNames.get(listener.name)
    if (twin !== undefined && resolution.secrets) {
      const place = listeners[twin]?.at
      resolution.fault(
        ['listeners', index, 'name'],
        `the listener name \`${listener.name}\` is taken: it stands in ${place?.file}:${place?.line}`,
      )
    }
    listenerNames.set(listener.name, index)
    const own = written.listeners[index]?.routes !== undefined
    for (const [at, route] of listener.routes.entries()) {
      const first = routeNames.get(route.name)
      if (first !== undefined && resolution.secrets) {
        const path = own
          ? ['listeners', index, 'routes', at, 'name']
          : [
              'listeners',
              index,
              written.listeners[index]?.upstreams === undefined ? 'name' : 'upstreams',
              ...(written.listeners[index]?.upstreams === undefined ? [] : [at]),
            ]
        resolution.fault(
          path,
          `the route name \`${route.name}\` is taken: it stands in ${first}`,
          own ? undefined : 'give the listener `routes` with names of their own',
        )
      }
      routeNames.set(route.name, `${route.at.file}:${route.at.line}`)
    }
  }
}

function resolveAdmin(written: WrittenConfig['admin'], resolution: Resolution): ResolvedAdmin {
  const address = fromFile(
    written?.address ?? { kind: 'tcp', host: '127.0.0.1', port: 9901 },
    ['admin', 'address'],
    resolution,
  )
  const probes = written?.probes == null ? null : fromFile(written.probes, ['admin', 'probes'], resolution)
  const token = written?.token ?? null
  if (token === '' && resolution.secrets) resolution.fault(['admin', 'token'], 'the token is empty')
  if (!isLoopback(address) && token === null) {
    resolution.warnings.push(
      'admin.address is not a loopback address and there is no admin.token: writes are refused',
    )
  }
  return { address, probes, token }
}

function resolveAudit(
  written: WrittenConfig['authorization'],
  resolution: Resolution,
): ResolvedConfig['audit'] {
  const audit = written?.audit
  if (audit === undefined || audit === false) return null
  const { percent = 100, to = 'stdout' } = audit
  const file = resolution.fileOf(['authorization', 'audit', 'to'])
  const place = to.includes('/') && file !== undefined ? resolve(dirname(file), to) : to
  return { percent, to: place }
}

function resolveTelemetry(written: WrittenConfig['telemetry'], resolution: Resolution): ResolvedTelemetry {
  const log = written?.accessLog
  const buckets = written?.metrics?.buckets ?? DEFAULT_BUCKETS
  const falling = buckets.findIndex((bucket, index) => index > 0 && bucket <= (buckets[index - 1] ?? 0))
  if (falling !== -1) {
    resolution.fault(['telemetry', 'metrics', 'buckets', falling], 'the bounds of buckets have to rise')
  }
  return {
    accessLog: { write: log?.write ?? null, format: log?.format ?? null, percent: log?.percent ?? 100 },
    metrics: { buckets },
  }
}

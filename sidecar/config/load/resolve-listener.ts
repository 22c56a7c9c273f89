import type { IdentitySpec } from '../../filters/authenticate/schema.ts'
import type { ListenerConnection, ListenerLimits } from '../../exchange/connection-settings.ts'
import type { ResolvedListener, ResolvedRoute, ResolvedUpstream } from '../resolved.ts'
import { addressText, isLoopback } from './address-text.ts'
import { checkLevel } from './check-level.ts'
import { checkHttpListener, checkTcpListener, inheritedByTcp, tcpPolicies, tcpRoute } from './check-tcp.ts'
import { checkInheritedTemplates } from './check-templates.ts'
import { contentHash } from './hash.ts'
import type { WrittenListener, WrittenRoute } from './listener-schema.ts'
import { type PolicyLevel, resolveIdle } from './resolve-policies.ts'
import { resolveListenerTls } from './resolve-tls.ts'
import { ACTION_KEYS, checkUpstream } from './resolve-action.ts'
import { resolveRoute } from './resolve-route.ts'
import { fromFile } from './resolve-upstream.ts'
import { resolveAuthenticate } from './resolve-authenticate.ts'
import type { ConfigPath, Resolution } from './resolution.ts'

/** What listeners share. */
export interface ListenerSurroundings {
  readonly defaults: PolicyLevel
  readonly upstreams: ReadonlyMap<string, ResolvedUpstream>
  readonly identity: IdentitySpec
  readonly resolution: Resolution
}

/** One listener with its routes, shorthands expanded. */
export function resolveListener(
  written: WrittenListener,
  path: ConfigPath,
  { defaults, upstreams, identity, resolution }: ListenerSurroundings,
): ResolvedListener {
  const { name, role } = written
  const names = new Set(upstreams.keys())
  const tcp = written.protocol === 'tcp'
  if (tcp) checkTcpListener(written, path, resolution)
  else checkHttpListener(written, path, resolution)
  const policies = tcp ? tcpPolicies(written) : written
  const own: PolicyLevel = { policies, path, label: 'listener', name }
  const inherited = [tcp ? { ...defaults, policies: inheritedByTcp(defaults.policies) } : defaults, own]
  const tls = resolveListenerTls(written.tls, [...path, 'tls'], resolution)
  const shared = { role, upstreams: names, identity, resolution, hsts: tls?.hsts ?? null }
  const routes: ResolvedRoute[] = []
  const add = (route: ResolvedRoute | null) => route !== null && routes.push(route)
  switch (form(written, path, resolution)) {
    case 'routes':
      for (const [index, route] of (written.routes ?? []).entries()) {
        const kept = tcp ? tcpRoute(route) : route
        if (kept !== null)
          add(resolveRoute(kept, [...path, 'routes', index], { ...shared, levels: inherited }))
      }
      break
    case 'upstreams':
      for (const [index, upstream] of (written.upstreams ?? []).entries()) {
        if (!checkUpstream(upstream, [...path, 'upstreams', index], names, resolution)) continue
        const route: WrittenRoute = {
          name: upstream,
          match: { host: hostsOf(upstreams.get(upstream)) },
          upstream,
        }
        add(resolveRoute(route, [...path, 'upstreams', index], { ...shared, levels: inherited }))
      }
      break
    case 'action': {
      // The policies are the listener's: they are merged as its level, not said twice.
      const action: WrittenRoute = {
        name,
        upstream: written.upstream,
        ...(tcp ? {} : { split: written.split, redirect: written.redirect, respond: written.respond }),
      }
      add(resolveRoute(action, path, { ...shared, levels: inherited }))
      break
    }
    case 'none':
      break
  }
  checkLevel(own, names, resolution)
  // Also where every route has its own: what is written has to hold.
  resolveAuthenticate(written.authenticate, [...path, 'authenticate'], identity, resolution)
  if (role === 'outbound') checkOutbound(written, defaults, path, resolution)
  const matches = routes.map(route => route.match)
  if (!resolution.partial) checkInheritedTemplates(policies, matches, path, resolution)
  const address = fromFile(written.address, [...path, 'address'], resolution)
  if (role === 'outbound' && written.allowRemote !== true && !isLoopback(address)) {
    resolution.fault(
      [...path, 'address'],
      `an outbound listener listens on the loopback address only, and ${addressText(address)} is not one`,
      'write 127.0.0.1, or say `allowRemote: on`',
    )
  }
  if (written.tunnel === true && role !== 'outbound' && !tcp) {
    resolution.fault(
      [...path, 'tunnel'],
      '`tunnel` is for outbound listeners: nobody else takes a CONNECT',
      undefined,
      'key',
    )
  }
  const limits = resolveLimits(written)
  if (limits.urlBytes > limits.headerBytes) {
    resolution.fault(
      [...path, 'limits', 'urlBytes'],
      '`urlBytes` cannot be more than `headerBytes`, which holds it',
      undefined,
      'key',
    )
  }
  const settings = {
    name,
    role,
    address,
    hosts: [...new Set(written.hosts)],
    trustedProxies: written.trustedProxies ?? [],
    limits,
    connection: resolveConnection(written),
    protocol: written.protocol ?? 'http',
    proxyProtocol: written.proxyProtocol ?? false,
    tls,
    ...(written.tunnel === true && !tcp ? { tunnel: { idle: resolveIdle(inherited) } } : {}),
  }
  const hash = contentHash({ ...settings, routes: routes.map(route => route.hash) })
  return { ...settings, routes, hash, at: resolution.place(path) }
}

/** What guards callers would guard the app's own calls: an outbound listener has to say that it is meant. */
function checkOutbound(
  written: WrittenListener,
  defaults: PolicyLevel,
  path: ConfigPath,
  resolution: Resolution,
): void {
  if (resolution.partial) return
  for (const name of GUARDS) {
    if (written.tunnel === true && written[name])
      resolution.fault(
        [...path, name],
        `\`tunnel: on\` passes what has no route, and no policy sees that: \`${name}\` would not hold for it`,
        `write \`${name}\` in the routes, or \`tunnel: off\``,
        'key',
      )
    const inherited = defaults.policies[name]
    if (inherited === undefined || inherited === false || written[name] !== undefined) continue
    resolution.fault(
      path,
      `\`${name}\` in \`defaults\` (${resolution.line([...defaults.path, name])}) would guard the app's own calls through the outbound listener \`${written.name}\``,
      `say it here as well: ${name}: off`,
    )
  }
}

/** Policies that a listener for the app's own calls does not inherit unsaid. */
const GUARDS = ['authenticate', 'authorize'] as const

/** Which of the alternatives a listener takes. */
function form(
  written: WrittenListener,
  path: ConfigPath,
  resolution: Resolution,
): 'routes' | 'upstreams' | 'action' | 'none' {
  const actions = ACTION_KEYS.filter(key => written[key] !== undefined)
  const given = [
    ...(written.routes === undefined ? [] : ['routes']),
    ...(written.upstreams === undefined ? [] : ['upstreams']),
    ...actions,
  ]
  const [first, second] = given
  if (first === undefined) {
    resolution.fault(
      path,
      `the listener \`${written.name}\` needs \`routes\` or one action (${ACTION_KEYS.map(key => `\`${key}\``).join(', ')})`,
    )
    return 'none'
  }
  if (second !== undefined && !(first !== 'routes' && first !== 'upstreams')) {
    resolution.fault(
      [...path, second],
      `\`${first}\` and \`${second}\` are alternatives: a listener has one of them`,
      undefined,
      'key',
    )
    return 'none'
  }
  // The role may be a stand-in for one that the schema refused.
  if (first === 'upstreams' && written.role !== 'outbound' && !resolution.partial) {
    resolution.fault(
      [...path, 'upstreams'],
      '`upstreams` is for outbound listeners: write `routes` or `upstream`',
      undefined,
      'key',
    )
    return 'none'
  }
  if (first === 'routes' && written.routes?.length === 0)
    resolution.fault([...path, 'routes'], '`routes` is empty: nothing could be answered')
  return first === 'routes' || first === 'upstreams' ? first : 'action'
}

/** The hosts by which a client asks for an upstream: its name, and the host of its `url`. */
function hostsOf(upstream: ResolvedUpstream | undefined): string[] {
  if (upstream === undefined) return []
  const url = upstream.authority.replace(/:\d+$/, '').toLowerCase()
  return [...new Set([upstream.name.toLowerCase(), url])]
}

function resolveLimits({ role, limits }: WrittenListener): ListenerLimits {
  const perAddress = limits?.connectionsPerAddress
  return {
    headerBytes: limits?.headerBytes ?? 16 * 1024,
    headerFields: limits?.headerFields ?? 100,
    urlBytes: limits?.urlBytes ?? 8 * 1024,
    connections: limits?.connections ?? null,
    connectionsPerAddress: perAddress === undefined && role === 'edge' ? 1000 : (perAddress ?? null),
    requestsPerConnection: limits?.requestsPerConnection ?? null,
    http2: {
      streams: limits?.http2?.streams ?? 100,
      streamWindow: limits?.http2?.streamWindow ?? 64 * 1024,
      window: limits?.http2?.window ?? 1024 * 1024,
    },
  }
}

function resolveConnection({ connection }: WrittenListener): ListenerConnection {
  return {
    handshake: connection?.handshake ?? 5000,
    head: connection?.head ?? 10_000,
    bodyIdle: connection?.bodyIdle ?? 30_000,
    writeIdle: connection?.writeIdle ?? 60_000,
    keepAlive: connection?.keepAlive ?? 75_000,
    age: connection?.age === undefined ? 3_600_000 : connection.age,
  }
}

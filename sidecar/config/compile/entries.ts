import { compileHeaderPlan, prepareUpstreamHeaders } from '../../proxy/upstream-headers.ts'
import { RouteTable } from '../../routing/route-table.ts'
import type { Route } from '../../snapshot/route.ts'
import type { Role } from '../../snapshot/policies.ts'
import type { Entry, Listener } from '../../snapshot/snapshot.ts'
import type { RouteRecorder } from '../../telemetry/recorder.ts'
import { addressLabel } from '../../upstream/endpoint.ts'
import type { ResolvedConfig, ResolvedListener, ResolvedRoute } from '../resolved.ts'
import { compileActions, type Upstreams } from './actions.ts'
import { compileFilters } from './filters.ts'
import { KeptParts, type KeptRoute, type Specified } from './kept-parts.ts'
import { Slices } from './slices.ts'

/** What routes are bound to. */
export interface EntryParts<U extends Specified> {
  readonly upstreams: ReadonlyMap<string, U>
  /** What the compilation before made: what is unchanged is taken from it. */
  readonly before?: KeptParts<U> | undefined
  recorder(route: string): RouteRecorder
  /** Monotonic milliseconds. */
  readonly now: () => number
}

/** Everything compiled that needs no live state of its own. */
export interface CompiledEntries<U extends Specified> {
  /** By the acceptor's key. */
  readonly entries: ReadonlyMap<string, Entry<U>>
  /** By name. */
  readonly routes: ReadonlyMap<string, Route<U>>
  /** For the compilation after this one. */
  readonly parts: KeptParts<U>
}

/**
 * Compiles listeners and routes over upstreams that somebody else opened, or that nobody did (`explain`). In slices, so
 * that ten thousand routes stop nobody.
 *
 * @throws Error where a part does not compile: the loader compiled it before, so that is a bug
 */
export async function compileEntries<U extends Specified>(
  config: Pick<ResolvedConfig, 'listeners'>,
  parts: EntryParts<U>,
): Promise<CompiledEntries<U>> {
  const routes = new Map<string, Route<U>>()
  const entries = new Map<string, { key: string; listeners: Listener<U>[]; first: ResolvedListener }>()
  const made = new KeptParts<U>()
  const slices = new Slices(parts.now)
  for (const spec of config.listeners) {
    const compiled: Route<U>[] = []
    for (const route of spec.routes) {
      const kept = parts.before?.route(route, spec.role, parts) ?? traceRoute(spec.role, route, parts)
      made.keepRoute(kept)
      compiled.push(kept.route)
      routes.set(route.name, kept.route)
      if (slices.over) await slices.next()
    }
    const key = entryKey(spec)
    const entry = entries.get(key)
    const table = parts.before?.table(spec.name, compiled) ?? (await compileTable(spec, compiled, slices))
    made.keepTable(spec.name, table)
    const listener = compileListener(spec, table)
    if (entry === undefined) entries.set(key, { key, listeners: [listener], first: spec })
    else entry.listeners.push(listener)
  }
  return {
    entries: new Map([...entries].map(([key, entry]) => [key, compileEntry(entry)])),
    routes,
    parts: made,
  }
}

async function compileTable<U>(
  listener: ResolvedListener,
  routes: readonly Route<U>[],
  slices: Slices,
): Promise<RouteTable<Route<U>>> {
  const table = new RouteTable<Route<U>>()
  for (const [index, value] of routes.entries()) {
    const spec = listener.routes[index]
    if (spec !== undefined) table.add({ name: spec.name, spec: spec.match, value })
    if (slices.over) await slices.next()
  }
  return table
}

/** Compiles a route and notes which upstreams it asks for. */
function traceRoute<U extends Specified>(
  role: Role,
  spec: ResolvedRoute,
  parts: EntryParts<U>,
): KeptRoute<U> {
  const asked: U[] = []
  const get = (name: string): U | undefined => {
    const upstream = parts.upstreams.get(name)
    if (upstream !== undefined) asked.push(upstream)
    return upstream
  }
  const route = compileRoute(role, spec, { get }, parts)
  return { hash: spec.hash, role, upstreams: asked, route }
}

/** Of the listener only its role: whatever else a route were made of, `KeptParts` would have to compare. */
function compileRoute<U extends Specified>(
  role: Role,
  spec: ResolvedRoute,
  upstreams: Upstreams<U>,
  parts: EntryParts<U>,
): Route<U> {
  return Object.freeze({
    name: spec.name,
    ...compileActions(role, spec, upstreams),
    policies: spec.policies,
    filters: compileFilters(spec.policies, spec),
    recorder: parts.recorder(spec.name),
  })
}

/** Listeners share an acceptor by address; those that ask for any free port each have their own. */
function entryKey(spec: ResolvedListener): string {
  const label = addressLabel(spec.address)
  return spec.address.kind === 'tcp' && spec.address.port === 0 ? `${label} ${spec.name}` : label
}

function compileEntry<U>(entry: {
  key: string
  listeners: Listener<U>[]
  first: ResolvedListener
}): Entry<U> {
  // Connections are the address's: what is common to them is said by the listener that stands first.
  const { address, limits, connection } = entry.first
  const { key, listeners } = entry
  return Object.freeze({
    key,
    address,
    listeners,
    encrypted: entry.first.tls !== null,
    limits,
    clocks: connection,
  })
}

function compileListener<U>(spec: ResolvedListener, table: RouteTable<Route<U>>): Listener<U> {
  const plan = compileHeaderPlan(spec.role, spec.trustedProxies)
  return Object.freeze({
    name: spec.name,
    role: spec.role,
    hosts: spec.hosts,
    table,
    tls: spec.tls,
    tunnel: spec.tunnel ?? null,
    prepare: (exchange: Parameters<Listener['prepare']>[0]) => prepareUpstreamHeaders(exchange, plan),
    trusts: (address: string) => plan.trust.has(address),
  })
}

import { compileHeaderPlan, prepareUpstreamHeaders } from '../../proxy/upstream-headers.ts'
import type { Filter } from '../../filters/filter.ts'
import { RouteTable } from '../../routing/route-table.ts'
import type { Route } from '../../snapshot/route.ts'
import type { Role } from '../../snapshot/policies.ts'
import type { Entry, Listener } from '../../snapshot/snapshot.ts'
import type { RouteRecorder } from '../../telemetry/recorder.ts'
import { compileIdentity } from '../../filters/authenticate/identity.ts'
import { loadExpressions } from '../../exchange/expression/expression.ts'
import { addressLabel } from '../../upstream/endpoint.ts'
import type { ResolvedConfig, ResolvedListener, ResolvedRoute } from '../resolved.ts'
import { compileActions, type Upstreams } from './actions.ts'
import { FilterLeases, type FilterState } from './filter-leases.ts'
import { usesExpressions } from './expressions.ts'
import { askedUpstream } from './asked-upstream.ts'
import { compileFilters, type FilterSurroundings } from './filters.ts'
import { KeptParts, type KeptRoute, type Specified } from './kept-parts.ts'
import { Slices } from './slices.ts'

/** What routes are bound to. */
export interface EntryParts<U extends Specified> {
  readonly upstreams: ReadonlyMap<string, U>
  /** What the compilation before made: what is unchanged is taken from it. */
  readonly before?: KeptParts<U> | undefined
  recorder(route: string): RouteRecorder
  /** Where filters take their live state. */
  readonly state: FilterState
  /** Monotonic milliseconds. */
  readonly now: () => number
}

/** Everything compiled over upstreams, with a hold on the live state of its filters. */
export interface CompiledEntries<U extends Specified> {
  /** By the acceptor's key. */
  readonly entries: ReadonlyMap<string, Entry<U>>
  /** By name. */
  readonly routes: ReadonlyMap<string, Route<U>>
  /** For the compilation after this one. */
  readonly parts: KeptParts<U>
  /** Gives back the live state of the filters. Once. */
  readonly release: () => void
}

/**
 * Compiles listeners and routes over upstreams that somebody else opened, or that nobody did (`explain`). In slices, so
 * that ten thousand routes stop nobody.
 *
 * @throws Error where a part does not compile: the loader compiled it before, so that is a bug
 */
export async function compileEntries<U extends Specified>(
  config: Pick<ResolvedConfig, 'listeners' | 'identity' | 'limits' | 'upstreams'>,
  parts: EntryParts<U>,
): Promise<CompiledEntries<U>> {
  const held: FilterLeases[] = []
  const release = (): void => {
    for (const leases of held) leases.give()
  }
  try {
    return { ...(await compileListeners(config, parts, held)), release }
  } catch (error) {
    release()
    throw error
  }
}

async function compileListeners<U extends Specified>(
  config: Pick<ResolvedConfig, 'listeners' | 'identity' | 'limits' | 'upstreams'>,
  parts: EntryParts<U>,
  held: FilterLeases[],
): Promise<Omit<CompiledEntries<U>, 'release'>> {
  const routes = new Map<string, Route<U>>()
  const identity = await compileIdentity(config.identity)
  if (usesExpressions(config)) await loadExpressions()
  const shared = { identity, limits: config.limits }
  const reserved = new Set([...identity.reserved, ...saidByOthers(config)])
  const entries = new Map<string, { key: string; listeners: Listener<U>[]; first: ResolvedListener }>()
  const made = new KeptParts<U>()
  const slices = new Slices(parts.now)
  for (const spec of config.listeners) {
    const compiled: Route<U>[] = []
    for (const route of spec.routes) {
      const before = parts.before?.route(route, spec.role, parts) ?? null
      const kept = before?.leases.take() === true ? before : traceRoute(spec.role, route, parts, shared, held)
      if (kept === before) held.push(kept.leases)
      made.keepRoute(kept)
      compiled.push(kept.route)
      routes.set(route.name, kept.route)
      if (slices.over) await slices.next()
    }
    const key = entryKey(spec)
    const entry = entries.get(key)
    const table = parts.before?.table(spec.name, compiled) ?? (await compileTable(spec, compiled, slices))
    made.keepTable(spec.name, table)
    const listener = compileListener(spec, table, reserved)
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

/** Fields that deciding services put into requests. */
function saidByOthers({ listeners }: Pick<ResolvedConfig, 'listeners'>): string[] {
  return listeners.flatMap(({ routes }) =>
    routes.flatMap(({ policies: { external, triedExternal } }) => [
      ...(external?.upstreamHeaders ?? []),
      ...(triedExternal?.upstreamHeaders ?? []),
    ]),
  )
}

/** Compiles a route and notes which upstreams it asks for. */
function traceRoute<U extends Specified>(
  role: Role,
  spec: ResolvedRoute,
  parts: EntryParts<U>,
  shared: Omit<FilterSurroundings, 'live' | 'asked'>,
  held: FilterLeases[],
): KeptRoute<U> {
  const leases = new FilterLeases(parts.state)
  // Before anything is taken: a route that does not compile gives back what it took.
  held.push(leases)
  const asked: U[] = []
  const get = (name: string): U | undefined => {
    const upstream = parts.upstreams.get(name)
    if (upstream !== undefined) asked.push(upstream)
    return upstream
  }
  const filters = compileFilters(spec.policies, spec, {
    live: leases,
    asked: name => {
      const upstream = get(name)
      if (upstream === undefined) throw new Error(`the upstream ${name} was checked and is not there`)
      return askedUpstream(upstream)
    },
    ...shared,
  })
  const route = compileRoute(role, spec, { get }, filters, parts.recorder(spec.name))
  return { hash: spec.hash, role, upstreams: asked, leases, route }
}

/** Of the listener only its role: whatever else a route were made of, `KeptParts` would have to compare. */
function compileRoute<U extends Specified>(
  role: Role,
  spec: ResolvedRoute,
  upstreams: Upstreams<U>,
  filters: readonly Filter[],
  recorder: RouteRecorder,
): Route<U> {
  return Object.freeze({
    name: spec.name,
    ...compileActions(role, spec, upstreams),
    policies: spec.policies,
    filters,
    recorder,
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
    protocol: entry.first.protocol,
    proxyProtocol: entry.first.proxyProtocol,
    encrypted: entry.first.tls !== null,
    limits,
    clocks: connection,
  })
}

function compileListener<U>(
  spec: ResolvedListener,
  table: RouteTable<Route<U>>,
  reserved: ReadonlySet<string>,
): Listener<U> {
  const plan = compileHeaderPlan(spec.role, spec.trustedProxies, reserved)
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

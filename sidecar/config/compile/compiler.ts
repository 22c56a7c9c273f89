import { toWire } from '../../exchange/headers.ts'
import { compileHost, compileRedirect, compileRewrite } from '../../proxy/rewrite.ts'
import { compileHeaderPlan, prepareUpstreamHeaders } from '../../proxy/upstream-headers.ts'
import { RouteTable } from '../../routing/route-table.ts'
import { Generation } from '../../snapshot/generation.ts'
import type { Action, Route } from '../../snapshot/route.ts'
import type { Entry, Listener, Snapshot } from '../../snapshot/snapshot.ts'
import { type AccessLogPolicy, defaultPolicy } from '../../telemetry/access-log.ts'
import type { RouteRecorder } from '../../telemetry/recorder.ts'
import { addressLabel } from '../../upstream/endpoint.ts'
import type { LiveState } from '../../upstream/live-state.ts'
import { Upstream } from '../../upstream/upstream.ts'
import type { ResolvedConfig, ResolvedListener, ResolvedRoute } from '../resolved.ts'
import { compileFilters } from './filters.ts'

/** How long the serving thread compiles before it lets requests have the event loop, in milliseconds. */
const SLICE_MS = 10

/**
 * Makes generations of resolved configurations: plain data becomes routes with everything bound, and leases on live
 * state. Works in slices, so that ten thousand routes stop nobody; and keeps nothing where it fails.
 */
export class Compiler {
  readonly #live: LiveState
  readonly #recorder: (route: string) => RouteRecorder
  readonly #now: () => number

  constructor(live: LiveState, recorder: (route: string) => RouteRecorder, now: () => number) {
    this.#live = live
    this.#recorder = recorder
    this.#now = now
  }

  /** @throws Error where a part does not compile: the loader compiled it before, so that is a bug */
  async compile(config: ResolvedConfig): Promise<Generation> {
    const upstreams = new Map<string, Upstream>()
    const release = (): void => {
      for (const upstream of upstreams.values()) upstream.release()
    }
    try {
      for (const spec of Object.values(config.upstreams))
        upstreams.set(spec.name, new Upstream(spec, this.#live))
      return new Generation(await this.#snapshot(config, upstreams), release)
    } catch (error) {
      release()
      throw error
    }
  }

  async #snapshot(config: ResolvedConfig, upstreams: ReadonlyMap<string, Upstream>): Promise<Snapshot> {
    const routes = new Map<string, Route>()
    const policies = new Map<string, AccessLogPolicy>()
    const entries = new Map<string, { key: string; listeners: Listener[]; first: ResolvedListener }>()
    let since = this.#now()
    for (const spec of config.listeners) {
      const table = new RouteTable<Route>()
      for (const route of spec.routes) {
        const compiled = this.#route(spec, route, upstreams)
        routes.set(route.name, compiled)
        table.add({ name: route.name, spec: route.match, value: compiled })
        if (this.#now() - since < SLICE_MS) continue
        await new Promise(resolve => setImmediate(resolve))
        since = this.#now()
      }
      const key = entryKey(spec)
      const entry = entries.get(key)
      const listener = compileListener(spec, table)
      if (entry === undefined) entries.set(key, { key, listeners: [listener], first: spec })
      else entry.listeners.push(listener)
      policies.set(spec.name, config.telemetry.accessLog.write ?? defaultPolicy(spec.role))
    }
    return Object.freeze({
      hash: config.hash,
      entries: new Map([...entries].map(([key, entry]) => [key, compileEntry(entry)])),
      upstreams,
      routes,
      logPolicy: (listener: string) => policies.get(listener) ?? 'all',
    })
  }

  #route(listener: ResolvedListener, spec: ResolvedRoute, upstreams: ReadonlyMap<string, Upstream>): Route {
    return Object.freeze({
      name: spec.name,
      action: compileAction(listener, spec, upstreams),
      policies: spec.policies,
      filters: compileFilters(spec.policies, spec),
      recorder: this.#recorder(spec.name),
    })
  }
}

/** Listeners share an acceptor by address; those that ask for any free port each have their own. */
function entryKey(spec: ResolvedListener): string {
  const label = addressLabel(spec.address)
  return spec.address.kind === 'tcp' && spec.address.port === 0 ? `${label} ${spec.name}` : label
}

function compileEntry(entry: { key: string; listeners: Listener[]; first: ResolvedListener }): Entry {
  // Connections are the address's: what is common to them is said by the listener that stands first.
  const { address, limits, connection } = entry.first
  return Object.freeze({ key: entry.key, address, listeners: entry.listeners, limits, clocks: connection })
}

function compileListener(spec: ResolvedListener, table: RouteTable<Route>): Listener {
  const plan = compileHeaderPlan(spec.role, spec.trustedProxies)
  return Object.freeze({
    name: spec.name,
    role: spec.role,
    hosts: spec.hosts,
    table,
    prepare: (exchange: Parameters<Listener['prepare']>[0]) => prepareUpstreamHeaders(exchange, plan),
    trusts: (address: string) => plan.trust.has(address),
  })
}

function compileAction(
  listener: ResolvedListener,
  route: ResolvedRoute,
  upstreams: ReadonlyMap<string, Upstream>,
): Action {
  const action = route.action
  if (action.kind === 'redirect') {
    return { kind: 'redirect', status: action.status, location: compileRedirect(action.to) }
  }
  if (action.kind === 'respond') {
    const headers = Object.entries(action.headers).flatMap(([name, value]) => {
      const wire = toWire(value)
      return wire === null ? [] : [name.toLowerCase(), wire]
    })
    return { kind: 'respond', status: action.status, headers, body: Buffer.from(action.body) }
  }
  const upstream = upstreams.get(action.upstream)
  if (upstream === undefined) throw new Error(`the upstream ${action.upstream} was checked and is not there`)
  const rewrite = route.policies.rewrite
  return {
    kind: 'upstream',
    upstream,
    target: compileRewrite(rewrite, upstream.spec.basePath),
    host: compileHost(rewrite, listener.role, upstream.spec.authority, false),
  }
}

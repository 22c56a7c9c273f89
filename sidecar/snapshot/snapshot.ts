import type { Address } from '../exchange/address.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { ProxyError } from '../exchange/proxy-error.ts'
import type { ListenerConnection, ListenerLimits } from '../exchange/connection-settings.ts'
import type { RouteTable } from '../routing/route-table.ts'
import type { AccessLogPolicy } from '../telemetry/access-log.ts'
import type { Upstream } from '../upstream/upstream.ts'
import type { ListenerTls } from './listener-tls.ts'
import type { Role, TunnelPolicy } from './policies.ts'
import type { Route } from './route.ts'

/** A listener as one snapshot sees it. `U` as for `Action`. */
export interface Listener<U = Upstream> {
  readonly name: string
  readonly role: Role
  /** Lower case, `*.x` for wildcards; empty: every host. */
  readonly hosts: readonly string[]
  readonly table: RouteTable<Route<U>>
  /** Null: plain. All listeners of an address are one or the other. */
  readonly tls: ListenerTls | null
  /** Outbound: what becomes of a CONNECT to a host that is no route; null: it is refused. */
  readonly tunnel: TunnelPolicy | null
  /** Fills `exchange.upstreamHeaders`, the request id and the client's address; refuses what may not pass. */
  prepare(exchange: Exchange): ProxyError | null
  /** Whether an address may speak for others. */
  trusts(address: string): boolean
}

/** The listeners that share one address, and what is common to its connections. */
export interface Entry<U = Upstream> {
  /** The acceptor's key: the address as people write it. */
  readonly key: string
  readonly address: Address
  readonly listeners: readonly Listener<U>[]
  /** What is spoken inside. A TCP listener shares its address with no other. */
  readonly protocol: 'http' | 'tcp'
  /** Whether every connection begins with a PROXY protocol header, believed from trusted proxies only. */
  readonly proxyProtocol: boolean
  /** Whether connections open TLS first. */
  readonly encrypted: boolean
  readonly limits: ListenerLimits
  readonly clocks: ListenerConnection
}

/** Everything that a request can read of the configuration. Frozen. */
export interface Snapshot {
  readonly hash: string
  readonly entries: ReadonlyMap<string, Entry>
  readonly upstreams: ReadonlyMap<string, Upstream>
  /** By name; names are unique in the whole configuration. */
  readonly routes: ReadonlyMap<string, Route>
  /** What is written of the exchanges of a listener. */
  logPolicy(listener: string): AccessLogPolicy
}

/** The listener of an address that serves a host: an exact name, then the longest wildcard, then the one without hosts. */
export function listenerFor<L extends Pick<Listener, 'hosts'>>(
  entry: { readonly listeners: readonly L[] },
  host: string,
): L | null {
  if (entry.listeners.length === 1) {
    const only = entry.listeners[0] as L
    return only.hosts.length === 0 || serves(only, host) >= 0 ? only : null
  }
  let best: L | null = null
  let rank = -1
  for (const listener of entry.listeners) {
    const one = listener.hosts.length === 0 ? 0 : serves(listener, host)
    if (one > rank) {
      rank = one
      best = listener
    }
  }
  return best
}

/** How exactly a listener's hosts name this one: -1 not at all, else the longer the better, an exact name best. */
function serves(listener: { readonly hosts: readonly string[] }, host: string): number {
  let rank = -1
  for (const pattern of listener.hosts) {
    if (pattern === host) return Infinity
    if (pattern.startsWith('*.') && host.endsWith(pattern.slice(1)) && host.length > pattern.length - 1) {
      rank = Math.max(rank, pattern.length)
    }
  }
  return rank
}

import type { ResolvedListener } from '../resolved.ts'
import type { WrittenListener, WrittenRoute } from './listener-schema.ts'
import { policyShape, type WrittenPolicies } from './policy-schema.ts'
import { ACTION_KEYS } from './resolve-action.ts'
import type { ConfigPath, Resolution } from './resolution.ts'
import { BY_ROLE } from './retry-status.ts'

/** The policies that mean something where there are no requests. */
const KEPT = ['timeout', 'retry', 'authorize'] as const
const SKIPPED = Object.keys(policyShape).filter(name => !KEPT.some(kept => kept === name))
/** Parts of these that are about requests. */
const NO_PARTS = {
  timeout: ['firstByte', 'header'],
  retry: ['statuses', 'methods', 'headers', 'replay', 'hedge'],
  // Of a connection only its address and the certificate say who it is.
  authorize: ['groups', 'scopes', 'when', 'external'],
} as const

/** What a TCP listener inherits of the policies of `defaults`: the others were meant for requests. */
export function inheritedByTcp({ timeout, retry }: WrittenPolicies): WrittenPolicies {
  return { timeout, retry }
}

/** What is left of the policies of a TCP listener, without what the check below has reported. */
export function tcpPolicies({ timeout, retry, authorize }: WrittenPolicies): WrittenPolicies {
  return { timeout, retry, authorize }
}

/** A route of a TCP listener, without what the check below has reported; null where that is its action. */
export function tcpRoute(route: WrittenRoute): WrittenRoute | null {
  const { name, match, upstream, timeout, retry, authorize } = route
  if (upstream === undefined && ACTION_KEYS.some(key => route[key] !== undefined)) return null
  return { name, match: { sni: match?.sni, priority: match?.priority }, upstream, timeout, retry, authorize }
}

/** What is written for a TCP listener and its routes and cannot work there. */
export function checkTcpListener(written: WrittenListener, path: ConfigPath, resolution: Resolution): void {
  const no = (key: string, why: string, suggestion?: string): void =>
    resolution.fault([...path, key], why, suggestion, 'key')
  if (written.hosts !== undefined)
    no('hosts', '`hosts` is for HTTP: a TCP listener chooses by the `sni` of its routes')
  if (written.upstreams !== undefined)
    no('upstreams', '`upstreams` chooses by Host, which TCP does not have', 'write `upstream` or `routes`')
  if (written.tunnel !== undefined) no('tunnel', '`tunnel` is for CONNECT, which is HTTP')
  if (written.tls?.hsts)
    resolution.fault([...path, 'tls', 'hsts'], '`hsts` is a response header, which is HTTP', undefined, 'key')
  checkLevel(written, path, resolution)
  checkPeers(written, path, resolution)
  for (const [index, route] of (written.routes ?? []).entries()) {
    const at = [...path, 'routes', index]
    checkLevel(route, at, resolution)
    for (const [key, value] of Object.entries(route.match ?? {})) {
      if (value === undefined || key === 'sni' || key === 'priority') continue
      resolution.fault(
        [...at, 'match', key],
        `\`${key}\` is for HTTP: a TCP route has \`sni\``,
        undefined,
        'key',
      )
    }
  }
}

/** Who calls is said by certificates alone: where none is asked for, nobody would get through. */
function checkPeers(written: WrittenListener, path: ConfigPath, resolution: Resolution): void {
  if (written.tls && written.tls.clients !== undefined) return
  const levels = [written, ...(written.routes ?? [])]
  for (const [index, { authorize }] of levels.entries()) {
    if (!authorize || authorize.peers === undefined) continue
    const at = index === 0 ? path : [...path, 'routes', index - 1]
    resolution.fault(
      [...at, 'authorize', 'peers'],
      '`peers` looks at certificates of clients, and this listener asks for none',
      'write: tls: { certificates: ..., clients: { ca: ... } }',
      'key',
    )
  }
}

function checkLevel(
  written: WrittenPolicies & { readonly [action in (typeof ACTION_KEYS)[number]]?: unknown },
  path: ConfigPath,
  resolution: Resolution,
): void {
  for (const key of ACTION_KEYS) {
    if (key === 'upstream' || written[key] === undefined) continue
    resolution.fault(
      [...path, key],
      `\`${key}\` is for HTTP: a TCP route has an \`upstream\``,
      undefined,
      'key',
    )
  }
  const given: Readonly<Record<string, unknown>> = written
  for (const name of SKIPPED) {
    if (given[name] === undefined || given[name] === false) continue
    resolution.fault(
      [...path, name],
      `\`${name}\` is for requests: it does nothing in a TCP listener`,
      undefined,
      'key',
    )
  }
  for (const name of KEPT) {
    const policy: Readonly<Record<string, unknown>> = written[name] || {}
    // `on`: with its defaults, those for requests among them.
    if (name === 'retry' && written.retry && written.retry.statuses?.[0] === BY_ROLE) continue
    for (const part of NO_PARTS[name]) {
      if (policy[part] === undefined || policy[part] === false) continue
      resolution.fault([...path, name, part], `\`${part}\` is about requests: TCP has none`, undefined, 'key')
    }
  }
}

/** `sni` is what a TCP listener sees; an HTTP listener has `host`. */
export function checkHttpListener(written: WrittenListener, path: ConfigPath, resolution: Resolution): void {
  for (const [index, route] of (written.routes ?? []).entries()) {
    if (route.match?.sni === undefined) continue
    resolution.fault(
      [...path, 'routes', index, 'match', 'sni'],
      '`sni` is for listeners with `protocol: tcp`',
      'write `host`',
      'key',
    )
  }
}

/** Who may say for whom a connection is has to be said, or nobody could connect. */
export function checkProxyProtocol(
  listener: ResolvedListener,
  path: ConfigPath,
  resolution: Resolution,
): void {
  const { proxyProtocol, address, trustedProxies } = listener
  if (!proxyProtocol || address.kind === 'unix') return
  if (trustedProxies.some(one => !one.startsWith('spiffe://'))) return
  resolution.fault(
    [...path, 'proxyProtocol'],
    '`proxyProtocol` needs `trustedProxies`: the address ranges whose header is believed',
    'e.g. trustedProxies: 10.0.0.0/8',
    'key',
  )
}

import { ContextKey } from '../exchange/context-key.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { Generation } from '../snapshot/generation.ts'
import type { Route } from '../snapshot/route.ts'
import type { AccessLogPolicy } from '../telemetry/access-log.ts'
import { endMirror } from './mirror-tap.ts'
import type { ProxyParts } from './parts.ts'
import { closeUpgraded } from './upgrade-accounts.ts'

/** What a tunnel keeps of its generation for its accounts. */
const TUNNEL = new ContextKey<{
  readonly route: Route | null
  readonly log: AccessLogPolicy
  readonly config: string
}>('tunnel')

/**
 * Gives a tunnel's generation back when its head is out: it may live for days, and must not hold every configuration
 * that it has seen.
 * @param route null where the tunnel has none
 */
export function releaseTunnel(exchange: Exchange, route: Route | null): void {
  const generation = exchange.lease
  if (!(generation instanceof Generation)) return
  const { snapshot } = generation
  exchange.set(TUNNEL, { route, log: snapshot.logPolicy(exchange.listener), config: snapshot.hash })
  exchange.lease = null
  generation.give()
}

/**
 * Ends an exchange's accounts: metrics, filters' last word, access log; and the generation goes back. Called once for
 * every exchange, by whatever ended it.
 */
export function done(exchange: Exchange, parts: ProxyParts): void {
  const lease = exchange.lease
  exchange.lease = null
  parts.active--
  endMirror(exchange)
  closeUpgraded(exchange, parts.tunnels)
  const generation = lease instanceof Generation ? lease : null
  try {
    account(exchange, parts, generation)
  } catch (error) {
    // A bug in the accounts costs a line of the log, and neither the connection nor the configuration it held.
    parts.log.error('a bug in Outrigger lost the accounts of a request', { error })
  } finally {
    generation?.give()
  }
}

function account(exchange: Exchange, parts: ProxyParts, generation: Generation | null): void {
  const tunnel = generation === null ? exchange.get(TUNNEL) : undefined
  const route = tunnel?.route ?? generation?.snapshot.routes.get(exchange.route) ?? null
  const seconds = (parts.wheel.now() - exchange.startedAt) / 1000
  if (route === null) parts.recordUnrouted(exchange.method, exchange.status, seconds)
  else {
    route.recorder.record(exchange.method, exchange.status, seconds)
    if (route.policies.authenticate !== null)
      parts.recordConsumer(exchange.caller?.name ?? null, exchange.route, exchange.status)
  }
  if (exchange.grpcStatus !== null) parts.recordCall(exchange)
  if (exchange.reason !== '') parts.recordError(exchange.route, exchange.reason)
  if (route !== null && route.filters.length > 0) callFilters(exchange, route, parts)
  const policy = tunnel?.log ?? generation?.snapshot.logPolicy(exchange.listener) ?? 'errors'
  parts.accessLog.write(exchange, policy)
  if (exchange.decision !== null)
    parts.audit.write(exchange, tunnel?.config ?? generation?.snapshot.hash ?? '')
}

function callFilters(exchange: Exchange, route: Route, parts: ProxyParts): void {
  for (const filter of route.filters) {
    try {
      filter.onDone?.(exchange)
    } catch (error) {
      parts.log.error('a filter failed in onDone', { filter: filter.name, error: String(error) })
    }
  }
}

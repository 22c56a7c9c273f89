import type { Exchange } from '../exchange/exchange.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import type { Verdict } from '../filters/filter.ts'
import type { Route } from '../snapshot/route.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { answer, bug, fail, send } from './answer.ts'
import { connect } from './connect.ts'
import { decide, limit } from './decide.ts'
import { injectFault } from './fault.ts'
import { Forward } from './forward.ts'
import { mirror } from './mirror.ts'
import type { ProxyParts } from './parts.ts'
import { checkOrigin } from './websocket-origin.ts'

/**
 * A request, from its complete head on: everything that happens to it, in this order. Reads the configuration once,
 * through the generation that it takes; gives it back in `done`, whatever happens in between.
 */
export function handle(exchange: Exchange, parts: ProxyParts): void {
  const generation = parts.holder.take(exchange.entry)
  exchange.lease = generation
  exchange.onDone = parts.done
  parts.active++
  try {
    // Before anything is done for it: what is short is not spent on refusing politely.
    const cause = parts.overload.refuses(parts.active)
    if (cause !== '') fail(exchange, null, new ProxyError('overloaded', '', { cause }))
    else receive(exchange, generation.snapshot, parts)
  } catch (error) {
    fail(exchange, null, bug(error))
  }
}

/** What came is no request at all: it is answered, counted and logged like one. */
export function refuse(exchange: Exchange, error: ProxyError, parts: ProxyParts): void {
  if (exchange.lease === null) {
    exchange.lease = parts.holder.take(exchange.entry)
    exchange.onDone = parts.done
    parts.active++
  }
  fail(exchange, null, error)
}

function receive(exchange: Exchange, snapshot: Snapshot, parts: ProxyParts): void {
  // 1. The entry. An address that a reload closed serves its last generation until it has drained, so there always is one.
  const entry = snapshot.entries.get(exchange.entry)
  if (entry === undefined) throw new Error(`no configuration has ${exchange.entry}`)
  if (exchange.method === 'CONNECT') {
    connect(exchange, entry, parts)
    return
  }
  // 2. The route: the request is read, its listener chosen, its headers made ready for the upstream.
  const route = decide(exchange, entry)
  if (route instanceof ProxyError) {
    fail(exchange, null, route)
    return
  }
  // 3. What the request may ask of the connection, before a filter spends anything on it.
  const limited = limit(exchange, route)
  if (limited !== null) fail(exchange, route, limited)
  // 4. Filters, in their order; then the action.
  else runFilters(exchange, route, parts, 0)
}

function runFilters(exchange: Exchange, route: Route, parts: ProxyParts, from: number): void {
  const filters = route.filters
  for (let i = from; i < filters.length; i++) {
    const verdict = filters[i]?.onRequest?.(exchange)
    if (verdict === undefined) continue
    if (verdict instanceof Promise) {
      awaitVerdict(exchange, route, parts, i, verdict)
      return
    }
    settle(exchange, route, verdict)
    return
  }
  act(exchange, route, parts)
}

/** Only a hook that returned a promise is awaited: the plain path makes none. */
function awaitVerdict(
  exchange: Exchange,
  route: Route,
  parts: ProxyParts,
  at: number,
  promise: Promise<Verdict>,
): void {
  promise
    .then(verdict => {
      // The client may have left while the hook worked.
      if (exchange.finished) return
      if (verdict === undefined) runFilters(exchange, route, parts, at + 1)
      else settle(exchange, route, verdict)
    })
    .catch((error: unknown) => fail(exchange, route, bug(error)))
}

function settle(exchange: Exchange, route: Route, verdict: NonNullable<Verdict>): void {
  if (verdict instanceof ProxyError) fail(exchange, route, verdict)
  else answer(exchange, route, verdict)
}

function act(exchange: Exchange, route: Route, parts: ProxyParts): void {
  // A filter may have found that a cookie or the like says who is calling: then the page that opens a WebSocket has to be known.
  const refused = exchange.ambient ? checkOrigin(exchange, route) : null
  if (refused !== null) {
    fail(exchange, route, refused)
    return
  }
  // 5. Trouble that the route makes on purpose. A request that it only delays comes back to `proceed`.
  if (route.policies.fault !== null && injectFault(exchange, route, parts, proceed)) return
  proceed(exchange, route, parts)
}

function proceed(exchange: Exchange, route: Route, parts: ProxyParts): void {
  const action = route.action
  if (action.kind === 'respond') {
    send(exchange, route, action.status, [...action.headers], action.body)
  } else if (action.kind === 'redirect') {
    const location = action.location(exchange)
    if (location instanceof ProxyError) fail(exchange, route, location)
    else send(exchange, route, action.status, ['location', location], Buffer.alloc(0))
  } else {
    const sent = exchange.requestTransform === null ? exchange.body : exchange.requestTransform(exchange.body)
    const body = route.mirror === null ? sent : mirror(exchange, sent, route, parts)
    const way = action.kind === 'split' ? action.choose(exchange) : action
    new Forward(exchange, route, way, parts, body).start()
  }
}

import type { Exchange } from '../exchange/exchange.ts'
import { headerValue } from '../exchange/headers.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import type { Verdict } from '../filters/filter.ts'
import { canonicalize } from '../routing/canonical-request.ts'
import type { Route } from '../snapshot/route.ts'
import { type Listener, listenerFor, type Snapshot } from '../snapshot/snapshot.ts'
import { answer, bug, fail, send } from './answer.ts'
import { connect } from './connect.ts'
import { Forward } from './forward.ts'
import type { ProxyParts } from './parts.ts'

/** The methods of RFC 9110 and RFC 5789. Others are refused (row 10); CONNECT has its own way. */
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])

/**
 * A request, from its complete head on: everything that happens to it, in this order. Reads the configuration once,
 * through the generation that it takes; gives it back in `done`, whatever happens in between.
 */
export function handle(exchange: Exchange, parts: ProxyParts): void {
  const generation = parts.holder.take()
  exchange.lease = generation
  exchange.onDone = parts.done
  parts.active++
  try {
    // Before anything is done for it: memory that is short is not spent on refusing politely.
    if (parts.budget.exhausted) fail(exchange, null, new ProxyError('overloaded'))
    else receive(exchange, generation.snapshot, parts)
  } catch (error) {
    fail(exchange, null, bug(error))
  }
}

/** What came is no request at all: it is answered, counted and logged like one. */
export function refuse(exchange: Exchange, error: ProxyError, parts: ProxyParts): void {
  if (exchange.lease === null) {
    exchange.lease = parts.holder.take()
    exchange.onDone = parts.done
    parts.active++
  }
  fail(exchange, null, error)
}

function receive(exchange: Exchange, snapshot: Snapshot, parts: ProxyParts): void {
  // 1. The entry: a reload may have closed the address between accept and request.
  const entry = snapshot.entries.get(exchange.entry)
  if (entry === undefined) {
    fail(exchange, null, new ProxyError('draining'))
    return
  }
  if (exchange.method === 'CONNECT') {
    connect(exchange, entry)
    return
  }
  // 2. One canonical request, before anybody decides anything: policy and upstream must see the same.
  const host = headerValue(exchange.headers, 'host') ?? null
  const request = canonicalize(
    exchange.method,
    exchange.target,
    host,
    exchange.peer.encrypted,
    exchange.version,
  )
  if (request instanceof ProxyError) {
    fail(exchange, null, request)
    return
  }
  exchange.request = request
  if (!METHODS.has(exchange.method)) {
    fail(
      exchange,
      null,
      new ProxyError(exchange.method === 'TRACE' ? 'method_not_allowed' : 'method_unknown'),
    )
    return
  }
  // Inside a CONNECT the host was chosen when it was opened; another one would dodge what was decided then.
  if (exchange.connectHost !== null && request.host !== exchange.connectHost) {
    fail(exchange, null, new ProxyError('forbidden_host'))
    return
  }
  // 3. The listener, by host: its role and trust decide what becomes of the headers.
  const listener = listenerFor(entry, request.host)
  if (listener === null) {
    fail(exchange, null, new ProxyError('forbidden_host'))
    return
  }
  exchange.listener = listener.name
  const refused = listener.prepare(exchange)
  if (refused !== null) {
    fail(exchange, null, refused)
    return
  }
  // 4. The route.
  const found = listener.table.lookup(request, exchange.headers)
  if (found.kind !== 'found') {
    fail(exchange, null, unrouted(listener, found.kind === 'method' ? found.allow : null))
    return
  }
  const route = found.value
  exchange.route = route.name
  exchange.params = found.params
  // 5. What the request may ask of the connection, before a filter spends anything on it.
  const limited = limit(exchange, route)
  if (limited !== null) fail(exchange, route, limited)
  // 6. Filters, in their order; then the action.
  else runFilters(exchange, route, parts, 0)
}

function unrouted(listener: Listener, allow: string | null): ProxyError {
  if (allow !== null) return new ProxyError('method_not_allowed', '', { headers: ['allow', allow] })
  // An app must never take the sidecar's own 404 for that of the service it called.
  return new ProxyError(listener.role === 'outbound' ? 'unknown_host' : 'no_route')
}

/** The size of the body and the protocol to upgrade to. */
function limit(exchange: Exchange, route: Route): ProxyError | null {
  const size = route.policies.requestSize
  const length = exchange.body.length
  if (size !== null && length !== 'none') {
    if (typeof length === 'number' && length > size) return new ProxyError('request_too_large')
    exchange.responder.limitBody(size)
  }
  const tunnel = exchange.tunnel
  if (tunnel === null) return null
  if (route.action.kind === 'upstream' && route.policies.upgrade.protocols.includes(tunnel)) {
    if (exchange.method !== 'GET' || (length !== 'none' && length !== 0))
      return new ProxyError('bad_request', 'An upgrade is a GET without a body.')
    return null
  }
  if (tunnel === 'websocket' && route.action.kind === 'upstream') return new ProxyError('upgrade_refused')
  // RFC 9110 section 7.8: an upgrade that is not wanted is ignored, and the request is a plain one (row 6: `h2c`).
  exchange.tunnel = null
  return null
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
  const action = route.action
  if (action.kind === 'respond') {
    send(exchange, route, action.status, [...action.headers], action.body)
  } else if (action.kind === 'redirect') {
    const location = action.location(exchange)
    if (location instanceof ProxyError) fail(exchange, route, location)
    else send(exchange, route, action.status, ['location', location], Buffer.alloc(0))
  } else {
    new Forward(exchange, route, action, parts).start()
  }
}

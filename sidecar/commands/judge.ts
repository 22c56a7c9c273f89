import { compileEntries, type CompiledEntries } from '../config/compile/entries.ts'
import type { FilterState } from '../config/compile/filter-leases.ts'
import type { ResolvedConfig } from '../config/resolved.ts'
import type { Caller } from '../exchange/caller.ts'
import { type BodyLength, NO_BODY } from '../exchange/body.ts'
import { Exchange, type Responder } from '../exchange/exchange.ts'
import type { HeaderList } from '../exchange/headers.ts'
import type { PeerIdentity } from '../exchange/peer-identity.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import { HeadCollector } from '../http1/head-collector.ts'
import { parseRequestHead } from '../http1/head-parser.ts'
import type { RequestHead } from '../http1/message.ts'
import { decide, limit } from '../proxy/decide.ts'
import { systemClock } from '../runtime/clock.ts'
import { systemRandom } from '../runtime/random.ts'
import { MemoryBudget } from '../runtime/memory-budget.ts'
import { ReadBuffers } from '../runtime/read-buffers.ts'
import { Registry } from '../runtime/registry.ts'
import { FINE_TICK_MS, TimerWheel } from '../runtime/timer-wheel.ts'
import type { Route } from '../snapshot/route.ts'
import type { Entry } from '../snapshot/snapshot.ts'
import type { UpstreamSpec } from '../upstream/upstream-spec.ts'

/** An upstream that nobody opened: no socket, no look-up of its name. */
export interface UnopenedUpstream {
  readonly spec: UpstreamSpec
}

/** A request as a client would send it, and where it comes from. */
export interface AskedRequest {
  /** The head's bytes, from the request line to the empty line, both included. */
  readonly head: string
  /** Whether it comes over TLS. */
  readonly encrypted: boolean
  /** The address of who sends it. */
  readonly peer: string
  /** What its certificate proved; null: it shows none. */
  readonly identity?: PeerIdentity | null
  /** Who calls, by any credential that the route takes; null: what the request itself brings. */
  readonly caller?: Caller | null
}

/** What becomes of a request, as far as it can be said without asking anybody else. */
export type Decision =
  | { readonly kind: 'refused'; readonly error: ProxyError }
  /** A filter answers it by itself. */
  | {
      readonly kind: 'answered'
      readonly filter: string
      readonly status: number
      readonly headers: HeaderList
    }
  | { readonly kind: 'respond'; readonly status: number }
  | { readonly kind: 'redirect'; readonly status: number; readonly location: string }
  | {
      readonly kind: 'upstream'
      readonly upstream: UpstreamSpec
      readonly target: string
      readonly host: string
    }

/** A decision with what led to it. */
export interface Judgement {
  /** Null where what came is no request. */
  readonly exchange: Exchange | null
  /** Null where none takes it. */
  readonly route: Route<UnopenedUpstream> | null
  readonly decision: Decision
}

/** Compiles a configuration's listeners and routes, and opens nothing. */
export async function compileUnopened(config: ResolvedConfig): Promise<CompiledEntries<UnopenedUpstream>> {
  return compileEntries(config, {
    state: unopenedState(),
    upstreams: new Map(Object.values(config.upstreams).map(spec => [spec.name, { spec }])),
    recorder: () => ({ record() {} }),
    now: () => performance.now(),
  })
}

/**
 * Decides a request by the functions that decide those of the wire: the codec's, `decide`, `limit`, the filters, the
 * action's own. Not a CONNECT, which asks for nothing yet.
 */
export async function judge(entry: Entry<UnopenedUpstream>, asked: AskedRequest): Promise<Judgement> {
  const head = readHead(entry, asked.head)
  if (head instanceof ProxyError)
    return { exchange: null, route: null, decision: { kind: 'refused', error: head } }
  const exchange = open(entry, head, asked)
  const route = decide(exchange, entry)
  if (route instanceof ProxyError)
    return { exchange, route: null, decision: { kind: 'refused', error: route } }
  const error = limit(exchange, route)
  const decision: Decision =
    error === null ? await act(exchange, route, asked.caller ?? null) : { kind: 'refused', error }
  return { exchange, route, decision }
}

function readHead(entry: Entry<UnopenedUpstream>, text: string): RequestHead | ProxyError {
  const collector = new HeadCollector('request')
  const bytes = Buffer.from(text, 'latin1')
  const collected = collector.push(bytes, 0, bytes.length, entry.limits)
  if (collected === 'refused') return collector.error
  if (collected === 'more') return new ProxyError('bad_request', 'the head has no end')
  return parseRequestHead(collector.text, entry.limits)
}

const NOBODY: Responder = { inform() {}, respond() {}, limitBody() {}, acceptConnect() {}, abort() {} }

function open(entry: Entry<UnopenedUpstream>, head: RequestHead, asked: AskedRequest): Exchange {
  const length: BodyLength = head.framing === 'chunked' ? 'unknown' : head.framing
  return new Exchange({
    method: head.method,
    target: head.target,
    version: head.minor === 0 ? 'HTTP/1.0' : 'HTTP/1.1',
    headers: head.headers,
    body: { ...NO_BODY, length },
    tunnel: head.upgrade[0] ?? null,
    expectsContinue: head.expectsContinue,
    connectHost: null,
    peer: {
      address: asked.peer,
      port: 0,
      encrypted: asked.encrypted,
      local: { address: '', port: 0 },
      serverName: '',
      identity: asked.identity ?? null,
    },
    responder: NOBODY,
    entry: entry.key,
    startedAt: 0,
  })
}

async function act(
  exchange: Exchange,
  route: Route<UnopenedUpstream>,
  caller: Caller | null,
): Promise<Decision> {
  // As if it had proved it. A route that asks nobody knows nobody.
  if (route.policies.authenticate !== null) exchange.caller = caller
  for (const filter of route.filters) {
    const verdict = await filter.onRequest?.(exchange)
    if (verdict instanceof ProxyError) return { kind: 'refused', error: verdict }
    if (verdict !== undefined)
      return { kind: 'answered', filter: filter.name, status: verdict.status, headers: verdict.headers }
  }
  const action = route.action
  if (action.kind === 'respond') return { kind: 'respond', status: action.status }
  if (action.kind === 'redirect') {
    const location = action.location(exchange)
    return location instanceof ProxyError
      ? { kind: 'refused', error: location }
      : { kind: 'redirect', status: action.status, location }
  }
  const way = action.kind === 'split' ? action.choose(exchange) : action
  const target = way.target(exchange)
  if (target instanceof ProxyError) return { kind: 'refused', error: target }
  return { kind: 'upstream', upstream: way.upstream.spec, target, host: way.host(exchange) }
}

/** Live state that nobody else sees and that does nothing: for filters that are asked once. */
function unopenedState(): FilterState {
  const budget = new MemoryBudget(0)
  return {
    registry: new Registry(),
    parts: {
      wheel: new TimerWheel(systemClock),
      fine: new TimerWheel(systemClock, FINE_TICK_MS),
      clock: systemClock,
      random: systemRandom,
      budget,
      buffers: new ReadBuffers(budget),
      offline: true,
      warn() {},
      counter: () => ({ value: 0 }),
      gauge: () => ({ value: 0 }),
      clientLabel: name => name,
    },
  }
}

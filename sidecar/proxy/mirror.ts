import { type BodySource, NO_BODY } from '../exchange/body.ts'
import { removeCookie } from '../exchange/cookies.ts'
import { Exchange, type Responder } from '../exchange/exchange.ts'
import type { HeaderList } from '../exchange/headers.ts'
import type { ProxyError } from '../exchange/proxy-error.ts'
import { Generation } from '../snapshot/generation.ts'
import type { Route, UpstreamAction } from '../snapshot/route.ts'
import { Discard } from './discard.ts'
import { Forward } from './forward.ts'
import { MIRROR_LIMIT, tapBody } from './mirror-tap.ts'
import type { ProxyParts } from './parts.ts'

/** Tells an upstream that it got a copy, so that it can keep its hands off what happens only once. */
const MIRRORED = 'x-request-mirrored'
/** How many copies are under way to one upstream at most: what is beyond is not made. */
const MOST = 64
/** How long a copy may go without a response where the route sets no time: else a silent mirror would keep all places. */
const TOTAL_MS = 15_000

/**
 * Sends a copy of the request to the route's mirror, where chance chooses it and there is room: at once, or, where there
 * is a body, when all of it has passed. What becomes of the copy is told to nobody: no answer, no line in the log, and
 * the request itself waits for nothing and fails for nothing.
 *
 * @param body what goes upstream
 * @returns the body that the request goes on with
 */
export function mirror(exchange: Exchange, body: BodySource, route: Route, parts: ProxyParts): BodySource {
  const to = route.mirror
  const policy = route.policies.mirror
  if (to === null || policy === null || exchange.tunnel !== null) return body
  if (parts.random() * 100 >= policy.percent) return body
  const tooLong = typeof body.length === 'number' && body.length > MIRROR_LIMIT
  if (tooLong || to.upstream.load.mirrored >= MOST) {
    to.upstream.recorder.mirrorsDropped++
    return body
  }
  const copy = new MirroredRequest(exchange, route, to, parts)
  if (body.length === 'none') {
    copy.send(NO_BODY)
    return body
  }
  return tapBody(exchange, body, copy, to.upstream, parts.budget)
}

/** The copy: an exchange without a client, on the same way upstream as any, whose answer is thrown away. */
class MirroredRequest implements Responder {
  readonly #original: Exchange
  readonly #route: Route
  readonly #to: UpstreamAction
  readonly #parts: ProxyParts
  readonly #headers: HeaderList
  #exchange: Exchange | null = null

  constructor(original: Exchange, route: Route, to: UpstreamAction, parts: ProxyParts) {
    this.#original = original
    this.#route = plainRoute(route)
    this.#to = to
    this.#parts = parts
    // Now: the request's own way upstream adds to its headers.
    this.#headers = [...original.upstreamHeaders, MIRRORED, 'true']
    const { affinity } = route.policies
    if (affinity !== null) removeCookie(this.#headers, affinity.cookie)
  }

  send(body: BodySource): void {
    const original = this.#original
    const generation = original.lease
    if (!(generation instanceof Generation)) return
    const exchange = new Exchange({
      method: original.method,
      target: original.target,
      version: original.version,
      headers: original.headers,
      body,
      tunnel: null,
      expectsContinue: false,
      connectHost: null,
      peer: original.peer,
      responder: this,
      entry: original.entry,
      startedAt: this.#parts.wheel.now(),
    })
    this.#exchange = exchange
    exchange.request = original.request
    exchange.params = original.params
    exchange.upstreamHeaders = this.#headers
    exchange.requestId = original.requestId
    exchange.clientAddress = original.clientAddress
    exchange.caller = original.caller
    exchange.heard = original.heard
    exchange.route = original.route
    const { load, recorder } = this.#to.upstream
    generation.take()
    load.mirrored++
    exchange.onDone = () => {
      load.mirrored--
      generation.give()
    }
    recorder.mirrored++
    new Forward(exchange, this.#route, this.#to, this.#parts, body).start()
  }

  respond(status: number, _headers: HeaderList, body: BodySource): void {
    const exchange = this.#exchange
    if (exchange === null) return
    exchange.status = status
    new Discard(body, this.#parts, () => exchange.finish(null)).start()
  }

  abort(error: ProxyError): void {
    this.#exchange?.finish(error)
  }

  inform(): void {}
  limitBody(): void {}
  acceptConnect(): void {}
}

const PLAIN = new WeakMap<Route, Route>()

/** What of a route holds for a copy: its times, and nothing that would repeat or multiply it. Made once a route. */
function plainRoute(route: Route): Route {
  let plain = PLAIN.get(route)
  if (plain === undefined) {
    const off = { retry: null, mirror: null, fault: null, affinity: null, fallback: null }
    const timeout = { ...route.policies.timeout, total: route.policies.timeout.total ?? TOTAL_MS }
    const policies = { ...route.policies, ...off, timeout }
    plain = { ...route, filters: [], mirror: null, fallback: null, policies }
    PLAIN.set(route, plain)
  }
  return plain
}

import type { Exchange } from '../exchange/exchange.ts'
import { setHeader } from '../exchange/headers.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import type { RetryPolicy, TimeoutPolicy } from '../snapshot/policies.ts'
import type { UpstreamAction } from '../snapshot/route.ts'
import type { Endpoint } from '../upstream/endpoint.ts'
import type { UpstreamWaiter } from '../upstream/load.ts'
import type { PickAsk } from '../upstream/picker.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { Attempt, type AttemptOwner } from './attempt.ts'
import type { ProxyParts } from './parts.ts'

/** Tells the upstream which attempt this is, from the second on. */
const ATTEMPT = 'x-request-attempt'

/**
 * What one exchange holds of an upstream: its place among those in flight, what it counts for in the budget of retries,
 * and the request as it is sent there. Gives back all of it, once.
 */
export class Place {
  readonly upstream: Upstream
  /** What the balancer hashes by; see `PickAsk`. */
  hash = -1
  readonly #action: UpstreamAction
  readonly #exchange: Exchange
  #target = ''
  #host = ''
  #held: 'nothing' | 'queue' | 'place' = 'nothing'
  #counted: 'nothing' | 'first' | 'retry' = 'nothing'
  #hedging = false

  constructor(action: UpstreamAction, exchange: Exchange) {
    this.upstream = action.upstream
    this.#action = action
    this.#exchange = exchange
  }

  /** Fills the request for this upstream and asks for a place; see `Upstream.enter`. Whoever gets one calls `entered`. */
  enter(waiter: UpstreamWaiter): boolean | ProxyError {
    const action = this.#action
    const exchange = this.#exchange
    const target = action.target(exchange)
    if (target instanceof ProxyError) return target
    this.#target = target
    this.#host = action.host(exchange)
    if (action.hash !== null) this.hash = action.hash(exchange)
    exchange.upstream = this.upstream.spec.name
    const entered = this.upstream.enter(waiter)
    if (entered === false) this.#held = 'queue'
    return entered
  }

  /** The place is there, and a first attempt under way. */
  entered(): void {
    this.#held = 'place'
    this.#counted = 'first'
    this.upstream.load.budget.firsts++
  }

  /** Why there was no place in time. */
  notEntered(): ProxyError {
    const reason = this.upstream.resolving ? 'upstream_unresolved' : 'upstream_overloaded'
    return new ProxyError(reason, '', { cause: 'waited too long', repeatable: 'never_processed' })
  }

  /** Makes an attempt at an endpoint; the caller starts it. */
  attempt(owner: AttemptOwner, endpoint: Endpoint, timeout: TimeoutPolicy, parts: ProxyParts): Attempt {
    const exchange = this.#exchange
    exchange.endpoint = endpoint.label
    if (++exchange.attempts > 1) setHeader(exchange.upstreamHeaders, ATTEMPT, String(exchange.attempts))
    return new Attempt(owner, exchange, this.upstream, endpoint, this.#target, this.#host, timeout, parts)
  }

  /** Asks the budget for a retry in place of the attempt that failed. */
  retry(policy: RetryPolicy): boolean {
    this.leaveBudget()
    if (!this.#take(policy)) return false
    this.#counted = 'retry'
    return true
  }

  /** Asks for an endpoint, and the budget for an attempt at it beside the first. */
  hedge(policy: RetryPolicy, ask: PickAsk): Endpoint | null {
    // It needs a connection of its own, for which the request's place does not stand.
    if (this.upstream.endpoints.length < 2 || this.upstream.connectionsTaken) return null
    if (!this.#take(policy)) return null
    this.#hedging = true
    const endpoint = this.upstream.pick(ask)
    if (!(endpoint instanceof ProxyError)) return endpoint
    this.hedged(false)
    return null
  }

  /** One of two attempts is over. @param first whether it is the one that began; then the other stands for the request */
  hedged(first: boolean): void {
    if (!this.#hedging) return
    this.#hedging = false
    if (first) {
      this.leaveBudget()
      this.#counted = 'retry'
    } else {
      this.upstream.load.budget.retries--
    }
  }

  /** The request is no longer one that could be tried again. */
  leaveBudget(): void {
    const { budget } = this.upstream.load
    if (this.#counted === 'first') budget.firsts--
    else if (this.#counted === 'retry') budget.retries--
    this.#counted = 'nothing'
  }

  leave(waiter: UpstreamWaiter): void {
    const held = this.#held
    this.#held = 'nothing'
    this.hedged(false)
    this.leaveBudget()
    if (held === 'queue') this.upstream.withdraw(waiter)
    else if (held === 'place') this.upstream.leave()
  }

  #take(policy: RetryPolicy): boolean {
    const { load, recorder, spec } = this.upstream
    if (load.budget.take(policy.budget, spec.limits.retries)) return true
    recorder.retriesRefused++
    return false
  }
}

import type { Exchange, Work } from '../exchange/exchange.ts'
import { headerValue } from '../exchange/headers.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import { Timer, type TimerOwner } from '../runtime/timer-wheel.ts'
import type { FaultPolicy } from '../snapshot/policies.ts'
import type { Route } from '../snapshot/route.ts'
import { fail } from './answer.ts'
import type { ProxyParts } from './parts.ts'

/** What is done with a request that a fault has only delayed. */
export type GoOn = (exchange: Exchange, route: Route, parts: ProxyParts) => void

/**
 * Makes the trouble that a route asks for, before anything of its action is done: a delay, then an answer or a closed
 * connection where the policy says so. The exchange says `fault_injected` in log and metric, even where it goes on.
 *
 * @returns whether the request is in trouble; else it goes on as if nothing were there
 */
export function injectFault(exchange: Exchange, route: Route, parts: ProxyParts, goOn: GoOn): boolean {
  const policy = route.policies.fault
  if (policy === null || !meant(exchange, policy) || parts.random() * 100 >= policy.percent) return false
  exchange.reason = 'fault_injected'
  const fault = new Fault(exchange, route, policy, parts, goOn)
  if (policy.delay === null || policy.delay === 0) fault.strike()
  else fault.wait(policy.delay)
  return true
}

function meant(exchange: Exchange, { header }: FaultPolicy): boolean {
  if (header === null) return true
  const value = headerValue(exchange.headers, header.name)
  return value !== undefined && (header.value === null || value === header.value)
}

/** One request in trouble. */
class Fault implements Work, TimerOwner {
  readonly #exchange: Exchange
  readonly #route: Route
  readonly #policy: FaultPolicy
  readonly #parts: ProxyParts
  readonly #goOn: GoOn
  readonly #timer = new Timer(this)

  constructor(exchange: Exchange, route: Route, policy: FaultPolicy, parts: ProxyParts, goOn: GoOn) {
    this.#exchange = exchange
    this.#route = route
    this.#policy = policy
    this.#parts = parts
    this.#goOn = goOn
  }

  wait(milliseconds: number): void {
    this.#exchange.work = this
    this.#parts.fine.schedule(this.#timer, milliseconds)
  }

  onTimer(): void {
    this.#exchange.work = null
    this.strike()
  }

  strike(): void {
    const { respond } = this.#policy
    if (respond === null) this.#goOn(this.#exchange, this.#route, this.#parts)
    else if (respond === 'abort')
      this.#exchange.responder.abort(new ProxyError('fault_injected', '', { cause: 'abort' }))
    else fail(this.#exchange, this.#route, new ProxyError('fault_injected'), respond)
  }

  end(): void {
    this.#parts.fine.remove(this.#timer)
  }
}

import type { Exchange } from '../exchange/exchange.ts'
import { type HeaderList, toWire } from '../exchange/headers.ts'
import type { ProxyError } from '../exchange/proxy-error.ts'
import type { FallbackPolicy } from '../snapshot/policies.ts'
import type { Route } from '../snapshot/route.ts'
import { isGatewayError } from '../upstream/outcome.ts'
import { send } from './answer.ts'
import { mayRepeat } from './retry.ts'

/** What stands between a failed request and its fallback. */
export interface FallbackState {
  readonly method: string
  /** Whether the request can be sent again. */
  readonly replayable: boolean
}

/**
 * Whether a route's fallback takes a request over that ended with this error or status: one that the upstream is to
 * blame for. A static answer always may; another upstream only where nothing can happen twice: the request was never
 * processed, or its method may be repeated, and its body is there still.
 *
 * @param failed the error, or the status that the upstream gave
 */
export function mayFallBack(
  policy: FallbackPolicy | null,
  failed: ProxyError | number,
  state: FallbackState,
): boolean {
  if (policy === null) return false
  const blamed = typeof failed === 'number' ? isGatewayError(failed) : failed.side === 'upstream'
  if (!blamed || policy.kind === 'respond') return blamed
  const unprocessed = typeof failed !== 'number' && failed.repeatable === 'never_processed'
  return state.replayable && (unprocessed || mayRepeat(state.method))
}

/** Gives the static answer of a fallback. */
export function respondInstead(
  exchange: Exchange,
  route: Route,
  policy: Extract<FallbackPolicy, { kind: 'respond' }>,
): void {
  const headers: HeaderList = []
  for (const [name, value] of Object.entries(policy.headers)) {
    const wire = toWire(value)
    if (wire !== null) headers.push(name.toLowerCase(), wire)
  }
  send(exchange, route, policy.status, headers, Buffer.from(policy.body))
}

import type { ProxyError } from '../exchange/proxy-error.ts'

/**
 * What `Upstream.begin` gives an attempt, and `settled` or `abandoned` takes back: what the attempt stands for beside
 * itself (a probe of an endpoint, an admission by a breaker). A number, so that it costs nothing to keep.
 */
export type Ticket = number

/**
 * What one attempt at an endpoint showed. `status` is the response's, or 0 where none came, and then `error` says why;
 * an attempt that was cut by the client, by a drain or by a hedge that won shows nothing and is not reported as one
 * (`Upstream.abandoned`). The object that makes the attempt is one itself, so that reporting costs no allocation.
 */
export interface Outcome {
  readonly status: number
  readonly error: ProxyError | null
  /** From the request's start on the connection (or the connect) to the response head, or to the failure. */
  readonly milliseconds: number
  /** Milliseconds until which the response's Retry-After asks to be left alone; null: it said nothing. */
  readonly retryAfter: number | null
}

/**
 * Whether an outcome counts against the endpoint: 502, 503, 504, and every failure to get a whole head.
 * @param status the response's, or 0 where none came
 */
export function isGatewayError(status: number): boolean {
  return status === 0 || status === 502 || status === 503 || status === 504
}

import type { ProxyError } from '../exchange/proxy-error.ts'

/**
 * What one attempt at an endpoint showed. `status` is the response's, or 0 where none came, and then `error` says why;
 * an attempt that was cut by the client, by a drain or by a hedge that won shows nothing and is not reported as one
 * (`Upstream.abandoned`).
 */
export interface Outcome {
  readonly status: number
  readonly error: ProxyError | null
  /** From the request's start on the connection (or the connect) to the response head, or to the failure. */
  readonly milliseconds: number
}

/** Whether it counts against the endpoint: 502, 503, 504, and every failure to get a whole head. */
export function isGatewayError(outcome: Outcome): boolean {
  const { status } = outcome
  return status === 0 || status === 502 || status === 503 || status === 504
}

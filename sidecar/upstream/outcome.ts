/**
 * What `Upstream.begin` gives an attempt, and `settled` or `abandoned` takes back: what the attempt stands for beside
 * itself (a probe of an endpoint, an admission by a breaker). A number, so that it costs nothing to keep.
 */
export type Ticket = number

/**
 * Whether an attempt counts against its endpoint: 502, 503, 504, and every failure to get a whole head.
 * @param status the response's, or 0 where none came
 */
export function isGatewayError(status: number): boolean {
  return status === 0 || status === 502 || status === 503 || status === 504
}

/** The metric children of one route, bound when the route is compiled. Recording is a few typed-array adds. */
export interface RouteRecorder {
  /**
   * One finished exchange.
   * @param method as sent; an unknown one is counted as `_OTHER`
   * @param status the status sent, 499 where the client left
   * @param seconds from the complete request head to the end of the response
   */
  record(method: string, status: number, seconds: number): void
}

/** The metric children of one upstream. Counters are plain fields that the data path increments. */
export interface UpstreamRecorder {
  requests: number
  retries: number
  reuseRaces: number
  connectsOpened: number
  connectsFailed: number
  timeouts: number
  pendingRefused: number
}

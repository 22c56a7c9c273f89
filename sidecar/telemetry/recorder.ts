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
  /** Attempts after the first one of a request, by what they followed. */
  readonly retries: RetryCounts
  /** Retries that the budget did not allow. */
  retriesRefused: number
  /** Requests that went to their fallback. */
  fallbacks: number
  /** Copies that were sent here, and those for which there was no room. */
  mirrored: number
  mirrorsDropped: number
  reuseRaces: number
  connectsOpened: number
  connectsFailed: number
  timeouts: number
  pendingRefused: number
  ejectedForErrors: number
  ejectedForSuccessRate: number
  ejectedForLatency: number
  ejectedForProbe: number
  breakerOpened: number
}

/** Retries by cause. */
export interface RetryCounts {
  /** The upstream never had the request. */
  unprocessed: number
  /** No whole response head came: a reset, something that is no response. */
  failure: number
  timeout: number
  status: number
  /** Beside an attempt that was slow. */
  hedge: number
}

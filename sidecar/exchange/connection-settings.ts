/** Limits of a listener, read at each use so that a reload takes effect without dropping connections. */
export interface ListenerLimits {
  readonly headerBytes: number
  readonly headerFields: number
  readonly urlBytes: number
  /** Null: computed at start from the fd limit and the memory limit. */
  readonly connections: number | null
  readonly connectionsPerAddress: number | null
  readonly requestsPerConnection: number | null
  readonly http2: Http2Limits
}

/** What a client of HTTP/2 may use of one connection. */
export interface Http2Limits {
  /** Requests at once. */
  readonly streams: number
  /** Bytes of a request body that may come before somebody took them. */
  readonly streamWindow: number
  /** Bytes of all request bodies of a connection that may come ahead of our credit. */
  readonly window: number
}

/** Clocks of a listener's connections in milliseconds; null: off. */
export interface ListenerConnection {
  /** A whole TLS handshake. */
  readonly handshake: number
  readonly head: number
  readonly bodyIdle: number
  readonly writeIdle: number
  readonly keepAlive: number
  readonly age: number | null
}

/** Limits of a listener, read at each use so that a reload takes effect without dropping connections. */
export interface ListenerLimits {
  readonly headerBytes: number
  readonly headerFields: number
  readonly urlBytes: number
  /** Null: computed at start from the fd limit and the memory limit. */
  readonly connections: number | null
  readonly connectionsPerAddress: number | null
  readonly requestsPerConnection: number | null
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

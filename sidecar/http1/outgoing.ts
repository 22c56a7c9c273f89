/** Where the time of the last movement comes from: a timer wheel. */
export interface Ticks {
  /** The present, rounded up to a tick. */
  readonly tickEnd: number
}

/** Of a connection whose idle time nobody asks for. */
export const NO_TICKS: Ticks = { tickEnd: 0 }

/** Where a connection goes when its exchange is over. */
export interface ConnectionHome {
  /** Both messages are complete and the connection may carry another request. */
  onReusable(keepAliveHint: number | null): void
  /** The connection is gone. */
  onGone(): void
}

/** Who ended a WebSocket: the first that sent a close frame. */
export type CloseSide = 'client' | 'upstream' | 'outrigger'

/** What may be asked of a tunnel that is open. */
export interface TunnelControl {
  /** Whether it is being ended, so that it is over soon. */
  readonly closing: boolean
  /**
   * Ends it from our side: as a WebSocket, with a close frame to both ends; as bytes that nobody can follow, by a reset.
   * @param code RFC 6455 section 7.4, e.g. 1008 where a credential has expired
   * @param reason some words of ASCII, for both ends
   */
  close(code: number, reason: string): void
  /** Says goodbye (1001) where that can be said, as soon as both directions are between frames. It cuts nothing. */
  drain(): void
  /** The exchange is over. */
  end(): void
}

import type { StreamOwner } from './stream-owner.ts'
import type { Stream } from './stream.ts'

/** Who speaks HTTP over a session. */
export interface SessionOwner {
  /** Server: a stream begins; its first header block follows at once. */
  onStream(stream: Stream): StreamOwner
  /** Client: there may be room for more streams: settings came, or a stream ended. Server: the peer may have read. */
  onRoom(): void
  /** Client: the peer takes no new streams, or we close: nothing can be opened any more. */
  onGoaway(): void
  /** The session is gone. Every stream was told before. @param code a Node error code, an HTTP/2 error name, or empty */
  onClose(code: string): void
}

import type { HeaderList } from '../exchange/headers.ts'
import type { ProxyError } from '../exchange/proxy-error.ts'

/** Who speaks HTTP over a stream. Exactly one of `onReset` and `onClosed` ends it, unless `Stream.reset` was called. */
export interface StreamOwner {
  /**
   * A header block that is no trailer section: a request, an informational or a final response.
   * @param headers the stream's to keep: pseudo fields first, as they came
   * @param ended whether nothing follows it
   */
  onHead(headers: HeaderList, ended: boolean): void
  /** A header block that cannot be used. The stream lives until it is answered or reset. */
  onMalformed(cause: string, tooLarge: boolean): void
  /** The body passed its limit (`Stream.limitBody`); its sink has heard it. The stream lives and may be answered. */
  onBodyBroken(error: ProxyError): void
  /** Our END_STREAM was given to the output. */
  onSent(): void
  /**
   * It ended early: the peer's RST_STREAM, a GOAWAY that leaves it out, a violation, a clock, the session's end, or an
   * outgoing body that was aborted. The sink of the incoming body has heard it before.
   */
  onReset(error: ProxyError): void
  /** Both sides are complete. */
  onClosed(): void
  /** Once a second while the stream is open, for clocks of its owner. */
  onSecond(): void
}

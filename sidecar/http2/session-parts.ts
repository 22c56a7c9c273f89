import type { HeaderList } from '../exchange/headers.ts'
import type { ProxyError } from '../exchange/proxy-error.ts'
import type { LingeringCounters } from '../runtime/lingering.ts'
import type { MemoryBudget } from '../runtime/memory-budget.ts'
import type { TimerWheel } from '../runtime/timer-wheel.ts'
import type { Stream } from './stream.ts'

/**
 * What we announce and hold the peer to. Streams and windows are announced once, at the session's start; the rest is
 * read at each use, so that a reload takes effect.
 */
export interface Http2Settings {
  /** How many streams the peer may have open at once. */
  readonly streams: number
  /** Bytes that a stream may bring before somebody took them. */
  readonly streamWindow: number
  /** Bytes that all streams together may bring ahead of our credit. At least 65,535. */
  readonly window: number
  /** Bytes of a header list: names, values and 32 each (RFC 9113 section 6.5.2). */
  readonly headerBytes: number
  /** Fields of a header list, each cookie crumb counted. */
  readonly headerFields: number
  /** Resets of streams that may come at once, and by the second. */
  readonly resetsBurst: number
  readonly resetsPerSecond: number
  /** Server: whether extended CONNECT (RFC 8441) is announced. */
  readonly connectProtocol: boolean
}

/** Clocks of a session in milliseconds, read at each use; null: off. */
export interface SessionClocks {
  /** The preface, the first SETTINGS, and a header block that has begun. */
  readonly head: number
  /** How long a peer may take no byte of what waits for it. */
  readonly writeIdle: number
  /** How long a session without streams is kept. */
  readonly keepAlive: number
  /** How old a session may become, ten per cent either way. */
  readonly age: number | null
}

/** What a session needs of where it stands. */
export interface SessionParts {
  readonly wheel: TimerWheel
  readonly budget: MemoryBudget
  readonly settings: Http2Settings
  readonly clocks: SessionClocks
  readonly lingering: LingeringCounters
}

/** Who speaks HTTP over a session. */
export interface SessionOwner {
  /** Server: a stream begins; its first header block follows at once. */
  onStream(stream: Stream): StreamOwner
  /** Client: there may be room for more streams: settings came, or a stream ended. */
  onRoom(): void
  /** Client: the peer takes no new streams, or we close: nothing can be opened any more. */
  onGoaway(): void
  /** The session is gone. Every stream was told before. @param code a Node error code, an HTTP/2 error name, or empty */
  onClose(code: string): void
}

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

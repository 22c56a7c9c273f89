import type { LingeringCounters } from '../runtime/lingering.ts'
import type { MemoryBudget } from '../runtime/memory-budget.ts'
import type { TimerWheel } from '../runtime/timer-wheel.ts'

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

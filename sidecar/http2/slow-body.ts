import { ProxyError } from '../exchange/proxy-error.ts'
import type { Stream } from './stream.ts'

/** A body slower than this on average, after `GRACE_MS` of reading, is a slow-post attack (security row 43). */
const MINIMUM_BYTES_PER_SECOND = 1024
const GRACE_MS = 10_000
const SECOND = 1000

/** Whether a request body moves: looked at once a second while it comes. */
export class SlowBody {
  #received = 0
  #idle = 0
  #reading = 0

  /**
   * One second more.
   * @param bodyIdle how long it may pause, in milliseconds
   * @returns `request_timeout`, or null where it may go on
   */
  check(stream: Stream, bodyIdle: number): ProxyError | null {
    // The clock stands while it is we who do not read.
    if (stream.stopped) return null
    this.#reading += SECOND
    this.#idle = stream.bytesIn === this.#received ? this.#idle + SECOND : 0
    this.#received = stream.bytesIn
    if (this.#idle >= bodyIdle) return new ProxyError('request_timeout', 'body')
    const least = (this.#reading / SECOND) * MINIMUM_BYTES_PER_SECOND
    if (this.#reading > GRACE_MS && stream.bytesIn < least)
      return new ProxyError('request_timeout', 'slow body')
    return null
  }
}

import { ProxyError } from '../exchange/proxy-error.ts'
import type { Channel } from '../runtime/channel.ts'
import type { BodyReader } from './body-reader.ts'
import type { ListenerConnection } from '../exchange/connection-settings.ts'

/** A body slower than this on average, after `GRACE_MS` of reading, is a slow-post attack (security.md row 43). */
const MINIMUM_BYTES_PER_SECOND = 1024
const GRACE_MS = 10_000

/**
 * The clocks of a client connection in the middle of an exchange, looked at once a second while there is something to
 * watch: a body that does not move or drips, a reader that takes nothing, a client that has closed its side.
 */
export class ConnectionWatch {
  /** How often `check` is to be called, in milliseconds. */
  static readonly INTERVAL = 1000
  /** Whether a head has begun, so that its own clock runs. */
  inHead = false
  #received = 0
  #readIdle = 0
  #readTime = 0
  #delivered = 0
  #writeIdle = 0

  /** A new request: nothing was seen yet. */
  reset(): void {
    this.inHead = false
    this.#received = 0
    this.#readIdle = 0
    this.#readTime = 0
    this.#writeIdle = 0
  }

  /**
   * One second more.
   * @returns why the exchange must end; `idle` where there is nothing left to watch; null to go on
   */
  check(
    channel: Channel,
    reader: BodyReader,
    clocks: ListenerConnection,
    state: { readonly tunnel: boolean; readonly halfClosed: boolean },
  ): ProxyError | 'idle' | null {
    let watching = false
    if (!reader.complete && !state.tunnel) {
      watching = true
      // The clock stands while it is we who do not read.
      if (!channel.paused && !reader.stopped) {
        this.#readTime += ConnectionWatch.INTERVAL
        this.#readIdle = reader.received === this.#received ? this.#readIdle + ConnectionWatch.INTERVAL : 0
        this.#received = reader.received
        if (this.#readIdle >= clocks.bodyIdle) return new ProxyError('request_timeout', 'body')
        const least = (this.#readTime / 1000) * MINIMUM_BYTES_PER_SECOND
        if (this.#readTime > GRACE_MS && reader.received < least)
          return new ProxyError('request_timeout', 'slow body')
      }
    }
    // A socket that is not read says nothing of its peer, so it is asked.
    if (channel.paused && channel.peerGone) return new ProxyError('client_gone', '', { cause: 'reset' })
    if (channel.backlog > 0) {
      watching = true
      if (!this.slowReader(channel, clocks.writeIdle, ConnectionWatch.INTERVAL)) {
        return new ProxyError('client_gone', '', { cause: 'write idle' })
      }
    }
    if (state.halfClosed) return new ProxyError('client_gone', '', { cause: 'half closed' })
    return watching ? null : 'idle'
  }

  /** Whether a reader with bytes still waiting for it deserves more time. */
  slowReader(channel: Channel, limit: number, elapsed: number): boolean {
    if (channel.backlog === 0) return false
    const delivered = channel.delivered
    this.#writeIdle = delivered === this.#delivered ? this.#writeIdle + elapsed : 0
    this.#delivered = delivered
    return this.#writeIdle < limit
  }
}

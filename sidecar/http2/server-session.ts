import type { ListenerConnection, ListenerLimits } from '../exchange/connection-settings.ts'
import type { Exchange, Peer } from '../exchange/exchange.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import type { Channel } from '../runtime/channel.ts'
import type { LingeringCounters } from '../runtime/lingering.ts'
import type { MemoryBudget } from '../runtime/memory-budget.ts'
import type { TimerWheel } from '../runtime/timer-wheel.ts'
import { DeferredRequests } from './deferred-requests.ts'
import { NO_ERROR } from './frames.ts'
import { ServerStream } from './server-stream.ts'
import type { SessionOwner } from './session-owner.ts'
import type { Http2Settings, SessionParts } from './session-settings.ts'
import type { StreamOwner } from './stream-owner.ts'
import { Session } from './session.ts'
import type { Stream } from './stream.ts'

/** What a client's session needs of where it came in. Read at each use, so that a reload takes effect. */
export interface SessionHost<Connection> {
  /** The acceptor's key. */
  readonly entry: string
  readonly limits: ListenerLimits
  readonly clocks: ListenerConnection
  /** Whether sessions are to end with the requests that they have. */
  readonly draining: boolean
  readonly wheel: TimerWheel
  readonly budget: MemoryBudget
  readonly date: { readonly value: string }
  readonly lingering: LingeringCounters
  /** A request is there. */
  handle(exchange: Exchange): void
  /** What came is no request: to be answered and logged. */
  refuse(exchange: Exchange, error: ProxyError): void
  /** The connection is gone. */
  closed(connection: Connection): void
}

/** Resets of streams at once, the peer's and those that it makes us send (security rows 32 and 33); or twice as many as it may open. */
const RESETS_BURST = 200
const RESETS_PER_SECOND = 33
/** How long a session that comes while we are going is kept: clients that know of no other address come again at once. */
const LATE_MS = 1000

/** One client connection speaking HTTP/2: its requests are the streams, each by a `ServerStream`. */
export class ServerSession implements SessionOwner {
  readonly host: SessionHost<ServerSession>
  readonly peer: Peer
  readonly deferred: DeferredRequests
  readonly #session: Session
  readonly #began: number
  #requests = 0

  constructor(channel: Channel, peer: Peer, host: SessionHost<ServerSession>) {
    this.host = host
    this.peer = peer
    this.#began = host.wheel.now()
    this.#session = new Session(channel, 'server', new ServerParts(host), this)
    this.deferred = new DeferredRequests(this.#session.output)
  }

  /** @param first what was read already, the preface first; valid until this returns */
  start(first: Buffer | null = null): void {
    this.#session.start(first)
  }

  /** Whether no request is under way. */
  get idle(): boolean {
    return this.#session.streams === 0
  }

  /** Takes no more requests, once those that are on their way have come; closes with the last of them. */
  drain(): void {
    this.#session.goaway(NO_ERROR)
  }

  /** Closes whatever is under way. */
  destroy(): void {
    this.#session.destroy(new ProxyError('client_gone', '', { cause: 'closed by us' }))
  }

  onStream(stream: Stream): StreamOwner {
    const { limits, wheel } = this.host
    const draining = this.host.draining && wheel.now() - this.#began >= LATE_MS
    this.#requests++
    const last = limits.requestsPerConnection !== null && this.#requests >= limits.requestsPerConnection
    if (draining || last) this.drain()
    return new ServerStream(stream, this)
  }

  onRoom(): void {
    this.deferred.goOn()
  }

  onGoaway(): void {}

  onClose(): void {
    this.host.closed(this)
  }
}

/** What a listener's settings are to a session. */
class ServerParts implements SessionParts, Http2Settings {
  readonly wheel: TimerWheel
  readonly budget: MemoryBudget
  readonly lingering: LingeringCounters
  readonly resetsPerSecond = RESETS_PER_SECOND
  readonly connectProtocol = true
  readonly #host: SessionHost<ServerSession>

  constructor(host: SessionHost<ServerSession>) {
    this.wheel = host.wheel
    this.budget = host.budget
    this.lingering = host.lingering
    this.#host = host
  }

  get settings(): Http2Settings {
    return this
  }

  get clocks(): ListenerConnection {
    return this.#host.clocks
  }

  get resetsBurst(): number {
    return Math.max(RESETS_BURST, 2 * this.streams)
  }

  get streams(): number {
    return this.#host.limits.http2.streams
  }

  get streamWindow(): number {
    return this.#host.limits.http2.streamWindow
  }

  get window(): number {
    return this.#host.limits.http2.window
  }

  get headerBytes(): number {
    return this.#host.limits.headerBytes
  }

  get headerFields(): number {
    return this.#host.limits.headerFields
  }
}

import { ProxyError } from '../exchange/proxy-error.ts'
import type { Channel, ChannelOwner } from '../runtime/channel.ts'
import { connectChannel } from '../runtime/connect-channel.ts'
import { type Destination, isTlsFailure } from '../runtime/destination.ts'
import type { ReadBuffers } from '../runtime/read-buffers.ts'
import { Timer, type TimerOwner } from '../runtime/timer-wheel.ts'
import type { StreamHome } from './client-stream.ts'
import { NO_ERROR } from './frames.ts'
import { Session } from './session.ts'
import type { SessionOwner } from './session-owner.ts'
import type { SessionParts } from './session-settings.ts'
import type { StreamOwner } from './stream-owner.ts'
import type { Stream } from './stream.ts'

/** Who opened a session. */
export interface SessionHome {
  /** It stands: the peer's SETTINGS are here, so it is known what may be asked of it. */
  onReady(session: ClientSession): void
  /** There may be room for another stream. */
  onRoom(session: ClientSession): void
  /** It takes no new streams; those that are open go on. */
  onRetired(session: ClientSession): void
  /** It is gone. */
  onGone(session: ClientSession): void
  /** It never stood, so that whatever it was for was never processed. */
  onFailed(session: ClientSession, error: ProxyError): void
}

/** What a session needs beside its target. */
export interface ClientParts extends SessionParts {
  readonly buffers: ReadBuffers
}

/** How often a session with streams is looked at. */
const LOOK_MS = 1000
/** A request that meets such a silence behind it is not left to a connection that may be dead: PING. */
const SILENT_MS = 10_000
/** Silence with streams that wait is broken as often as this at most: gRPC servers take offence at more. */
const QUIET_MS = 300_000
/** How long the answer to a PING may take. */
const ANSWER_MS = 5000

const OPENING = { protocol: 'h2' } as const

/**
 * A session with an endpoint, from the first packet to the last: it stands when TLS has agreed on `h2`, where there is
 * TLS, and the peer's SETTINGS have come. Waiting for them costs a round trip once, and no request is ever sent to what
 * does not speak HTTP/2, or beyond the streams that it takes.
 */
export class ClientSession implements StreamHome, ChannelOwner, SessionOwner, TimerOwner {
  readonly scheme: 'http' | 'https'
  used = false
  readonly #home: SessionHome
  readonly #parts: ClientParts
  readonly #timer = new Timer(this)
  #channel: Channel
  #session: Session | null = null
  #phase: 'opening' | 'open' | 'retired' | 'gone' = 'opening'
  /** How many frames had come when a stream was opened last, and when a PING went out; -1: nothing to compare with. */
  #framesAtOpen = -1
  #framesAtPing = -1
  #pingedAt = 0

  /** @param timeout milliseconds until it has to stand */
  constructor(target: Destination, timeout: number, home: SessionHome, parts: ClientParts) {
    this.#home = home
    this.#parts = parts
    this.scheme = target.tls === null ? 'http' : 'https'
    parts.wheel.schedule(this.#timer, timeout)
    this.#channel = connectChannel(target, parts.buffers, () => this.#connected(), OPENING)
    this.#channel.owner = this
  }

  /** Open streams. */
  get streams(): number {
    return this.#session?.streams ?? 0
  }

  /** How many streams more may be opened now. */
  get room(): number {
    return this.#phase === 'open' && this.#session !== null ? this.#session.room : 0
  }

  /** Whether it should take no more streams, for the sake of those that it has: many of its streams were reset. */
  get worn(): boolean {
    return this.#session?.limits.worn ?? false
  }

  get connectProtocol(): boolean {
    return this.#session?.peer.connectProtocol ?? false
  }

  get maxHeaderList(): number {
    return this.#session?.peer.maxHeaderList ?? Infinity
  }

  get tick(): number {
    return this.#parts.wheel.tickEnd
  }

  open(owner: StreamOwner): Stream | null {
    const stream = this.#session?.open(owner) ?? null
    if (stream === null) return null
    this.used = true
    this.#framesAtOpen = this.#session?.frames ?? -1
    if (this.#timer.deadline === Infinity) this.#parts.wheel.schedule(this.#timer, LOOK_MS)
    return stream
  }

  /** Takes no new streams; closes with the last one. */
  retire(): void {
    if (this.#phase !== 'open') return
    this.#session?.goaway(NO_ERROR)
  }

  /** Gives up while it is opened: nobody waits for it any more. */
  abandon(): void {
    this.#fail(new ProxyError('upstream_connect_failed', '', { cause: 'closed' }))
  }

  // --- while it is opened ------------------------------------------------------------------------------------

  #connected(): void {
    if (this.#phase !== 'opening') return
    const { socket } = this.#channel
    if ('alpnProtocol' in socket && socket.alpnProtocol !== 'h2') {
      const agreed = socket.alpnProtocol === false ? 'nothing' : String(socket.alpnProtocol)
      this.#fail(new ProxyError('upstream_tls_failed', '', { cause: `ALPN agreed on ${agreed}, not h2` }))
      return
    }
    const session = new Session(this.#channel, 'client', this.#parts, this)
    this.#session = session
    session.start()
  }

  onBytes(): void {
    this.#fail(new ProxyError('upstream_bad_response', '', { cause: 'spoke first' }))
  }

  onEnd(): void {
    this.#fail(new ProxyError('upstream_connect_failed', '', { cause: 'ended' }))
  }

  onDrain(): void {}

  // --- what the channel says, and then the session ---------------------------------------------------------------

  onClose(code: string): void {
    if (this.#phase === 'opening') {
      this.#fail(this.#neverStood(code))
      return
    }
    if (this.#phase === 'gone') return
    this.#phase = 'gone'
    this.#parts.wheel.remove(this.#timer)
    this.#home.onGone(this)
  }

  onStream(): never {
    // A client's session refuses what a server opens.
    throw new Error('a server opened a stream')
  }

  onRoom(): void {
    if (this.#phase === 'open') this.#home.onRoom(this)
    if (this.#phase !== 'opening' || this.#session?.settled !== true) return
    this.#phase = 'open'
    this.#parts.wheel.remove(this.#timer)
    this.#home.onReady(this)
  }

  onGoaway(): void {
    if (this.#phase === 'opening') this.#fail(this.#neverStood('GOAWAY'))
    if (this.#phase !== 'open') return
    this.#phase = 'retired'
    this.#home.onRetired(this)
  }

  // --- whether it still lives ----------------------------------------------------------------------------------

  onTimer(): void {
    const session = this.#session
    if (this.#phase === 'opening') this.#fail(new ProxyError('upstream_connect_timeout'))
    if (this.#phase === 'gone' || session === null || session.streams === 0) return
    this.#parts.wheel.schedule(this.#timer, LOOK_MS)
    const now = this.#parts.wheel.now()
    const { frames } = session
    if (frames !== this.#framesAtPing) this.#framesAtPing = -1
    else if (now >= this.#pingedAt + ANSWER_MS) {
      session.destroy(new ProxyError('upstream_reset', '', { cause: 'no answer to PING' }))
      return
    }
    // Whether it has been silent since it was asked for something.
    const limit = frames === this.#framesAtOpen ? SILENT_MS : QUIET_MS
    if (this.#framesAtPing !== -1 || now - session.heardAt < limit) return
    this.#framesAtPing = frames
    this.#pingedAt = now
    session.ping()
  }

  #neverStood(code: string): ProxyError {
    if (this.#session !== null) {
      const cause = `no HTTP/2: ${code === '' ? 'closed before SETTINGS' : code}`
      return new ProxyError('upstream_bad_response', '', { cause })
    }
    const reason = isTlsFailure(code) ? 'upstream_tls_failed' : 'upstream_connect_failed'
    return new ProxyError(reason, '', { cause: code })
  }

  #fail(error: ProxyError): void {
    if (this.#phase !== 'opening') return
    this.#phase = 'gone'
    this.#parts.wheel.remove(this.#timer)
    const { reason, cause } = error
    if (this.#session !== null) this.#session.destroy(error)
    else {
      this.#channel.owner = null
      this.#channel.destroy()
    }
    this.#home.onFailed(this, new ProxyError(reason, '', { cause, repeatable: 'never_processed' }))
  }
}

import { ProxyError } from '../exchange/proxy-error.ts'
import type { Channel, ChannelOwner } from '../runtime/channel.ts'
import { connectChannel, type Opening } from '../runtime/connect-channel.ts'
import { type Destination, isTlsFailure } from '../runtime/destination.ts'
import type { ReadBuffers } from '../runtime/read-buffers.ts'
import { Timer, type TimerOwner, type TimerWheel } from '../runtime/timer-wheel.ts'

/** Who opens a connection. Exactly one of the two is called, not before `start` returns. */
export interface ConnectingOwner {
  /** It stands. The channel has to have another owner before this returns. */
  onConnected(connecting: Connecting, channel: Channel): void
  /** It does not, so that whatever it was for was never processed. */
  onConnectFailed(connecting: Connecting, error: ProxyError): void
}

/** One connection that is being opened. */
export class Connecting implements ChannelOwner, TimerOwner {
  readonly #owner: ConnectingOwner
  readonly #timer = new Timer(this)
  #wheel: TimerWheel | null = null
  #channel: Channel | null = null
  #done = false

  constructor(owner: ConnectingOwner) {
    this.#owner = owner
  }

  /** @param timeout milliseconds until it has to stand, TLS included */
  start(
    target: Destination,
    timeout: number,
    buffers: ReadBuffers,
    wheel: TimerWheel,
    opening?: Opening,
  ): void {
    this.#wheel = wheel
    wheel.schedule(this.#timer, timeout)
    const channel = connectChannel(target, buffers, () => this.#connected(), opening)
    channel.owner = this
    this.#channel = channel
  }

  /** Gives up: nobody waits for it. */
  abandon(): void {
    this.#fail(
      new ProxyError('upstream_connect_failed', '', { cause: 'closed', repeatable: 'never_processed' }),
    )
  }

  onTimer(): void {
    this.#fail(new ProxyError('upstream_connect_timeout', '', { repeatable: 'never_processed' }))
  }

  onClose(code: string): void {
    const reason = isTlsFailure(code) ? 'upstream_tls_failed' : 'upstream_connect_failed'
    this.#fail(new ProxyError(reason, '', { cause: code, repeatable: 'never_processed' }))
  }

  onBytes(): void {
    // Row 8: an upstream that speaks before it is asked.
    this.#fail(
      new ProxyError('upstream_bad_response', '', { cause: 'spoke first', repeatable: 'never_processed' }),
    )
  }
  onEnd(): void {
    this.#fail(
      new ProxyError('upstream_connect_failed', '', { cause: 'ended', repeatable: 'never_processed' }),
    )
  }
  onDrain(): void {}

  #connected(): void {
    if (this.#done) return
    this.#done = true
    this.#wheel?.remove(this.#timer)
    this.#owner.onConnected(this, this.#channel as Channel) // set before the event can come
  }

  /** Gives up without a word. */
  cancel(): void {
    if (this.#done) return
    this.#done = true
    this.#wheel?.remove(this.#timer)
    if (this.#channel === null) return
    this.#channel.owner = null
    this.#channel.destroy()
  }

  #fail(error: ProxyError): void {
    if (this.#done) return
    this.cancel()
    this.#owner.onConnectFailed(this, error)
  }
}

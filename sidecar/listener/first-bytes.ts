import type { Socket } from 'node:net'
import { Timer, type TimerOwner, type TimerWheel } from '../runtime/timer-wheel.ts'

/** What is to be made of what came so far. */
export type FirstVerdict =
  /** More has to come. */
  | 'more'
  /** It is understood: so many bytes are taken away, the rest is the connection's. */
  | number
  /** It is not. */
  | { readonly fault: string }

/** Who looks at the first bytes. One of `onFirst` and `onNone` is called, once. */
export interface FirstBytesOwner {
  /** @param bytes everything that came; a view that is valid until the call returns */
  inspect(bytes: Buffer): FirstVerdict
  /** What stood in front is read. The socket is paused, and has what followed. */
  onFirst(): void
  /** @param why `timeout`, `closed`, or the fault that `inspect` found. The socket is still open where the time is over */
  onNone(why: string): void
}

/**
 * Reads what stands in front of a protocol, from an accepted socket that nobody has read yet. Not one byte behind it is
 * lost: what was read too much is put back, and whoever takes the socket over (`adopt`, a TLS handshake) reads it first.
 */
export class FirstBytes implements TimerOwner {
  readonly #socket: Socket
  readonly #owner: FirstBytesOwner
  readonly #wheel: TimerWheel
  readonly #timer = new Timer(this)
  #bytes: Buffer = Buffer.alloc(0)
  #over = false

  constructor(socket: Socket, owner: FirstBytesOwner, wheel: TimerWheel) {
    this.#socket = socket
    this.#owner = owner
    this.#wheel = wheel
  }

  /** @param timeout milliseconds for all of it */
  start(timeout: number): void {
    const socket = this.#socket
    this.#wheel.schedule(this.#timer, timeout)
    socket.on('data', this.#onData)
    socket.on('end', this.#onGone)
    socket.on('close', this.#onGone)
    // A reset is followed by `close`.
    socket.on('error', ignore)
    socket.resume()
  }

  onTimer(): void {
    this.#finish(0, 'timeout')
  }

  readonly #onData = (chunk: Buffer): void => {
    const bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
    this.#bytes = bytes
    const verdict = this.#owner.inspect(bytes)
    if (verdict === 'more') return
    if (typeof verdict === 'number') this.#finish(verdict, '')
    else this.#finish(0, verdict.fault)
  }

  readonly #onGone = (): void => this.#finish(0, 'closed')

  #finish(taken: number, why: string): void {
    if (this.#over) return
    this.#over = true
    this.#wheel.remove(this.#timer)
    const socket = this.#socket
    socket.pause()
    socket.off('data', this.#onData)
    socket.off('end', this.#onGone)
    socket.off('close', this.#onGone)
    const rest = this.#bytes.subarray(taken)
    this.#bytes = Buffer.alloc(0)
    if (why === 'closed') {
      socket.destroy()
      this.#owner.onNone(why)
      return
    }
    if (rest.length > 0) socket.unshift(rest)
    if (why === '') this.#owner.onFirst()
    else this.#owner.onNone(why)
  }
}

function ignore(): void {}

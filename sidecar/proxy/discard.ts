import type { BodySink, BodySource } from '../exchange/body.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import type { ReadBuffers } from '../runtime/read-buffers.ts'
import { Timer, type TimerOwner, type TimerWheel } from '../runtime/timer-wheel.ts'

/** A response that nobody wants is read to its end up to this length, so that its connection can be used again. */
const DRAIN = 65_536
/** And not for longer than this. */
const DRAIN_MS = 1000

/** Reads a body to its end and drops it; gives up what is long or slow, which costs its connection. */
export class Discard implements BodySink, TimerOwner {
  readonly #body: BodySource
  readonly #wheel: TimerWheel
  readonly #buffers: ReadBuffers
  readonly #done: (() => void) | null
  readonly #timer = new Timer(this)
  #left = DRAIN
  #over = false

  /** @param done told once, when it is over, whichever way */
  constructor(
    body: BodySource,
    parts: { readonly wheel: TimerWheel; readonly buffers: ReadBuffers },
    done: (() => void) | null = null,
  ) {
    this.#body = body
    this.#wheel = parts.wheel
    this.#buffers = parts.buffers
    this.#done = done
  }

  start(): void {
    if (typeof this.#body.length === 'number' && this.#body.length > DRAIN) {
      this.onTimer()
      return
    }
    this.#wheel.schedule(this.#timer, DRAIN_MS)
    this.#body.start(this)
  }

  chunk(bytes: Buffer, owned: boolean): boolean {
    if (owned) this.#buffers.release(bytes)
    this.#left -= bytes.length
    if (this.#left < 0) this.onTimer()
    return true
  }

  end(): void {
    this.#finish()
  }

  abort(): void {
    this.#finish()
  }

  onTimer(): void {
    if (this.#over) return
    this.#body.abort(new ProxyError('upstream_aborted'))
    this.#finish()
  }

  #finish(): void {
    if (this.#over) return
    this.#over = true
    this.#wheel.remove(this.#timer)
    this.#done?.()
  }
}

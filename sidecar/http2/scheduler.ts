import { DEFAULT_WINDOW, FRAME_HEADER, MAX_FRAME, MAX_WINDOW } from './frames.ts'
import type { Output } from './output.ts'

/** What may wait for its turn to send: a stream. */
export interface Sender {
  /** Whether it is over. */
  readonly closed: boolean
  /** What the peer's window for it allows. */
  readonly sendWindow: number
  /** The scheduler's: whether it stands among those that wait, and before whom. */
  queued: boolean
  next: Sender | null
  /** So many of the bytes that wait may go. */
  sendWaiting(most: number): void
}

/** A frame is not cut shorter than this for want of room in the output. */
const LEAST = 1024

/**
 * Who may send body bytes: the connection's window, the room in the output, and the streams that wait for either, served in
 * turn with a frame each, so that a large body never starves a small one.
 */
export class Scheduler {
  /** What the connection's window still allows. */
  window = DEFAULT_WINDOW
  readonly #output: Output
  #first: Sender | null = null
  #last: Sender | null = null

  constructor(output: Output) {
    this.#output = output
  }

  /** Whether a stream waits that could send if there was room. */
  get waiting(): boolean {
    return this.#first !== null && this.window > 0
  }

  /** How many bytes this stream may send at once; 0 where others wait. Bounded by `length`, its window and ours, the output. */
  allows(stream: Sender, length: number): number {
    return this.#first === null ? this.#bound(stream, length) : 0
  }

  /** Puts a stream with bytes and a window of its own at the end of those that wait. */
  add(stream: Sender): void {
    if (stream.queued) return
    stream.queued = true
    stream.next = null
    if (this.#last === null) this.#first = stream
    else this.#last.next = stream
    this.#last = stream
    this.#output.schedule()
  }

  /** The peer gave the connection credit. @returns false where the window would become too large */
  credit(increment: number): boolean {
    this.window += increment
    if (this.waiting) this.#output.schedule()
    return this.window <= MAX_WINDOW
  }

  /** Has those that wait send, in turn, while there is room. */
  serve(): void {
    for (let stream = this.#first; stream !== null; stream = this.#first) {
      const bytes = stream.closed ? 0 : this.#bound(stream, MAX_FRAME)
      if (bytes === 0 && !stream.closed && stream.sendWindow > 0) return
      this.#first = stream.next
      if (this.#first === null) this.#last = null
      stream.next = null
      stream.queued = false
      // It comes back to the end by itself, where it has more to send and may.
      if (bytes > 0) stream.sendWaiting(bytes)
    }
  }

  #bound(stream: Sender, length: number): number {
    const allowed = Math.min(length, stream.sendWindow, this.window)
    if (allowed <= 0) return 0
    const room = this.#output.room - FRAME_HEADER
    if (room >= allowed) return allowed
    return room < LEAST ? 0 : room
  }
}

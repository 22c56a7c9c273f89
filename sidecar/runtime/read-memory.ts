import type { ReadBuffers } from './read-buffers.ts'

/**
 * Where one socket reads to: the shared buffer, and while a body streams a private one
 * (docs/architecture.md, "Who owns a byte").
 */
export class ReadMemory {
  /** Whether reads go to a private buffer from the next one on: while a body streams. */
  streaming = false
  readonly #buffers: ReadBuffers
  #private: Buffer | null = null
  /** The buffer that Node reads into; null: it was told of none yet. */
  #current: Buffer | null = null

  constructor(buffers: ReadBuffers) {
    this.#buffers = buffers
  }

  /**
   * The buffer the next read goes to; undefined where that is the one of the last answer, since to be told of it costs
   * Node more than it costs us to know. Asked by Node after each read callback.
   */
  next(): Buffer | undefined {
    const buffer = this.streaming ? this.#own() : this.#shared()
    if (buffer === this.#current) return undefined
    this.#current = buffer
    return buffer
  }

  /** The socket is gone. */
  release(): void {
    if (this.#private !== null) this.#buffers.release(this.#private)
    this.#private = null
  }

  #shared(): Buffer {
    // Only here: until Node asks, the socket may still read into the private buffer.
    if (this.#private !== null) this.release()
    return this.#buffers.shared
  }

  #own(): Buffer {
    if (this.#private !== null && this.#buffers.isSole(this.#private)) return this.#private
    this.release()
    this.#private = this.#buffers.take()
    return this.#private
  }
}

import type { MemoryBudget } from '../runtime/memory-budget.ts'
import type { ReadBuffers } from '../runtime/read-buffers.ts'

/** The smallest block that bytes are copied into, and the largest that is made ahead of them. */
const LEAST = 1024
const MOST = 16_384

interface Piece {
  readonly bytes: Buffer
  start: number
  end: number
  /** Whether it is a slice that was given to us, and not a block of our own. */
  readonly given: boolean
}

/**
 * Bytes that wait; copies are counted in the memory budget. They are put together in blocks, so that a peer that sends
 * single bytes costs no more than one that does not.
 */
export class ByteQueue {
  /** How many bytes wait. */
  length = 0
  readonly #budget: MemoryBudget
  readonly #buffers: ReadBuffers
  readonly #pieces: Piece[] = []

  constructor(budget: MemoryBudget, buffers: ReadBuffers) {
    this.#budget = budget
    this.#buffers = buffers
  }

  /** Copies `buffer[start..end)`. */
  copy(buffer: Buffer, start: number, end: number): void {
    this.length += end - start
    const tail = this.#pieces.at(-1)
    if (tail !== undefined && !tail.given) {
      const fits = Math.min(end - start, tail.bytes.length - tail.end)
      buffer.copy(tail.bytes, tail.end, start, start + fits)
      tail.end += fits
      start += fits
    }
    if (start === end) return
    const ahead = Math.min(Math.max(LEAST, tail === undefined ? 0 : tail.bytes.length * 2), MOST)
    const bytes = Buffer.allocUnsafeSlow(Math.max(end - start, ahead))
    buffer.copy(bytes, 0, start, end)
    this.#budget.take(bytes.length)
    this.#pieces.push({ bytes, start: 0, end: end - start, given: false })
  }

  /** Keeps a buffer that was given to us from `start` on; it is released when it was taken out. */
  keep(bytes: Buffer, start: number): void {
    this.length += bytes.length - start
    this.#pieces.push({ bytes, start, end: bytes.length, given: true })
  }

  /** Copies up to `most` bytes out. @returns how many */
  take(into: Buffer, at: number, most: number): number {
    let left = Math.min(most, this.length)
    const taken = left
    this.length -= taken
    while (left > 0) {
      const piece = this.#pieces[0] as Piece // `length` counts what they hold
      const bytes = Math.min(left, piece.end - piece.start)
      piece.bytes.copy(into, at, piece.start, piece.start + bytes)
      piece.start += bytes
      at += bytes
      left -= bytes
      if (piece.start === piece.end) this.#shift()
    }
    return taken
  }

  /** Takes the first piece out whole; the queue must not be empty, and hold nothing but copies. */
  shift(): Buffer {
    const piece = this.#shift()
    this.length -= piece.end - piece.start
    return piece.bytes.subarray(piece.start, piece.end)
  }

  clear(): void {
    while (this.#pieces.length > 0) this.#shift()
    this.length = 0
  }

  #shift(): Piece {
    const piece = this.#pieces.shift() as Piece // asked for where there is one
    // What was given is counted by whoever read it.
    if (piece.given) this.#buffers.release(piece.bytes)
    else this.#budget.give(piece.bytes.length)
    return piece
  }
}

import type { FrameSink } from './frame-sink.ts'

/** How many frames a header block may come in. */
const FRAMES = 32
const NOTHING = Buffer.alloc(0)

/** A header block that comes in more than one frame: HEADERS, then CONTINUATION (RFC 9113 section 6.10). */
export class HeaderBlock {
  /** The stream whose block is open, or 0. */
  id = 0
  /** How many bytes it may have. */
  limit = 32_768
  #ended = false
  #parent = -1
  #bytes = NOTHING
  #length = 0
  #frames = 0

  /** Opens it with what HEADERS brought. @returns whether it may be as long */
  begin(id: number, ended: boolean, parent: number, buffer: Buffer, start: number, end: number): boolean {
    this.id = id
    this.#ended = ended
    this.#parent = parent
    this.#length = 0
    this.#frames = 0
    return this.add(buffer, start, end)
  }

  /** What a frame brought. @returns whether it may be as long */
  add(buffer: Buffer, start: number, end: number): boolean {
    const length = this.#length + end - start
    if (++this.#frames > FRAMES || length > this.limit) return false
    if (length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(length, this.#bytes.length * 2))
      this.#bytes.copy(larger, 0, 0, this.#length)
      this.#bytes = larger
    }
    buffer.copy(this.#bytes, this.#length, start, end)
    this.#length = length
    return true
  }

  /** It is complete: passes it on and forgets it. */
  pass(sink: FrameSink): void {
    const id = this.id
    const bytes = this.#bytes
    this.drop()
    sink.onHeaders(id, bytes, 0, this.#length, this.#ended, this.#parent)
  }

  drop(): void {
    this.id = 0
    this.#bytes = NOTHING
  }
}

import type { MemoryBudget } from './memory-budget.ts'

const SIZE = 65_536
const KEEP_FREE = 64

/**
 * The memory that sockets read into (docs/architecture.md, "Who owns a byte"). One shared buffer a thread serves every
 * socket that is not streaming a body: its bytes are valid until the read callback returns. A socket that streams a
 * body reads into a private one, so that its bytes may be given away to a write that is still under way.
 *
 * Private buffers are counted: the reader holds one reference, each slice that it passes on as `owned` another. One
 * whose count falls to the reader's own may be read into again.
 */
export class ReadBuffers {
  /** Valid until the callback that filled it returns. No part of it is ever stored. */
  readonly shared: Buffer
  /** Told of an error that a channel's owner threw. It is a bug: it costs that connection, and not the process. */
  readonly fault: (error: unknown) => void
  readonly #budget: MemoryBudget
  readonly #free: Buffer[] = []
  readonly #references = new Map<ArrayBufferLike, number>()
  readonly #poison: boolean

  /**
   * @param fault told of what a channel's owner threw
   * @param poison overwrite the shared buffer after each use, so that a test sees whoever kept a part of it
   */
  constructor(
    budget: MemoryBudget,
    fault: (error: unknown) => void = rethrow,
    poison = process.env['OUTRIGGER_POISON'] === '1',
  ) {
    // `allocUnsafeSlow`: a buffer with an ArrayBuffer of its own, which is what identifies it.
    this.shared = Buffer.allocUnsafeSlow(SIZE)
    this.#budget = budget
    this.fault = fault
    this.#poison = poison
  }

  /** How many private buffers are held; zero when nothing leaks. */
  get held(): number {
    return this.#references.size
  }

  /** A private buffer with one reference, the reader's. */
  take(): Buffer {
    const buffer = this.#free.pop() ?? Buffer.allocUnsafeSlow(SIZE)
    this.#references.set(buffer.buffer, 1)
    this.#budget.take(SIZE)
    return buffer
  }

  /** Counts one more taker of a slice of a private buffer. */
  retain(bytes: Buffer): void {
    const count = this.#references.get(bytes.buffer)
    if (count !== undefined) this.#references.set(bytes.buffer, count + 1)
  }

  /** One taker less. Memory that is not ours (a body of our own making) is ignored. */
  release(bytes: Buffer): void {
    const count = this.#references.get(bytes.buffer)
    if (count === undefined) return
    if (count > 1) {
      this.#references.set(bytes.buffer, count - 1)
      return
    }
    this.#references.delete(bytes.buffer)
    this.#budget.give(SIZE)
    if (this.#free.length < KEEP_FREE) this.#free.push(Buffer.from(bytes.buffer, 0, SIZE))
  }

  /** Whether only the reader still holds the buffer, so that it may be read into again. */
  isSole(buffer: Buffer): boolean {
    return this.#references.get(buffer.buffer) === 1
  }

  /** Called after a callback that read into the shared buffer. */
  used(length: number): void {
    if (this.#poison) this.shared.fill(0xdb, 0, length)
  }
}

/** Where nobody listens, a bug ends the process as any other would. */
function rethrow(error: unknown): void {
  throw error
}

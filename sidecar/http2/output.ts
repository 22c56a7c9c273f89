import type { Channel } from '../runtime/channel.ts'
import type { MemoryBudget } from '../runtime/memory-budget.ts'
import { Turn } from '../runtime/turn.ts'
import { FRAME_HEADER, WINDOW_UPDATE } from './frames.ts'

/** What most turns write: heads and small bodies. */
const SMALL = 4096
/** What one write may hold. A body that is larger goes out in several. */
const LARGE = 65_536
/** How many buffers of each size wait to be used again. */
const KEEP_FREE = 64
/** How many bytes of bodies may stand in the buffer and the socket together. */
const MARK = 65_536

const smallFree: Buffer[] = []
const largeFree: Buffer[] = []
const NONE = Buffer.alloc(0)

/** Who fills an output, at the end of the turn in which it asked for that. */
export interface OutputOwner {
  onTurn(): void
}

// Unbounded: who is called makes frames, and not in the middle of another one's.
const turn = new Turn()

/**
 * Where a session writes its frames: one buffer, written to the socket once at the end of each turn of the event loop
 * (docs/architecture.md, "Who owns a byte", rule 15), together with all other sessions, since what comes in one turn comes
 * on many sockets. The buffer is borrowed for the turn, and free at once where the kernel took all of it (rule 2).
 */
export class Output {
  /** Where frames are written, at `at`, after `reserve`. */
  buffer: Buffer = NONE
  at = 0
  /** Counts writes: a place in the buffer that was noted in an earlier one is gone. */
  epoch = 0
  /** How many bytes the socket has not given to the kernel. */
  backlog = 0
  readonly #channel: Channel
  readonly #budget: MemoryBudget
  readonly #owner: OutputOwner
  #scheduled = false
  #closed = false
  /** Buffers given to writes, in order; null where the memory was free at once. */
  readonly #lent: (Buffer | null)[] = []

  constructor(channel: Channel, budget: MemoryBudget, owner: OutputOwner) {
    this.#channel = channel
    this.#budget = budget
    this.#owner = owner
  }

  /** How many bytes of bodies may be written now. */
  get room(): number {
    return MARK - this.at - this.backlog
  }

  /** Has the owner called at the end of this turn, and what stands in the buffer written. */
  schedule(): void {
    if (this.#scheduled || this.#closed) return
    this.#scheduled = true
    turn.add(this)
  }

  /** The turn is over. */
  turn(): void {
    this.#scheduled = false
    if (this.#closed) return
    try {
      this.#owner.onTurn()
    } catch (error) {
      // A bug in one session, or in whoever feeds it: it costs this connection, and the others have their turn.
      this.#channel.destroy()
      this.#channel.buffers.fault(error)
    }
  }

  /** Makes room for a frame, and has it written at the end of the turn. Notes of places stand, unless `epoch` changes. */
  reserve(bytes: number): void {
    if (this.buffer.length - this.at < bytes) this.#grow(bytes)
    if (!this.#scheduled) this.schedule()
  }

  /** Writes a frame's header; its payload follows at `at`. After `reserve`. */
  header(length: number, type: number, flags: number, id: number): void {
    const { buffer } = this
    let { at } = this
    buffer[at++] = length >>> 16
    buffer[at++] = length >>> 8
    buffer[at++] = length
    buffer[at++] = type
    buffer[at++] = flags
    buffer[at++] = id >>> 24
    buffer[at++] = id >>> 16
    buffer[at++] = id >>> 8
    buffer[at++] = id
    this.at = at
  }

  /** Writes a 32-bit number. After `reserve`. */
  word(value: number): void {
    const { buffer } = this
    let { at } = this
    buffer[at++] = value >>> 24
    buffer[at++] = value >>> 16
    buffer[at++] = value >>> 8
    buffer[at++] = value
    this.at = at
  }

  /** A whole frame of one 32-bit number: RST_STREAM, WINDOW_UPDATE. */
  wordFrame(type: number, id: number, value: number): void {
    this.reserve(FRAME_HEADER + 4)
    this.header(4, type, 0, id)
    this.word(value)
  }

  /** Gives a stream, or with id 0 the connection, credit. */
  windowUpdate(id: number, credit: number): void {
    this.wordFrame(WINDOW_UPDATE, id, credit)
  }

  /** Gives what stands in the buffer to the socket. */
  write(): void {
    const { buffer, at } = this
    if (at === 0) return
    this.epoch++
    this.at = 0
    this.buffer = NONE
    if (this.#closed) return give(buffer)
    const { socket } = this.#channel
    const lent = this.#lent
    lent.push(buffer)
    socket.write(buffer.subarray(0, at), this.#written)
    this.backlog = socket.writableLength
    if (this.backlog === 0 && lent.at(-1) === buffer) {
      lent[lent.length - 1] = null
      give(buffer)
    } else this.#budget.take(buffer.length)
  }

  /** Nothing is written any more. What the socket has not taken stays its own. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    if (this.buffer.length > 0) give(this.buffer)
    this.buffer = NONE
    this.at = 0
    this.epoch++
    for (const buffer of this.#lent) if (buffer !== null) this.#budget.give(buffer.length)
    this.#lent.length = 0
  }

  readonly #written = () => {
    const buffer = this.#lent.shift()
    if (buffer === null || buffer === undefined) return
    this.#budget.give(buffer.length)
    give(buffer)
    this.backlog = this.#channel.backlog
    // Only a write that waited is news: bodies may go on.
    this.schedule()
  }

  #grow(bytes: number): void {
    if (this.at > 0 && this.at + bytes > LARGE) this.write()
    const needed = this.at + bytes
    const larger =
      needed <= SMALL
        ? (smallFree.pop() ?? Buffer.allocUnsafeSlow(SMALL))
        : needed <= LARGE
          ? (largeFree.pop() ?? Buffer.allocUnsafeSlow(LARGE))
          : Buffer.allocUnsafeSlow(needed)
    if (this.at > 0) this.buffer.copy(larger, 0, 0, this.at)
    if (this.buffer.length > 0) give(this.buffer)
    this.buffer = larger
  }
}

function give(buffer: Buffer): void {
  if (buffer.length === SMALL) {
    if (smallFree.length < KEEP_FREE) smallFree.push(buffer)
  } else if (buffer.length === LARGE && largeFree.length < KEEP_FREE) largeFree.push(buffer)
}

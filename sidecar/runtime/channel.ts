import type net from 'node:net'
import { OutgoingSocket } from './outgoing-socket.ts'
import type { ReadBuffers } from './read-buffers.ts'
import { ReadMemory } from './read-memory.ts'
import { Turn } from './turn.ts'

/** What a channel tells the connection that speaks over it. None of these may throw. */
export interface ChannelOwner {
  /**
   * Bytes came: `buffer[0..length)`. Valid until the call returns, unless the channel is streaming; then they are part
   * of a pooled buffer and a slice may be kept after `buffers.retain`.
   */
  onBytes(buffer: Buffer, length: number): void
  /** The peer will send no more (FIN). */
  onEnd(): void
  /** What was written has gone to the kernel, after a write that answered false. */
  onDrain(): void
  /** The socket is gone. `code` is the Node error code, or empty where it closed without one. */
  onClose(code: string): void
}

/** How many bytes may wait in a socket before whoever fills it is asked to stop. */
const MARK = 65_536
/** How much text is gathered at most before it goes to the socket. */
const GATHERED = 16_384
/** How many channels gather at most. */
const GATHERING = 32
/** How many bytes one socket may bring before it lets others have the event loop. */
const FAIR_BYTES = 262_144

const turn = new Turn(GATHERING)

/**
 * One socket, read into memory that we own and written without a stream's ceremony. Everything that may go wrong on a
 * socket ends in one `onClose`. It knows no protocol.
 */
export class Channel {
  readonly socket: net.Socket
  readonly buffers: ReadBuffers
  /** Where it reads to. */
  readonly memory: ReadMemory
  owner: ChannelOwner | null = null
  #paused = false
  #yielded = false
  #turnBytes = 0
  #closed = false
  #code = ''
  /** Text that goes out at the end of the turn. */
  #text = ''
  /** How often something went to the socket: where this has not changed, what was written since has not gone out. */
  writes = 0
  /** Buffers given to writes in order; null where the memory was free at once. */
  readonly #lent: (Buffer | null)[] = []
  readonly #written = () => {
    const bytes = this.#lent.shift()
    if (bytes !== null && bytes !== undefined) this.buffers.release(bytes)
  }

  /** @param socket its `error` has a listener from here on */
  constructor(socket: net.Socket, buffers: ReadBuffers) {
    this.socket = socket
    this.buffers = buffers
    this.memory = new ReadMemory(buffers)
    socket.on('error', error => {
      this.#code = errorCode(error)
    })
    socket.on('end', () => this.#tell(owner => owner.onEnd()))
    socket.on('drain', () => this.#tell(owner => owner.onDrain()))
    socket.on('close', () => this.#onClose())
  }

  /** Node's read callback. Answers false to stop reading. */
  onRead(length: number, bytes: Uint8Array): boolean {
    const buffer = bytes as Buffer // it is the one that `memory` named
    const owner = this.owner
    if (owner === null || this.#closed) return true
    try {
      owner.onBytes(buffer, length)
    } catch (error) {
      this.#fault(error)
    }
    if (buffer === this.buffers.shared) this.buffers.used(length)
    if (this.#paused) return false
    this.#turnBytes += length
    if (this.#turnBytes < FAIR_BYTES) return true
    this.#turnBytes = 0
    this.#yielded = true
    setImmediate(this.#goOn)
    return false
  }

  /** A bug in whoever speaks over the channel: it costs this connection, and nobody else's. */
  #fault(error: unknown): void {
    this.socket.destroy()
    this.buffers.fault(error)
  }

  #tell(call: (owner: ChannelOwner) => void): void {
    if (this.owner === null) return
    try {
      call(this.owner)
    } catch (error) {
      this.#fault(error)
    }
  }

  readonly #goOn = () => {
    this.#yielded = false
    if (!this.#paused && !this.#closed) this.socket.resume()
  }

  /** Begins to read. Called once, when an owner is set. */
  start(): void {
    this.#flow()
  }

  /** Reads, first what somebody before us read and put back (listener/first-bytes.ts). */
  #flow(): void {
    if (this.socket.readableLength === 0 || this.socket.listenerCount('data') > 0) this.socket.resume()
    // Its bytes come as others do, in a turn of their own: never inside of the call that begins to read.
    else process.nextTick(this.#first)
  }

  readonly #first = () => {
    // Asked for while the socket is paused, it is left where it is.
    if (this.#paused || this.#closed || this.socket.destroyed) return
    // Node's type of a stream without an encoding.
    const early = (this.socket.read() as Buffer | null) ?? Buffer.alloc(0)
    for (let at = 0; at < early.length; at += this.buffers.shared.length) {
      const length = early.copy(this.buffers.shared, 0, at)
      this.onRead(length, this.buffers.shared)
    }
    if (!this.#paused && !this.#yielded) this.socket.resume()
  }

  /** Reads go to a private buffer from the next one on, until `settle`. */
  stream(): void {
    this.memory.streaming = true
  }

  /** Reads go to the shared buffer again. */
  settle(): void {
    this.memory.streaming = false
  }

  get streaming(): boolean {
    return this.memory.streaming
  }

  get paused(): boolean {
    return this.#paused
  }

  pause(): void {
    if (this.#paused) return
    this.#paused = true
    this.socket.pause()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    if (!this.#yielded && !this.#closed) this.#flow()
  }

  /**
   * Writes a byte string, at the end of the turn. Answers false when the socket's mark is passed: `onDrain` will come.
   */
  write(text: string): boolean {
    if (this.#text === '') turn.add(this)
    this.#text += text
    // Past the mark the socket must have it all: it tells of a drain only where it was too full itself.
    if (this.#text.length >= GATHERED || this.backlog > MARK) this.turn()
    return this.socket.writableLength <= MARK
  }

  /** Gives what was gathered to the socket now. */
  turn(): void {
    const text = this.#text
    if (text === '') return
    this.#text = ''
    this.writes++
    this.socket.write(text, 'latin1')
  }

  /** Forgets what was gathered, and did not go to the socket. */
  drop(): void {
    this.#text = ''
  }

  /** Gathers the writes up to `uncork` into one. */
  cork(): void {
    this.socket.cork()
  }

  uncork(): void {
    this.turn()
    this.socket.uncork()
  }

  /**
   * Writes bytes. `owned`: they are (a slice of) a pooled buffer whose reference is ours to release. Not owned: they
   * are copied where the kernel does not take them at once.
   */
  writeBytes(bytes: Buffer, owned: boolean): boolean {
    this.turn()
    this.writes++
    if (!owned) {
      this.socket.write(Buffer.from(bytes))
      return this.socket.writableLength <= MARK
    }
    this.#lent.push(bytes)
    this.socket.write(bytes, this.#written)
    if (this.socket.writableLength === 0 && this.#lent.at(-1) === bytes) {
      // Rule 2: nothing waits in the socket, so the kernel has it all and the memory is free now.
      this.#lent[this.#lent.length - 1] = null
      this.buffers.release(bytes)
    }
    return this.socket.writableLength <= MARK
  }

  /** A number that changes whenever the kernel takes bytes: whether a slow reader moves at all. */
  get delivered(): number {
    // Node counts a write once all of it is gone, and a large one may be under way for minutes. What is left of it
    // only the handle knows, which Node's types do not know.
    const { _handle: handle } = this.socket as unknown as { _handle: { writeQueueSize?: number } | null }
    return this.socket.bytesWritten - this.socket.writableLength - (handle?.writeQueueSize ?? 0)
  }

  /** Whether the peer has reset the connection, which a socket that is not read does not tell. */
  get peerGone(): boolean {
    // The kernel forgets the peer with the connection. Only the handle asks it anew; a Unix socket's has no such question.
    const { _handle: handle } = this.socket as unknown as {
      _handle: { getpeername?: (out: object) => number } | null
    }
    return (handle?.getpeername?.({}) ?? 0) < 0
  }

  /** How many bytes wait here and in the socket. */
  get backlog(): number {
    // Node's own answer to a write is about the moment before the kernel took the bytes; what counts is what is left.
    return this.socket.writableLength + this.#text.length
  }

  /** Whether a write has failed although the socket is still read: nothing more can be sent on it. */
  get broken(): boolean {
    return this.socket instanceof OutgoingSocket && this.socket.broken
  }

  /** Sends what waits, then FIN. */
  end(): void {
    this.turn()
    this.socket.end()
  }

  /** Closes now; what waits in the socket is lost. */
  destroy(): void {
    this.turn()
    this.socket.destroy()
  }

  /** Closes with RST, so that no reader can take what it got for a whole. */
  reset(): void {
    this.turn()
    // On TLS what says the end is close_notify, which a plain close leaves out (RFC 8446 section 6.1). And the kernel's
    // side of an end that is under way cannot be reset: Node would keep the socket for ever.
    const { socket } = this
    if ('encrypted' in socket || (socket.writableEnded && !socket.writableFinished)) socket.destroy()
    else socket.resetAndDestroy()
  }

  get closed(): boolean {
    return this.#closed
  }

  #onClose(): void {
    this.#closed = true
    this.drop()
    this.memory.release()
    for (const bytes of this.#lent) if (bytes !== null) this.buffers.release(bytes)
    this.#lent.length = 0
    const owner = this.owner
    this.owner = null
    try {
      owner?.onClose(this.#code)
    } catch (error) {
      this.buffers.fault(error)
    }
  }
}

function errorCode(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message
}

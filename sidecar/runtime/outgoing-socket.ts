import net from 'node:net'

/**
 * A connection that we open. A service that answers an upload early and closes resets it, and Node destroys a socket
 * whose write fails: with it would go the answer that lies in the kernel, read by nobody yet. Here a failed write only
 * ends writing; the socket goes when all that the peer had said is read.
 */
export class OutgoingSocket extends net.Socket {
  #writeError: Error | null = null

  /** Whether a write failed: what is written from then on goes nowhere. */
  get broken(): boolean {
    return this.#writeError !== null
  }

  /** Node's own way to end a socket, and ours. A failed write comes here first, and is kept until the end of reading. */
  override destroy(error?: Error): this {
    if (this.#writeError !== null || error === undefined || !isWriteError(error)) return super.destroy(error)
    this.#writeError = error
    return this
  }

  /** Reads go to a buffer of ours, so that only the end comes here. Behind a failed write it is none that was meant. */
  override push(chunk: unknown, encoding?: BufferEncoding): boolean {
    if (chunk !== null || this.#writeError === null) return super.push(chunk, encoding)
    super.destroy(this.#writeError)
    return false
  }
}

function isWriteError(error: Error): boolean {
  return 'syscall' in error && error.syscall === 'write'
}

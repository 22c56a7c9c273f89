import { once } from 'node:events'
import net from 'node:net'
import { DEFAULT_TIMEOUT } from './raw-connection.ts'

/**
 * A client that reads at most `bytes` every `every` milliseconds, and lets the kernel's buffers fill meanwhile. It
 * counts what it read and keeps nothing.
 */
export class SlowReader {
  readonly socket: net.Socket
  /** How many bytes were read so far. */
  bytesRead = 0
  /** Whether the peer sent FIN. */
  ended = false
  #timer: NodeJS.Timeout | null = null

  private constructor(port: number, bytes: number, every: number) {
    this.socket = net.connect({
      host: '127.0.0.1',
      port,
      onread: {
        buffer: Buffer.alloc(bytes),
        callback: count => {
          this.bytesRead += count
          this.#timer = setTimeout(() => this.socket.resume(), every)
          return false
        },
      },
    })
    this.socket.on('end', () => {
      this.ended = true
    })
    this.socket.on('error', () => this.destroy())
    this.socket.on('close', () => this.destroy())
  }

  /** Connects and sends a request. */
  static async send(port: number, request: string, bytes: number, every: number): Promise<SlowReader> {
    const reader = new SlowReader(port, bytes, every)
    await once(reader.socket, 'connect', { signal: AbortSignal.timeout(DEFAULT_TIMEOUT) })
    reader.socket.write(request, 'latin1')
    reader.socket.resume()
    return reader
  }

  get closed(): boolean {
    return this.socket.destroyed
  }

  destroy(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.socket.destroy()
  }
}

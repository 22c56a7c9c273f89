import type { Socket } from 'node:net'
import { setImmediate as nextTurn, setTimeout as realPause } from 'node:timers/promises'

/** How long a wait may last where the test says nothing, in milliseconds. */
export const DEFAULT_TIMEOUT = 5000

/** Waits a while: by the machine's clock, or by one that a test steps. */
export type Pause = (milliseconds: number) => Promise<unknown>

/** One thing that a script does: bytes to send, or a step that is not bytes. */
export type Step =
  | string
  | Buffer
  /** Wait this many milliseconds. */
  | { readonly pause: number }
  /** Wait until this text was received, behind what was read already. */
  | { readonly expect: string }
  /** Send FIN, or RST. */
  | { readonly end: 'fin' | 'rst' }

/**
 * One end of a TCP connection as a test drives it: it sends what it is told, keeps all that it receives, and knows no
 * protocol. Strings are byte strings (latin1). Every wait ends in an error that shows what had come by then.
 */
export class RawConnection {
  readonly socket: Socket
  #store: Buffer = Buffer.allocUnsafe(4096)
  #length = 0
  #read = 0
  #ended = false
  #closed = false
  #code = ''
  readonly #watchers = new Set<() => void>()

  /** @param socket with `allowHalfOpen`, so that a FIN is answered only when the test says so */
  constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('error', error => {
      this.#code = 'code' in error && typeof error.code === 'string' ? error.code : error.message
    })
    socket.on('data', (bytes: Buffer) => {
      this.#keep(bytes)
      this.#wake()
    })
    socket.on('end', () => {
      this.#ended = true
      this.#wake()
    })
    socket.on('close', () => {
      this.#closed = true
      this.#wake()
    })
  }

  /** All that was ever received. */
  get received(): Buffer {
    return this.#store.subarray(0, this.#length)
  }

  /** What was received and not read yet. */
  get unread(): Buffer {
    return this.#store.subarray(this.#read, this.#length)
  }

  /** Whether the peer sent FIN. */
  get ended(): boolean {
    return this.#ended
  }

  /** Whether the socket is gone. */
  get isClosed(): boolean {
    return this.#closed
  }

  /** The error code that the socket ended with (`ECONNRESET`); empty where there was none. */
  get code(): string {
    return this.#code
  }

  /** Sends bytes in one write. */
  send(bytes: string | Uint8Array): void {
    if (typeof bytes === 'string') this.socket.write(bytes, 'latin1')
    else this.socket.write(bytes)
  }

  /**
   * Sends each byte in a write of its own. A reader in this process gets each by itself; one in another process does
   * where `gap` milliseconds lie between them.
   */
  async sendBytewise(bytes: string | Uint8Array, gap = 0): Promise<void> {
    const whole = toBuffer(bytes)
    for (let i = 0; i < whole.length; i++) {
      if (this.#closed) return
      this.send(whole.subarray(i, i + 1))
      if (gap > 0) await realPause(gap)
      // Two turns: only between them does the event loop surely look at the sockets.
      await nextTurn()
      await nextTurn()
    }
  }

  /** Sends bytes in two writes, the second from `at` on, so that a reader gets them as two; `gap` as above. */
  async sendCut(bytes: string | Uint8Array, at: number, gap = 0): Promise<void> {
    const whole = toBuffer(bytes)
    if (at > 0) this.send(whole.subarray(0, at))
    if (gap > 0) await realPause(gap)
    await nextTurn()
    await nextTurn()
    if (at < whole.length && !this.#closed) this.send(whole.subarray(at))
  }

  /** Sends FIN, and goes on reading. */
  half(): void {
    this.socket.end()
  }

  /** Sends RST. */
  reset(): void {
    this.socket.resetAndDestroy()
  }

  /** Closes both directions now. */
  destroy(): void {
    this.socket.destroy()
  }

  /** Plays a script, step after step. */
  async play(script: readonly Step[], pause: Pause = realPause): Promise<void> {
    for (const step of script) {
      if (typeof step === 'string' || step instanceof Uint8Array) this.send(step)
      else if ('end' in step && step.end === 'fin') this.half()
      else if ('end' in step) this.reset()
      else if ('pause' in step) await pause(step.pause)
      else await this.readUntil(step.expect)
    }
  }

  /**
   * Reads a number of bytes, or as many as `predicate` says are there: it sees what is unread and answers how many
   * bytes to take, or null to wait for more.
   */
  async read(
    wanted: number | ((unread: Buffer) => number | null),
    timeout = DEFAULT_TIMEOUT,
  ): Promise<Buffer> {
    const what = typeof wanted === 'number' ? `${wanted} bytes` : 'what the predicate looks for'
    return this.wait(
      what,
      () => {
        const take = typeof wanted === 'function' ? wanted(this.unread) : wanted
        return take === null || this.#length - this.#read < take ? null : this.take(take)
      },
      timeout,
    )
  }

  /** Reads up to the end of `text`. Answers what was read, as a byte string. */
  async readUntil(text: string, timeout = DEFAULT_TIMEOUT): Promise<string> {
    const pattern = Buffer.from(text, 'latin1')
    const bytes = await this.wait(
      JSON.stringify(text),
      () => {
        const at = this.unread.indexOf(pattern)
        return at < 0 ? null : this.take(at + pattern.length)
      },
      timeout,
    )
    return bytes.toString('latin1')
  }

  /** Reads to the peer's FIN or to the close, and answers what was unread until then, as a byte string. */
  async readToEnd(timeout = DEFAULT_TIMEOUT): Promise<string> {
    return this.wait(
      'the end',
      () => (this.#ended || this.#closed ? this.take(this.#length - this.#read).toString('latin1') : null),
      timeout,
      true,
    )
  }

  /** Waits until the socket is gone. Answers its error code, empty where it closed in order. */
  async closed(timeout = DEFAULT_TIMEOUT): Promise<string> {
    return this.wait('the close', () => (this.#closed ? this.#code : null), timeout, true)
  }

  /** Marks bytes as read, and answers a copy of them. */
  take(count: number): Buffer {
    const bytes = Buffer.from(this.unread.subarray(0, count))
    this.#read += bytes.length
    return bytes
  }

  /**
   * Waits until `check` answers something else than null; it is asked again after everything that happens.
   * @param atEnd whether the end of the connection is a thing to wait for, and not a failure
   */
  wait<T>(what: string, check: () => T | null, timeout = DEFAULT_TIMEOUT, atEnd = false): Promise<T> {
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        clearTimeout(timer)
        this.#watchers.delete(look)
      }
      const look = (): void => {
        try {
          const value = check()
          if (value !== null) {
            finish()
            resolve(value)
          } else if (this.#closed || (this.#ended && !atEnd)) {
            throw new Error(`waited for ${what}, and ${this.#describe()}`)
          }
        } catch (error) {
          finish()
          reject(error)
        }
      }
      const timer = setTimeout(() => {
        finish()
        reject(new Error(`waited ${timeout} ms for ${what}; ${this.#describe()}`))
      }, timeout)
      this.#watchers.add(look)
      look()
    })
  }

  #describe(): string {
    const state = this.#closed ? `closed ${this.#code}`.trimEnd() : this.#ended ? 'the peer sent FIN' : 'open'
    const shown = this.unread.subarray(0, 2000).toString('latin1')
    return `the connection is: ${state}; unread so far (${this.unread.length} bytes): ${JSON.stringify(shown)}`
  }

  #keep(bytes: Uint8Array): void {
    if (this.#length + bytes.length > this.#store.length) {
      const larger = Buffer.allocUnsafe(2 * (this.#length + bytes.length))
      this.received.copy(larger)
      this.#store = larger
    }
    this.#store.set(bytes, this.#length)
    this.#length += bytes.length
  }

  #wake(): void {
    for (const watcher of this.#watchers) watcher()
  }
}

/** A byte string as bytes. */
export function toBuffer(bytes: string | Uint8Array): Buffer {
  return typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Buffer.from(bytes)
}

/** Bytes that are gathered before they are written. */
const GATHER = 65_536
/** Bytes that may wait altogether; what comes then is dropped and counted. */
const QUEUE = 1_048_576
/** Emptied buffers that are kept for the next lines. */
const KEEP = 2
const AGAIN_MS = 10
const EXIT_MS = 1_000

/** The two calls that a writer makes, as in `node:fs`; see `output.ts`. */
export interface OutputCalls {
  write(
    fd: number,
    bytes: Buffer,
    offset: number,
    length: number,
    done: (error: NodeJS.ErrnoException | null, written: number) => void,
  ): void
  writeSync(fd: number, bytes: Buffer, offset: number, length: number): number
}

/** Whole lines in one buffer. */
interface Batch {
  readonly bytes: Buffer
  length: number
  /** Bytes of it that are written. */
  offset: number
  lines: number
}

/**
 * Writes lines to a file descriptor without ever making the caller wait: lines gather in a buffer of 64 KiB, one
 * asynchronous write is in flight, at most 1 MiB waits, and what comes beyond that is dropped and counted.
 * `process.stdout` is none of this: it queues without bound, or blocks.
 */
export class BufferedWriter {
  readonly #fd: number
  readonly #delay: number
  readonly #calls: OutputCalls
  readonly #waiting: Batch[] = []
  readonly #spare: Buffer[] = []
  #gathering: Batch | null = null
  #flying: Batch | null = null
  #queued = 0
  #timer: NodeJS.Timeout | null = null
  /** Whether what gathers has waited long enough and goes as soon as the write in flight has landed. */
  #due = false
  /** Whether a write is with the kernel, as opposed to waiting for a reader that is behind. */
  #calling = false
  #dropped = 0
  #cause = ''
  #lines = 0
  #idle: (() => void) | null = null

  /**
   * @param fd where to; see `openWriter`
   * @param delay milliseconds that a line waits for others; a full buffer goes at once
   */
  constructor(fd: number, delay: number, calls: OutputCalls) {
    this.#fd = fd
    this.#delay = delay
    this.#calls = calls
  }

  /** Lines that were dropped: no room, or the write failed. */
  get dropped(): number {
    return this.#dropped
  }

  /** Why a line was dropped last: the code of what the write said, or that the reader is behind; empty: none was. */
  get cause(): string {
    return this.#cause
  }

  /** Lines that were handed to the kernel. */
  get written(): number {
    return this.#lines
  }

  /** Bytes that wait, the write in flight included. */
  get queued(): number {
    return this.#queued
  }

  /** Takes one line, its line feed included. Answers false where it was dropped. */
  write(line: string): boolean {
    // Three bytes is the most that UTF-8 needs for one code unit.
    const most = line.length * 3
    let batch = this.#gathering
    if (batch !== null && batch.length + most > batch.bytes.length) {
      this.#close()
      batch = null
    }
    if (batch === null) {
      if (this.#queued + Math.max(GATHER, most) > QUEUE) {
        this.#dropped++
        this.#cause = 'its reader is behind'
        return false
      }
      batch = this.#open(most)
    }
    const length = batch.bytes.write(line, batch.length, 'utf8')
    batch.length += length
    batch.lines++
    this.#queued += length
    return true
  }

  /** Writes what has gathered without waiting for more. */
  flush(): void {
    if (this.#gathering === null) return
    this.#stopTimer()
    // One buffer for each small piece would cost far more memory than the bytes that are counted.
    if (this.#flying !== null) this.#due = true
    else this.#close()
  }

  /** Writes all that waits, for at most one second; what the reader has not taken by then is dropped. */
  async close(): Promise<void> {
    this.flush()
    if (this.#flying === null) return
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, EXIT_MS)
      this.#idle = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** The same without returning to the event loop, for a process that has to end now. */
  flushSync(): void {
    this.#stopTimer()
    const deadline = performance.now() + EXIT_MS
    const batches = this.#waiting.splice(0)
    if (this.#gathering !== null) batches.push(this.#gathering)
    this.#gathering = null
    // A write that is with the kernel ends there; one that waits for its reader is ours to repeat.
    if (this.#flying !== null && !this.#calling) {
      batches.unshift(this.#flying)
      this.#flying = null
    }
    for (const batch of batches) {
      this.#queued -= batch.length
      if (this.#writeSync(batch, deadline)) this.#lines += batch.lines
      else this.#dropped += batch.lines
    }
  }

  #open(most: number): Batch {
    const bytes =
      most > GATHER ? Buffer.allocUnsafeSlow(most) : (this.#spare.pop() ?? Buffer.allocUnsafeSlow(GATHER))
    const batch = { bytes, length: 0, offset: 0, lines: 0 }
    this.#gathering = batch
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      this.flush()
    }, this.#delay).unref()
    return batch
  }

  /** Ends the batch that gathers and writes it, or lets it wait. */
  #close(): void {
    this.#stopTimer()
    const batch = this.#gathering
    if (batch === null) return
    this.#gathering = null
    this.#due = false
    this.#waiting.push(batch)
    if (this.#flying === null) this.#next()
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #next(): void {
    if (this.#waiting.length === 0 && this.#due) return this.#close()
    const batch = this.#waiting.shift()
    if (batch === undefined) {
      const idle = this.#idle
      this.#idle = null
      idle?.()
      return
    }
    this.#flying = batch
    this.#attempt(batch)
  }

  #attempt(batch: Batch): void {
    if (batch.offset === batch.length) return this.#landed(batch, true)
    this.#calling = true
    this.#calls.write(this.#fd, batch.bytes, batch.offset, batch.length - batch.offset, (error, written) => {
      this.#calling = false
      if (error === null && written > 0) {
        batch.offset += written
        this.#attempt(batch)
      } else if (error === null || error.code === 'EAGAIN') {
        // The reader of a non-blocking pipe is behind. Nothing tells when it has read on.
        setTimeout(() => {
          if (this.#flying === batch) this.#attempt(batch)
        }, AGAIN_MS).unref()
      } else {
        this.#cause = error.code ?? error.message
        this.#landed(batch, false)
      }
    })
  }

  #landed(batch: Batch, well: boolean): void {
    this.#flying = null
    this.#queued -= batch.length
    if (well) this.#lines += batch.lines
    else this.#dropped += batch.lines
    if (batch.bytes.length === GATHER && this.#spare.length < KEEP) this.#spare.push(batch.bytes)
    this.#next()
  }

  #writeSync(batch: Batch, deadline: number): boolean {
    while (batch.offset < batch.length) {
      try {
        batch.offset += this.#calls.writeSync(
          this.#fd,
          batch.bytes,
          batch.offset,
          batch.length - batch.offset,
        )
      } catch (error) {
        const again = error instanceof Error && 'code' in error && error.code === 'EAGAIN'
        if (!again || performance.now() >= deadline) return false
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, AGAIN_MS)
      }
    }
    return true
  }
}

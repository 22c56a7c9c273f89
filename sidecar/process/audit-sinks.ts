import { closeSync, fstatSync, openSync } from 'node:fs'
import { BufferedWriter } from '../telemetry/buffered-writer.ts'
import { fileCalls } from '../telemetry/output.ts'

/** How long a line waits for others, in milliseconds. */
const DELAY_MS = 50

interface OpenFile {
  readonly writer: BufferedWriter
  readonly fd: number
}

/** Where audit lines go: the standard streams, which other logs write too, or files of their own. */
export class AuditSinks {
  readonly #stdout: BufferedWriter
  readonly #stderr: BufferedWriter
  readonly #files = new Map<string, OpenFile>()
  /** Of files that were moved away or are named no more, while they still take what waited for them. */
  readonly #ending = new Map<BufferedWriter, Promise<void>>()
  #droppedBefore = 0

  constructor(stdout: BufferedWriter, stderr: BufferedWriter) {
    this.#stdout = stdout
    this.#stderr = stderr
  }

  /**
   * Opens the one place where lines go from now on.
   * @param to `stdout`, `stderr` or the name of a file, which is made where it is not there, and added to. Where another
   *   file has that name by now, what comes goes there
   * @throws Error where it cannot be opened
   */
  open(to: string): BufferedWriter {
    if (to === 'stdout' || to === 'stderr') {
      this.#endOthers(to)
      return to === 'stdout' ? this.#stdout : this.#stderr
    }
    const fd = openSync(to, 'a', 0o600)
    this.#endOthers(to)
    const before = this.#files.get(to)
    if (before !== undefined && isSame(before.fd, fd)) {
      closeSync(fd)
      return before.writer
    }
    const writer = new BufferedWriter(fd, DELAY_MS, fileCalls)
    this.#files.set(to, { writer, fd })
    if (before !== undefined) this.#end(before)
    return writer
  }

  #endOthers(to: string): void {
    for (const [name, file] of this.#files) {
      if (name === to) continue
      this.#files.delete(name)
      this.#end(file)
    }
  }

  /** What waits still goes to the file that was open. */
  #end(file: OpenFile): void {
    this.#ending.set(file.writer, this.#ended(file))
  }

  async #ended({ writer, fd }: OpenFile): Promise<void> {
    await writer.close()
    this.#ending.delete(writer)
    this.#droppedBefore += writer.dropped
    // One second was not enough for what was with the kernel: its file stays open.
    if (writer.queued === 0) closeSync(fd)
  }

  /** Lines of files that could not be written; those of the streams are counted by their own logs. */
  get dropped(): number {
    const writers = [...[...this.#files.values()].map(({ writer }) => writer), ...this.#ending.keys()]
    return writers.reduce((sum, writer) => sum + writer.dropped, this.#droppedBefore)
  }

  /** Why a line was dropped last; empty: none was, or the file is closed. */
  get cause(): string {
    const writers = [...[...this.#files.values()].map(({ writer }) => writer), ...this.#ending.keys()]
    return writers.find(writer => writer.cause !== '')?.cause ?? ''
  }

  flushSync(): void {
    for (const { writer } of this.#files.values()) writer.flushSync()
    for (const writer of this.#ending.keys()) writer.flushSync()
  }

  async close(): Promise<void> {
    const open = [...this.#files.values()].map(({ writer }) => writer.close())
    await Promise.all([...open, ...this.#ending.values()])
  }
}

function isSame(one: number, other: number): boolean {
  const [a, b] = [fstatSync(one), fstatSync(other)]
  return a.ino === b.ino && a.dev === b.dev
}

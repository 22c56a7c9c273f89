import { openSync } from 'node:fs'
import { BufferedWriter } from '../telemetry/buffered-writer.ts'
import { fileCalls } from '../telemetry/output.ts'

/** How long a line waits for others, in milliseconds. */
const DELAY_MS = 50

/** Where audit lines go: the standard streams, which other logs write too, or files of their own. */
export class AuditSinks {
  readonly #stdout: BufferedWriter
  readonly #stderr: BufferedWriter
  readonly #files = new Map<string, BufferedWriter>()

  constructor(stdout: BufferedWriter, stderr: BufferedWriter) {
    this.#stdout = stdout
    this.#stderr = stderr
  }

  /**
   * @param to `stdout`, `stderr` or the name of a file, which is made where it is not there, and added to
   * @throws Error where it cannot be opened
   */
  open(to: string): BufferedWriter {
    if (to === 'stdout') return this.#stdout
    if (to === 'stderr') return this.#stderr
    let writer = this.#files.get(to)
    if (writer === undefined) {
      writer = new BufferedWriter(openSync(to, 'a', 0o600), DELAY_MS, fileCalls)
      this.#files.set(to, writer)
    }
    return writer
  }

  /** Lines of files that could not be written; those of the streams are counted by their own logs. */
  get dropped(): number {
    return [...this.#files.values()].reduce((sum, writer) => sum + writer.dropped, 0)
  }

  flushSync(): void {
    for (const writer of this.#files.values()) writer.flushSync()
  }

  async close(): Promise<void> {
    await Promise.all([...this.#files.values()].map(writer => writer.close()))
  }
}

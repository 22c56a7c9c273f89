import type { Log } from '../telemetry/process-log.ts'

/** How often somebody is told, in milliseconds. */
const EVERY_MS = 10_000

/** A log whose lines may be lost. */
export interface LossyLog {
  readonly name: string
  /** Lines that were dropped since the start. */
  dropped(): number
  /** Why one was dropped last. */
  cause(): string
}

/** Says in the process log that another log loses lines: a full disk or a reader that is behind is seen nowhere else but in a counter. */
export class DroppedLines {
  readonly #log: Log
  readonly #logs: readonly LossyLog[]
  readonly #told: number[]
  readonly #timer: NodeJS.Timeout

  constructor(log: Log, logs: readonly LossyLog[]) {
    this.#log = log
    this.#logs = logs
    this.#told = logs.map(() => 0)
    this.#timer = setInterval(() => this.check(), EVERY_MS).unref()
  }

  /** What the timer does. */
  check(): void {
    for (const [index, one] of this.#logs.entries()) {
      const dropped = one.dropped()
      const lines = dropped - (this.#told[index] ?? 0)
      if (lines <= 0) continue
      this.#told[index] = dropped
      this.#log.warn('lines of a log are dropped', { log: one.name, lines, cause: one.cause() })
    }
  }

  /** Tells what is not told yet, and no more. */
  stop(): void {
    clearInterval(this.#timer)
    this.check()
  }
}

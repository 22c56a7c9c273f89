import type { Clock } from '../runtime/clock.ts'
import type { Log, LogFields, LogLevel } from './process-log.ts'

const PERIOD_MS = 1_000
const MAX_KEYS = 256

interface Repeated {
  since: number
  /** Lines kept back since the last one that was written. */
  count: number
  level: LogLevel
  message: string
  fields: LogFields | undefined
}

/**
 * Writes a flood of one event as one line a second, with the count of those that were kept back. The first comes at
 * once. What an event is, is its key.
 */
export class RepetitionLimit {
  readonly #log: Log
  readonly #clock: Clock
  readonly #events = new Map<string, Repeated>()
  #timer: NodeJS.Timeout | null = null

  constructor(log: Log, clock: Clock) {
    this.#log = log
    this.#clock = clock
  }

  /** @param key few different ones; beyond 256 a minute's worth of new ones share one */
  write(key: string, level: LogLevel, message: string, fields?: LogFields): void {
    const now = this.#clock.now()
    const name = this.#events.has(key) || this.#events.size < MAX_KEYS ? key : ''
    const event = this.#events.get(name)
    if (event === undefined) {
      this.#events.set(name, { since: now, count: 0, level, message, fields })
      this.#log[level](message, fields)
    } else {
      event.count++
      event.level = level
      event.message = message
      event.fields = fields
      if (now - event.since >= PERIOD_MS) this.#write(event, now)
    }
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      this.sweep()
    }, PERIOD_MS).unref()
  }

  /** Writes what was kept back for a second, and forgets what did not come again. Called by a timer. */
  sweep(): void {
    const now = this.#clock.now()
    for (const [key, event] of this.#events) {
      if (now - event.since < PERIOD_MS) continue
      if (event.count > 0) this.#write(event, now)
      else this.#events.delete(key)
    }
    if (this.#events.size > 0 && this.#timer === null) {
      this.#timer = setTimeout(() => {
        this.#timer = null
        this.sweep()
      }, PERIOD_MS).unref()
    }
  }

  #write(event: Repeated, now: number): void {
    this.#log[event.level](event.message, { ...event.fields, repeated: event.count })
    event.count = 0
    event.since = now
  }
}

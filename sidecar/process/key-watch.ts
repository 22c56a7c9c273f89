import type { ResolvedConfig } from '../config/resolved.ts'
import type { Clock } from '../runtime/clock.ts'
import { Timer, type TimerOwner, type TimerWheel } from '../runtime/timer-wheel.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Log } from '../telemetry/process-log.ts'

const HOUR_MS = 3_600_000
/** From when on it is said that a key ends. */
const SOON_MS = 7 * 24 * HOUR_MS
/** How many consumers have a label of their own. */
const MOST = 100
/** How many are named in a line of the log. */
const NAMED = 10

/** When keys of a consumer end, in milliseconds since 1970; the first first. */
interface KeyEnds {
  readonly consumer: string
  readonly ends: readonly number[]
}

/**
 * Says when API keys end: in metrics at any time, in the log once a key seven days before its end, and once when it has
 * ended. What ended before the configuration was read is said by its loader.
 */
export class KeyWatch implements TimerOwner {
  readonly #clock: Clock
  readonly #wheel: TimerWheel
  readonly #log: Log
  readonly #timer = new Timer(this)
  #keys: readonly KeyEnds[] = []
  /** Up to when all was said. */
  #said: number

  constructor(parts: {
    readonly clock: Clock
    readonly wheel: TimerWheel
    readonly log: Log
    readonly metrics: Metrics
  }) {
    this.#clock = parts.clock
    this.#wheel = parts.wheel
    this.#log = parts.log
    this.#said = parts.clock.wall()
    parts.metrics.gauge(
      'outrigger_api_key_expiry_timestamp_seconds',
      'When the next API key of a consumer ends, in seconds since 1970; where all have ended, when the last one did.',
      () => this.#samples(),
    )
  }

  /** The consumers of the configuration that serves from now on. */
  watch(consumers: ResolvedConfig['identity']['consumers']): void {
    this.#keys = consumers.flatMap(({ name, apiKeys }) => {
      const ends = apiKeys.flatMap(({ expires }) => (expires === null ? [] : [expires])).toSorted(byTime)
      return ends.length === 0 ? [] : [{ consumer: name, ends }]
    })
  }

  start(): void {
    this.#wheel.schedule(this.#timer, HOUR_MS)
  }

  stop(): void {
    this.#wheel.remove(this.#timer)
  }

  onTimer(): void {
    const now = this.#clock.wall()
    this.#say('API keys end within seven days', now + SOON_MS)
    this.#say('API keys have ended: they let nobody in any more', now)
    this.#said = now
    this.start()
  }

  /** @param until the moment up to which keys end that are spoken of; those before were spoken of an hour ago */
  #say(message: string, until: number): void {
    const since = until - (this.#clock.wall() - this.#said)
    const consumers = this.#keys.filter(({ ends }) => ends.some(end => end > since && end <= until))
    if (consumers.length === 0) return
    const named = consumers.slice(0, NAMED).map(({ consumer }) => consumer)
    this.#log.warn(message, { consumers: named.join(', '), count: consumers.length })
  }

  *#samples(): Generator<{ labels: Record<string, string>; value: number }> {
    const now = this.#clock.wall()
    const next = this.#keys.map(({ consumer, ends }) => ({
      consumer,
      end: ends.find(end => end > now) ?? ends.at(-1) ?? 0,
    }))
    // Those that can still be renewed in time go first, then those that ended last.
    next.sort((a, b) =>
      a.end > now === b.end > now ? Math.abs(a.end - now) - Math.abs(b.end - now) : b.end - a.end,
    )
    for (const { consumer, end } of next.slice(0, MOST)) yield { labels: { consumer }, value: end / 1000 }
  }
}

function byTime(a: number, b: number): number {
  return a - b
}

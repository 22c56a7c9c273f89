import type { MemoryBudget } from './memory-budget.ts'
import type { Random } from './random.ts'

/** What a request is refused for: the event loop lags, the process is near its memory limit, its buffers are full. */
export type ShedCause = 'lag' | 'memory' | 'buffers'

/** How the process is, at one moment. */
export interface Load {
  /** By how much the event loop was late, in milliseconds: the 99th percentile since the last observation. */
  readonly lag: number
  /** The share of the memory limit that is in use. */
  readonly memory: number
}

/** From this much lag on requests are refused, once it has lasted for `LASTING` observations. */
const LAG_MS = 100
const LASTING = 4
/** By how much the share of refused requests grows and falls in one observation, and where it ends. */
const STEP = 0.05
const STEEP = 0.1
const MOST_STEP = 0.25
const MOST = 0.95
/** From this share of the memory limit on connections end with their response; from the next on requests are refused. */
const CLOSING = 0.92
const REFUSING = 0.95
/** So many requests may be under way however short memory is: what they take is not what it is short of. */
const FEW = 8
/** So many connections are let in however short memory is. */
const FEW_CONNECTIONS = 64

/**
 * Decides which requests are refused because the process itself has no room for them, before anything is done for
 * them. Told four times a second how the process is.
 *
 * For lag a growing share is refused, as much as it takes for the lag to fall to its mark: refusing all would let
 * the loop run empty and then drown again, and an answer that costs less than a request is still not free. Lag has to
 * last a second, so that a collection of garbage refuses nobody. Memory has no such middle: above its mark all are
 * refused but a few at a time, for memory that nothing under way holds (garbage, a limit that is too small, what the
 * allocator keeps) would else refuse everybody for good.
 */
export class Overload {
  /** Requests refused so far, by cause. */
  readonly shed: Record<ShedCause, number> = { lag: 0, memory: 0, buffers: 0 }
  readonly #budget: MemoryBudget
  readonly #random: Random
  readonly #lags = new Float64Array(LASTING)
  #at = 0
  #memory = 0
  #share = 0

  constructor(budget: MemoryBudget, random: Random) {
    this.#budget = budget
    this.#random = random
  }

  /** Whether connections end with their response, so that the load can go elsewhere and their memory comes back. */
  get closing(): boolean {
    return this.#memory >= CLOSING
  }

  /** How many connections may be open. @param limit where memory is not short */
  connections(limit: number): number {
    return this.#memory >= REFUSING ? Math.min(limit, FEW_CONNECTIONS) : limit
  }

  /** The share of requests that is refused at this moment, 0 to 1. */
  get share(): number {
    return this.#memory >= REFUSING || this.#budget.exhausted ? 1 : this.#share
  }

  /** Why requests are refused at this moment; empty where none is. */
  get cause(): ShedCause | '' {
    if (this.#memory >= REFUSING) return 'memory'
    if (this.#budget.exhausted) return 'buffers'
    return this.#share > 0 ? 'lag' : ''
  }

  /**
   * Asked for each request. Counts it where it is refused.
   * @param active how many requests are under way, this one included
   * @returns why it is refused, or empty where it goes on
   */
  refuses(active: number): ShedCause | '' {
    const cause = this.cause
    if (cause === '' || (cause === 'memory' && active <= FEW && !this.#budget.exhausted)) return ''
    if (cause === 'lag' && this.#random() >= this.#share) return ''
    this.shed[cause]++
    return cause
  }

  /** How the process is now. Called at an even rate, four times a second. */
  observe(load: Load): void {
    this.#memory = load.memory
    this.#lags[this.#at] = load.lag
    this.#at = (this.#at + 1) % LASTING
    if (load.lag > LAG_MS && (this.#share > 0 || this.#lasts)) {
      const step = STEP + STEEP * (load.lag / LAG_MS - 1)
      this.#share = Math.min(MOST, this.#share + Math.min(MOST_STEP, step))
    } else if (this.#share > 0) {
      this.#share = load.lag > LAG_MS / 2 ? Math.max(STEP, this.#share - STEP) : this.#share - 2 * STEP
      // What is left of sums of twentieths.
      if (this.#share < STEP / 2) this.#share = 0
    }
  }

  get #lasts(): boolean {
    for (const lag of this.#lags) if (lag <= LAG_MS) return false
    return true
  }
}

/** Where the limit begins: little enough that the first round trips are those of a service without a queue. */
const FIRST = 4
/** A window is judged when it has this many samples and is this old, in milliseconds, and at least one round trip. */
const WINDOW_SAMPLES = 10
const WINDOW_MS = 50
/** How many samples a measurement of the round trip without a queue needs. */
const BASE_SAMPLES = 20
/** How long after a measurement the next one begins, give or take a tenth, in milliseconds. */
const BASE_EVERY_MS = 30_000
/** A round trip up to this much longer than the one without a queue is no queue. */
const TOLERANCE = 1.25
/** Windows in a row at the least limit after which the measurement is doubted. */
const DOUBT = 5
const CUT = 0.5
const DROP_CUT = 0.8

/**
 * Finds how many requests an upstream works on before they queue there: the limit grows while round trips are as long
 * as without a queue, and falls by their ratio when they become longer (the gradient of Netflix's limiter and Envoy's
 * adaptive concurrency filter).
 *
 * What a round trip without a queue takes is measured with half the limit, again every half a minute, and sooner where
 * it is in doubt: a mean that runs along with the load would take a queue that stays for the service's own pace. Means
 * are geometric, so that one slow request among many quick ones moves neither side much.
 */
export class AdaptiveLimit {
  readonly #now: () => number
  readonly #random: () => number
  #min: number
  #max: number
  #limit: number
  /** The mean round trip without a queue in milliseconds; 0 while it is not known. */
  #base = 0
  /** Whether the limit doubles still: until the first queue is seen. */
  #starting = true
  /** When the measurement that runs began, or -1. */
  #measuringSince = 0
  #nextMeasure = Infinity
  #windowSince: number
  #samples = 0
  #logs = 0
  #busiest = 0
  #drops = 0
  #atMin = 0

  /** @param now monotonic milliseconds  @param random spreads the measurements of many */
  constructor(
    bounds: { readonly min: number; readonly max: number },
    now: () => number,
    random: () => number,
  ) {
    this.#now = now
    this.#random = random
    this.#min = Math.min(bounds.min, bounds.max)
    this.#max = bounds.max
    this.#limit = this.#clamp(FIRST)
    this.#windowSince = now()
    this.#measuringSince = this.#windowSince
  }

  /** How many may be in flight now: a whole number between `min` and `max`. */
  get limit(): number {
    const limit = this.#measuringSince === -1 ? this.#limit : this.#limit * this.#share
    return Math.max(this.#min, Math.floor(limit))
  }

  /** How many may wait for a place: what is served within about half a round trip. More would only be late. */
  get queue(): number {
    return Math.ceil(this.limit / 2)
  }

  /** The mean round trip without a queue in milliseconds, or null while it is not known. */
  get baseline(): number | null {
    return this.#base === 0 ? null : this.#base
  }

  /** Bounds of the newest generation. */
  configure(bounds: { readonly min: number; readonly max: number }): void {
    this.#min = Math.min(bounds.min, bounds.max)
    this.#max = bounds.max
    this.#limit = this.#clamp(this.#limit)
  }

  /**
   * A request has been answered.
   * @param milliseconds its round trip
   * @param inFlight how many were in flight, it included
   * @param dropped whether it was refused by the upstream for its load (503, 429) or got no answer in time
   */
  sample(milliseconds: number, inFlight: number, dropped: boolean): void {
    const now = this.#now()
    if (dropped) this.#drops++
    else if (this.#measuringSince === -1 || now - milliseconds >= this.#measuringSince) {
      // While it measures, only what was sent since then: the rest has stood in the queue of before.
      this.#samples++
      this.#logs += Math.log(Math.max(0.05, milliseconds))
    }
    if (inFlight > this.#busiest) this.#busiest = inFlight
    if (this.#measuringSince !== -1) {
      if (this.#samples >= BASE_SAMPLES) this.#measured(now)
      return
    }
    // Sooner than after a round trip, what the last change did cannot be seen yet.
    if (now - this.#windowSince < Math.max(WINDOW_MS, this.#base)) return
    if (this.#samples + this.#drops >= WINDOW_SAMPLES) this.#judge(now)
  }

  /** The first measurement is made with the limit it begins with. */
  get #share(): number {
    return this.#base === 0 ? 1 : CUT
  }

  #measured(now: number): void {
    this.#base = Math.exp(this.#logs / this.#samples)
    this.#measuringSince = -1
    this.#nextMeasure = now + BASE_EVERY_MS * (0.9 + 0.2 * this.#random())
    this.#atMin = 0
    this.#next(now)
  }

  #judge(now: number): void {
    const busy = this.#busiest >= this.#limit / 2
    if (this.#drops > 0) {
      this.#starting = false
      // Refused is refused, whatever the others' times are; once a window, or a burst would take all.
      this.#limit = this.#clamp(this.#limit * DROP_CUT)
    } else {
      const mean = Math.exp(this.#logs / this.#samples)
      if (mean < this.#base) this.#base = mean
      // A limit that nobody comes near is neither right nor wrong: it stays, whatever the times are.
      if (busy) this.#follow(mean)
    }
    this.#atMin = busy && this.#limit <= this.#min ? this.#atMin + 1 : 0
    this.#next(now)
    if (now >= this.#nextMeasure || this.#atMin >= DOUBT) this.#measuringSince = now
  }

  #follow(mean: number): void {
    const gradient = Math.max(CUT, Math.min(1, (this.#base * TOLERANCE) / mean))
    if (gradient < 1) this.#starting = false
    // Room that is not used need not grow: what comes with the next flood would stand in it.
    else if (this.#busiest < Math.floor(this.#limit) * 0.8) return
    const grown = this.#starting ? this.#limit * 1.5 : this.#limit
    // The square root is the room in which a longer queue shows: without it no limit would ever grow.
    this.#limit = this.#clamp(grown * gradient + Math.sqrt(this.#limit) / 2)
  }

  #next(now: number): void {
    this.#windowSince = now
    this.#samples = 0
    this.#logs = 0
    this.#busiest = 0
    this.#drops = 0
  }

  #clamp(limit: number): number {
    return Math.max(this.#min, Math.min(this.#max, limit))
  }
}

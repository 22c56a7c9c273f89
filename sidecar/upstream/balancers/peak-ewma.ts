import type { Random } from '../../runtime/random.ts'
import type { Endpoint } from '../endpoint.ts'
import { isGatewayError, type Outcome } from '../outcome.ts'
import type { Balancer, Candidate, PickAsk, Picker } from '../picker.ts'
import { WeightedDraw } from './weighted-draw.ts'

/** Over this long, in milliseconds, an observation fades to a third. */
const DECAY = 10_000
/** What one counts as, in milliseconds, whose first answer is awaited. */
const INITIAL = 30
/** What a refusal counts as, in milliseconds, whatever it took; a Retry-After says better. */
const PENALTY = 5000
const MAX_PENALTY = 300_000

/**
 * Two endpoints by chance, and the cheaper of them: expected latency times requests in flight. Latency is a moving
 * average that jumps to each peak at once and decays slowly, so that an endpoint that turns slow is left within one
 * answer, and comes back as it proves itself.
 *
 * A failure is often fast, and would look like the best endpoint of all and draw everything to itself. So gateway errors
 * and 429 count as taking five seconds, or what their Retry-After says, and at most five minutes.
 */
export class PeakEwma implements Balancer {
  readonly #random: Random
  readonly #now: () => number
  /** By endpoint and not by picker, so that what was measured survives every change of the list. */
  readonly #latencies = new WeakMap<Endpoint, Latency>()

  constructor(random: Random, now: () => number) {
    this.#random = random
    this.#now = now
  }

  picker(candidates: readonly Candidate[]): Picker {
    const measured = candidates.map(({ endpoint, weight }) => ({
      endpoint,
      weight,
      latency: this.#latencyOf(endpoint),
    }))
    return new PeakEwmaPicker(new WeightedDraw(measured, this.#random), this.#now)
  }

  observe(endpoint: Endpoint, outcome: Outcome): void {
    this.#latencyOf(endpoint).observe(countedAs(outcome), this.#now())
  }

  #latencyOf(endpoint: Endpoint): Latency {
    const known = this.#latencies.get(endpoint)
    if (known !== undefined) return known
    const fresh = new Latency()
    this.#latencies.set(endpoint, fresh)
    return fresh
  }
}

interface Measured extends Candidate {
  readonly latency: Latency
}

class PeakEwmaPicker implements Picker {
  readonly #draw: WeightedDraw<Measured>
  readonly #now: () => number
  constructor(draw: WeightedDraw<Measured>, now: () => number) {
    this.#draw = draw
    this.#now = now
  }

  pick({ avoid }: PickAsk): Endpoint | null {
    const draw = this.#draw
    const { candidates } = draw
    if (candidates.length < 2) return candidates[0]?.endpoint ?? null
    const first = draw.draw()
    const a = candidates[first] as Measured
    const b = candidates[draw.drawOther(first)] as Measured
    if (a.endpoint === avoid) return b.endpoint
    if (b.endpoint === avoid) return a.endpoint
    const now = this.#now()
    return cost(b, draw.meanWeight, now) < cost(a, draw.meanWeight, now) ? b.endpoint : a.endpoint
  }
}

/** Weights say how often one is drawn and how many in flight are as good as one, as in `LeastRequest`. */
function cost({ endpoint, weight, latency }: Measured, meanWeight: number, now: number): number {
  const { inFlight } = endpoint
  return latency.at(now, inFlight === 0) * (1 + (inFlight * meanWeight) / weight)
}

function countedAs(outcome: Outcome): number {
  const { milliseconds, retryAfter } = outcome
  if (!isGatewayError(outcome.status) && outcome.status !== 429) return milliseconds
  return Math.max(milliseconds, Math.min(retryAfter ?? PENALTY, MAX_PENALTY))
}

/** The moving average of one endpoint. */
class Latency {
  #value = INITIAL
  #measured = false
  #since = 0

  observe(milliseconds: number, now: number): void {
    if (!this.#measured || milliseconds > this.#value) {
      this.#value = milliseconds
    } else {
      const kept = Math.exp((this.#since - now) / DECAY)
      this.#value = this.#value * kept + milliseconds * (1 - kept)
    }
    this.#measured = true
    this.#since = now
  }

  /**
   * What to expect. One that was never measured is tried first, by one request at a time.
   *
   * @param idle whether nothing is in flight. Only then, and after `DECAY`, is what was measured forgotten, so that one
   *   that nobody asks any more is tried again one day; one that does not answer must not look better the longer it is
   *   silent.
   */
  at(now: number, idle: boolean): number {
    if (!idle) return this.#value
    if (!this.#measured) return 0
    const forgotten = now - this.#since - DECAY
    return forgotten <= 0 ? this.#value : this.#value * Math.exp(-forgotten / DECAY)
  }
}

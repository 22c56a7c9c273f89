import type { Random } from '../../runtime/random.ts'
import type { Endpoint } from '../endpoint.ts'
import type { Balancer, Candidate, PickAsk, Picker } from '../picker.ts'
import { WeightedDraw } from './weighted-draw.ts'

/**
 * Two endpoints by chance, and the less busy of them (power of two choices). Nearly as even as looking at all of
 * them, at a fixed cost, and without the herd that a global minimum attracts.
 *
 * Weights decide twice: how often one is drawn, and how many requests in flight count as equally busy. So shares follow
 * the weights both where nothing is ever in flight (the first drawn wins a tie) and under load.
 */
export class LeastRequest implements Balancer {
  readonly #random: Random
  constructor(random: Random) {
    this.#random = random
  }

  picker(candidates: readonly Candidate[]): Picker {
    return new LeastRequestPicker(new WeightedDraw(candidates, this.#random))
  }
}

class LeastRequestPicker implements Picker {
  readonly #draw: WeightedDraw<Candidate>
  constructor(draw: WeightedDraw<Candidate>) {
    this.#draw = draw
  }

  pick({ avoid }: PickAsk): Endpoint | null {
    const draw = this.#draw
    const { candidates } = draw
    if (candidates.length < 2) return candidates[0]?.endpoint ?? null
    const first = draw.draw()
    const a = candidates[first] as Candidate
    const b = candidates[draw.drawOther(first)] as Candidate
    if (a.endpoint === avoid) return b.endpoint
    if (b.endpoint === avoid) return a.endpoint
    return b.endpoint.inFlight / b.weight < a.endpoint.inFlight / a.weight ? b.endpoint : a.endpoint
  }
}

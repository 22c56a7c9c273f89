import type { Random as RandomSource } from '../../runtime/random.ts'
import type { Endpoint } from '../endpoint.ts'
import type { Balancer, Candidate, PickAsk, Picker } from '../picker.ts'
import { WeightedDraw } from './weighted-draw.ts'

/** Any endpoint, each as often as its weight says. Knows nothing of load, and needs no memory of what it did. */
export class RandomBalancer implements Balancer {
  readonly #random: RandomSource
  constructor(random: RandomSource) {
    this.#random = random
  }

  picker(candidates: readonly Candidate[]): Picker {
    return new RandomPicker(candidates, this.#random)
  }
}

/** Picks by chance: also what a balancer does with a request that has nothing of what it hashes by. */
export class RandomPicker implements Picker {
  readonly #draw: WeightedDraw<Candidate>
  constructor(candidates: readonly Candidate[], random: RandomSource) {
    this.#draw = new WeightedDraw(candidates, random)
  }

  pick({ avoid }: PickAsk): Endpoint | null {
    const { candidates } = this.#draw
    if (candidates.length < 2) return candidates[0]?.endpoint ?? null
    const drawn = this.#draw.draw()
    const endpoint = (candidates[drawn] as Candidate).endpoint
    if (endpoint !== avoid) return endpoint
    return (candidates[this.#draw.drawOther(drawn)] as Candidate).endpoint
  }
}

import type { Random } from '../../runtime/random.ts'
import type { Endpoint } from '../endpoint.ts'
import type { Balancer, Candidate, Picker } from '../picker.ts'

/**
 * Two endpoints by chance, and the less busy of them (power of two choices). Nearly as even as looking at all of
 * them, at a fixed cost, and without the herd that a global minimum attracts. Weights divide the load that is seen.
 */
export class LeastRequest implements Balancer {
  readonly #random: Random
  constructor(random: Random) {
    this.#random = random
  }

  picker(candidates: readonly Candidate[]): Picker {
    const usable = candidates.filter(candidate => candidate.weight > 0)
    if (usable.length < 2) return { pick: () => usable[0]?.endpoint ?? null }
    return { pick: ask => this.#pick(usable, ask.avoid) }
  }

  #pick(candidates: readonly Candidate[], avoid: Endpoint | null): Endpoint {
    const count = candidates.length
    const first = Math.floor(this.#random() * count)
    // The second is never the first: drawn from the others.
    const second = (first + 1 + Math.floor(this.#random() * (count - 1))) % count
    const a = candidates[first] as Candidate
    const b = candidates[second] as Candidate
    if (a.endpoint === avoid) return b.endpoint
    if (b.endpoint === avoid) return a.endpoint
    return load(b) < load(a) ? b.endpoint : a.endpoint
  }
}

/** Plus one, so that among idle endpoints the weight still counts. */
function load(candidate: Candidate): number {
  return (candidate.endpoint.inFlight + 1) / candidate.weight
}

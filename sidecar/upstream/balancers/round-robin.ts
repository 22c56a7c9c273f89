import type { Endpoint } from '../endpoint.ts'
import type { Balancer, Candidate, Picker } from '../picker.ts'

interface Turn {
  readonly endpoint: Endpoint
  readonly weight: number
  current: number
}

/**
 * Each endpoint in turn, by weight, and evenly spread within a round (nginx's smooth weighted round-robin): a, b, a, c
 * and not a, a, b, c. With equal weights it is plain round-robin.
 */
export class RoundRobin implements Balancer {
  /** Where the round stands survives a change of endpoints, so that a busy name does not always begin with its first. */
  #next = 0

  picker(candidates: readonly Candidate[]): Picker {
    const weight = candidates[0]?.weight
    return candidates.every(candidate => candidate.weight === weight)
      ? { pick: ask => this.#pickEqual(candidates, ask.avoid) }
      : weighted(candidates)
  }

  #pickEqual(candidates: readonly Candidate[], avoid: Endpoint | null): Endpoint | null {
    const count = candidates.length
    if (count === 0) return null
    let endpoint = (candidates[this.#next++ % count] as Candidate).endpoint
    if (endpoint === avoid && count > 1) endpoint = (candidates[this.#next++ % count] as Candidate).endpoint
    return endpoint
  }
}

function weighted(candidates: readonly Candidate[]): Picker {
  const turns: Turn[] = candidates
    .filter(candidate => candidate.weight > 0)
    .map(({ endpoint, weight }) => ({ endpoint, weight, current: 0 }))
  return {
    pick({ avoid }) {
      let best: Turn | null = null
      let total = 0
      for (const turn of turns) {
        if (turn.endpoint === avoid && turns.length > 1) continue
        turn.current += turn.weight
        total += turn.weight
        if (best === null || turn.current > best.current) best = turn
      }
      if (best === null) return null
      best.current -= total
      return best.endpoint
    },
  }
}

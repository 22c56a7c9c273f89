import type { Endpoint } from '../endpoint.ts'
import type { Balancer, Candidate, Picker } from '../picker.ts'

/** How far an endpoint is from its next turn. */
interface Standing {
  current: number
}

interface Turn {
  readonly endpoint: Endpoint
  readonly weight: number
  readonly standing: Standing
}

/**
 * Each endpoint in turn, by weight, and evenly spread within a round (nginx's smooth weighted round-robin): a, b, a, c
 * and not a, a, b, c. With equal weights it is plain round-robin.
 */
export class RoundRobin implements Balancer {
  /** Where the round stands survives a change of endpoints, so that a busy name does not always begin with its first. */
  #next = 0
  /** The same where there are weights, which change often while an endpoint starts slowly. */
  readonly #standings = new WeakMap<Endpoint, Standing>()

  picker(candidates: readonly Candidate[]): Picker {
    const usable = candidates.filter(candidate => candidate.weight > 0)
    const weight = usable[0]?.weight
    return usable.every(candidate => candidate.weight === weight)
      ? { pick: ask => this.#pickEqual(usable, ask.avoid) }
      : this.#weighted(usable)
  }

  #pickEqual(candidates: readonly Candidate[], avoid: Endpoint | null): Endpoint | null {
    const count = candidates.length
    if (count === 0) return null
    let endpoint = (candidates[this.#next++ % count] as Candidate).endpoint
    if (endpoint === avoid && count > 1) endpoint = (candidates[this.#next++ % count] as Candidate).endpoint
    return endpoint
  }

  #weighted(candidates: readonly Candidate[]): Picker {
    const turns: readonly Turn[] = candidates.map(({ endpoint, weight }) => {
      const standing = this.#standings.get(endpoint) ?? { current: 0 }
      this.#standings.set(endpoint, standing)
      return { endpoint, weight, standing }
    })
    return { pick: ask => nextTurn(turns, ask.avoid) }
  }
}

function nextTurn(turns: readonly Turn[], avoid: Endpoint | null): Endpoint | null {
  let best: Turn | null = null
  let total = 0
  for (const turn of turns) {
    if (turn.endpoint === avoid && turns.length > 1) continue
    turn.standing.current += turn.weight
    total += turn.weight
    if (best === null || turn.standing.current > best.standing.current) best = turn
  }
  if (best === null) return null
  best.standing.current -= total
  return best.endpoint
}

import type { Random } from '../runtime/random.ts'
import type { Group } from './eligibility.ts'
import type { Endpoint } from './endpoint.ts'
import type { Balancer, PickAsk, Picker } from './picker.ts'

interface Part {
  readonly share: number
  readonly picker: Picker
  readonly group: Group
}

/** A picker over groups, each of which takes its share and chooses among its own as the balancer does. */
export function groupPicker(groups: readonly Group[], balancer: Balancer, random: Random): Picker {
  const filled = groups.filter(group => group.candidates.length > 0)
  if (filled.length < 2) return balancer.picker(filled[0]?.candidates ?? [])
  return new GroupPicker(filled, balancer, random)
}

class GroupPicker implements Picker {
  readonly #random: Random
  readonly #parts: readonly Part[]
  readonly #total: number

  constructor(groups: readonly Group[], balancer: Balancer, random: Random) {
    this.#random = random
    this.#parts = groups.map(group => ({
      share: group.share,
      picker: balancer.picker(group.candidates),
      group,
    }))
    this.#total = groups.reduce((sum, group) => sum + group.share, 0)
  }

  pick(ask: PickAsk): Endpoint | null {
    // Whoever is bound to an endpoint is bound to it in whatever group it stands.
    if (ask.sticky !== '') {
      for (const { group, picker } of this.#parts)
        if (group.candidates.some(({ endpoint }) => endpoint.token === ask.sticky)) return picker.pick(ask)
    }
    const first = this.#choose(ask.hash)
    const endpoint = first.picker.pick(ask)
    if (endpoint !== null && endpoint !== ask.avoid) return endpoint
    // The only one of its group is the one to be avoided.
    for (const part of this.#parts) {
      if (part === first || part.share === 0) continue
      const other = part.picker.pick(ask)
      if (other !== null && other !== ask.avoid) return other
    }
    return endpoint
  }

  /** By the request's hash where it has one, so that it is always the same group; else by chance. */
  #choose(hash: number): Part {
    let at = (hash === -1 ? this.#random() : mixed(hash) / 2 ** 32) * this.#total
    let chosen: Part | undefined
    for (const part of this.#parts) {
      if (part.share === 0) continue
      chosen = part
      at -= part.share
      if (at < 0) break
    }
    return chosen ?? (this.#parts[0] as Part) // there are two or more
  }
}

/** Other bits than the balancer decides by: else a group would see only its own stretch of the hashes. */
function mixed(hash: number): number {
  let bits = hash ^ (hash >>> 16)
  bits = Math.imul(bits, 0x7feb352d)
  bits = Math.imul(bits ^ (bits >>> 15), 0x846ca68b)
  return (bits ^ (bits >>> 16)) >>> 0
}

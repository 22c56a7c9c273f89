import type { Endpoint } from '../endpoint.ts'
import type { Candidate, PickAsk, Picker } from '../picker.ts'

/** Places in a row, each with its owner: where keys fall. */
export interface HashTable {
  /** The owner of each place, as its number in the list that the table was built of. */
  readonly owners: Uint16Array | Uint32Array
  /** The place of a 32-bit hash. */
  place(hash: number): number
}

/** The candidates that take keys, in an order that is the same in every process, however they were found. */
export function inHashOrder(candidates: readonly Candidate[]): readonly Candidate[] {
  return candidates
    .filter(candidate => candidate.weight > 0)
    .toSorted((a, b) => (a.endpoint.label < b.endpoint.label ? -1 : 1))
}

/** Picks the owner of the request's place; where that one is to be avoided, the next other one, always the same. */
export class HashPicker implements Picker {
  readonly #candidates: readonly Candidate[]
  readonly #table: HashTable
  /** For requests that have nothing to hash. */
  readonly #keyless: Picker

  /** @param candidates two or more, in the order of the table's numbers */
  constructor(candidates: readonly Candidate[], table: HashTable, keyless: Picker) {
    this.#candidates = candidates
    this.#table = table
    this.#keyless = keyless
  }

  pick(ask: PickAsk): Endpoint | null {
    if (ask.hash === -1) return this.#keyless.pick(ask)
    const { owners } = this.#table
    const { length } = owners
    const place = this.#table.place(ask.hash)
    const first = this.#owner(owners, place)
    if (first !== ask.avoid) return first
    for (let at = (place + 1) % length; at !== place; at = (at + 1) % length) {
      const next = this.#owner(owners, at)
      if (next !== ask.avoid) return next
    }
    return first
  }

  #owner(owners: Uint16Array | Uint32Array, place: number): Endpoint {
    return (this.#candidates[owners[place] as number] as Candidate).endpoint
  }
}

import type { Random } from '../../runtime/random.ts'
import type { Balancer, Candidate, Picker } from '../picker.ts'
import { HashPicker, type HashTable, inHashOrder } from './hash-picker.ts'
import { RandomPicker } from './random.ts'

/** How many tables are remembered: one for each group of endpoints that priority and zone make, and one of before. */
const KEPT = 4

/** What makes a table of two or more candidates, which are in hash order and have weights above 0. */
export type TableBuilder = (candidates: readonly Candidate[]) => HashTable

/**
 * Keys stay with their endpoint as long as it is there: a balancer by a table, `ring-hash` or `maglev`. A table is
 * built for candidates that were not there before: the same endpoints in another order are the same.
 */
export class HashBalancer implements Balancer {
  readonly #build: TableBuilder
  readonly #random: Random
  readonly #built: { readonly candidates: readonly Candidate[]; readonly picker: Picker }[] = []

  constructor(build: TableBuilder, random: Random) {
    this.#build = build
    this.#random = random
  }

  picker(given: readonly Candidate[]): Picker {
    const candidates = inHashOrder(given)
    const keyless = new RandomPicker(candidates, this.#random)
    if (candidates.length < 2) return keyless
    const known = this.#built.find(one => sameAs(one.candidates, candidates))
    if (known !== undefined) return known.picker
    const picker = new HashPicker(candidates, this.#build(candidates), keyless)
    if (this.#built.unshift({ candidates, picker }) > KEPT) this.#built.pop()
    return picker
  }
}

function sameAs(before: readonly Candidate[], after: readonly Candidate[]): boolean {
  return (
    before.length === after.length &&
    before.every(
      ({ endpoint, weight }, at) => endpoint === after[at]?.endpoint && weight === after[at].weight,
    )
  )
}

import type { Random } from '../../runtime/random.ts'
import type { Candidate } from '../picker.ts'

/** Draws candidates by chance, each as often as its weight says; those of weight 0 never. */
export class WeightedDraw<C extends Candidate> {
  /** The candidates that can be drawn. */
  readonly candidates: readonly C[]
  /** What an average weight is: weights are relative, and this makes them comparable with counts. */
  readonly meanWeight: number
  readonly #random: Random
  /** Where each candidate's stretch of the line of weights ends; null where all are alike. */
  readonly #ends: Float64Array | null
  readonly #total: number

  constructor(candidates: readonly C[], random: Random) {
    this.candidates = candidates.filter(candidate => candidate.weight > 0)
    this.#random = random
    const weight = this.candidates[0]?.weight
    const ends = new Float64Array(this.candidates.length)
    let total = 0
    this.candidates.forEach((candidate, at) => (ends[at] = total += candidate.weight))
    this.#total = total
    this.#ends = this.candidates.every(candidate => candidate.weight === weight) ? null : ends
    this.meanWeight = total / Math.max(1, this.candidates.length)
  }

  /** A candidate's place in the list; there has to be one. */
  draw(): number {
    const count = this.candidates.length
    return this.#ends === null
      ? Math.floor(this.#random() * count)
      : this.#at(this.#ends, this.#random() * this.#total)
  }

  /** Another one's place; there have to be two. */
  drawOther(than: number): number {
    const count = this.candidates.length
    const ends = this.#ends
    if (ends === null) return (than + 1 + Math.floor(this.#random() * (count - 1))) % count
    const start = than === 0 ? 0 : (ends[than - 1] as number)
    const own = (ends[than] as number) - start
    const drawn = this.#random() * (this.#total - own)
    const other = this.#at(ends, drawn < start ? drawn : drawn + own)
    // Rounding can put a draw at a stretch's edge into it.
    return other === than ? (than + 1) % count : other
  }

  #at(ends: Float64Array, drawn: number): number {
    let from = 0
    let to = ends.length - 1
    while (from < to) {
      const middle = (from + to) >>> 1
      if ((ends[middle] as number) > drawn) to = middle
      else from = middle + 1
    }
    return from
  }
}

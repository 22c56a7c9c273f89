import type { DynamicTable } from './dynamic-table.ts'
import { type Indexing, indexingOf } from './indexing.ts'
import { STATIC_ENTRIES, STATIC_NAMES } from './static-table.ts'

// Places of a name in the table that are remembered; a power of two.
const PLACES = 8

// A name begins with so many values that may be indexed in vain, and never has more than the most.
const FIRST_CREDIT = 8
const MOST_CREDIT = 16
// One whose values did not come again has every so-many-th indexed, in case that changes.
const TRIES = 32

// Of names whose values often hold secrets or numbers.
const QUERY = '?'
const LONGEST_PATH = 128

const LONGEST_BESIDE_NAME = 64

/** The first and last index of each name in the static table. */
const statics = new Map<string, { first: number; last: number }>()
for (let index = 1; index <= STATIC_ENTRIES; index++) {
  const name = STATIC_NAMES[index] as string
  const range = statics.get(name)
  if (range === undefined) statics.set(name, { first: index, last: index })
  else range.last = index
}

/** What an encoder knows of a field name: where it is in the tables, and whether indexing its values pays. */
export class NameEntries {
  readonly indexing: Indexing
  /** Its first index in the static table, 0 where it has none. */
  readonly firstStatic: number
  /** Its last index there, -1 where it has none. */
  readonly lastStatic: number
  /** The number of its newest entry in the dynamic table, which may be gone; -1 where there was none. */
  newest = -1
  readonly #isPath: boolean
  readonly #places: number[] = []
  #credit = FIRST_CREDIT
  #tries = 0

  constructor(name: string) {
    this.indexing = indexingOf(name)
    this.#isPath = name === ':path'
    const range = statics.get(name)
    this.firstStatic = range?.first ?? 0
    this.lastStatic = range?.last ?? -1
  }

  /** The number of the entry with this value, -1 where it is not among those remembered. */
  find(table: DynamicTable, value: string, oldest: number): number {
    const places = this.#places
    for (let i = 0; i < places.length; i++) {
      const entry = places[i] as number
      if (entry < oldest || table.value(entry) !== value) continue
      if (this.#credit < MOST_CREDIT) this.#credit++
      return entry
    }
    return -1
  }

  /**
   * Whether to index a value that was not found. A name that has no index is put into the table with any value, so that
   * literals after it refer to it.
   */
  indexes(value: string, oldest: number): boolean {
    if (this.firstStatic === 0 && this.newest < oldest && value.length <= LONGEST_BESIDE_NAME) return true
    if (this.indexing !== 'adaptive') return false
    if (this.#isPath && (value.length > LONGEST_PATH || value.includes(QUERY))) return false
    if (this.#credit > 0) {
      this.#credit--
      return true
    }
    this.#tries = (this.#tries + 1) % TRIES
    return this.#tries === 0
  }

  /** A value of this name becomes an entry of this number. */
  remember(entry: number): void {
    if (this.#places.length < PLACES) this.#places.push(entry)
    else this.#places[this.#oldestPlace()] = entry
    this.newest = entry
  }

  #oldestPlace(): number {
    let oldest = 0
    for (let i = 1; i < PLACES; i++)
      if ((this.#places[i] as number) < (this.#places[oldest] as number)) oldest = i
    return oldest
  }
}

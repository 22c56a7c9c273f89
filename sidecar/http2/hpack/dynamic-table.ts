/** What each entry costs beside its name and value (RFC 7541 section 4.1). */
export const ENTRY_OVERHEAD = 32

/** The size of the table before anybody says otherwise (RFC 9113 section 6.5.2). */
export const DEFAULT_TABLE_BYTES = 4096

const FIRST_SLOTS = 16

/**
 * The dynamic table of one direction of a connection (RFC 7541 section 2.3.2): a ring that grows to what it has to hold.
 * Entries are found by their number, counted from 0 over the life of the table; the newest is `inserted - 1`, and there
 * are `count`.
 */
export class DynamicTable {
  /** How many entries there ever were. */
  inserted = 0
  /** How many there are. */
  count = 0
  /** What they take, in the bytes of RFC 7541 section 4.1. */
  size = 0
  /** What they may take. */
  capacity: number
  #names: string[] = new Array<string>(FIRST_SLOTS).fill('')
  #values: string[] = new Array<string>(FIRST_SLOTS).fill('')
  #faults = new Uint8Array(FIRST_SLOTS)

  constructor(capacity: number) {
    this.capacity = capacity
  }

  /** The name of an entry that is there. */
  name(entry: number): string {
    return this.#names[entry & (this.#names.length - 1)] as string
  }

  /** The value of an entry that is there. */
  value(entry: number): string {
    return this.#values[entry & (this.#values.length - 1)] as string
  }

  /** What is wrong with an entry that is there, as in `field-bytes.ts`. */
  faults(entry: number): number {
    return this.#faults[entry & (this.#faults.length - 1)] as number
  }

  /** Adds an entry, for which the oldest make room. One larger than the table leaves it empty (section 4.4). */
  add(name: string, value: string, faults: number): void {
    const bytes = name.length + value.length + ENTRY_OVERHEAD
    this.#evict(this.capacity - bytes)
    if (bytes > this.capacity) return
    if (this.count === this.#names.length) this.#grow()
    const slot = this.inserted & (this.#names.length - 1)
    this.#names[slot] = name
    this.#values[slot] = value
    this.#faults[slot] = faults
    this.inserted++
    this.count++
    this.size += bytes
  }

  /** Changes what the table may hold; the oldest that do not fit go. */
  resize(capacity: number): void {
    this.capacity = capacity
    this.#evict(capacity)
  }

  /** Empties the table. */
  clear(): void {
    this.#evict(0)
  }

  #evict(size: number): void {
    while (this.size > size && this.count > 0) {
      const slot = (this.inserted - this.count) & (this.#names.length - 1)
      this.size -=
        (this.#names[slot] as string).length + (this.#values[slot] as string).length + ENTRY_OVERHEAD
      this.#names[slot] = ''
      this.#values[slot] = ''
      this.count--
    }
  }

  #grow(): void {
    const slots = this.#names.length * 2
    const names = new Array<string>(slots).fill('')
    const values = new Array<string>(slots).fill('')
    const faults = new Uint8Array(slots)
    for (let entry = this.inserted - this.count; entry < this.inserted; entry++) {
      const slot = entry & (slots - 1)
      names[slot] = this.name(entry)
      values[slot] = this.value(entry)
      faults[slot] = this.faults(entry)
    }
    this.#names = names
    this.#values = values
    this.#faults = faults
  }
}

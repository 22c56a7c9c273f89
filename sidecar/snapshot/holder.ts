import type { Generation } from './generation.ts'

/** The one place where the serving generation stands, and the one assignment that changes it. */
export class Holder {
  #current: Generation
  #older = 0
  /** The last generation of each address that is gone and still drains. */
  readonly #retired = new Map<string, Generation>()

  constructor(first: Generation) {
    this.#current = first
  }

  get current(): Generation {
    return this.#current
  }

  /** How many swaps there were. */
  get swaps(): number {
    return this.#older
  }

  /**
   * Lends a generation to one request, which gives it back when it is over: the serving one, or, for an address that
   * is gone and drains, the last that had it.
   * @param entry the acceptor's key
   */
  take(entry: string): Generation {
    const generation = this.#retired.size === 0 ? this.#current : (this.#retired.get(entry) ?? this.#current)
    generation.take()
    return generation
  }

  /** Keeps a generation for what still comes in at an address that the next ones do not have. */
  retire(entry: string, generation: Generation): void {
    this.restore(entry)
    generation.take()
    this.#retired.set(entry, generation)
  }

  /** The address has drained, or serves again. */
  restore(entry: string): void {
    const generation = this.#retired.get(entry)
    this.#retired.delete(entry)
    generation?.give()
  }

  /** From here on every request reads the next generation. */
  swap(next: Generation): void {
    const before = this.#current
    this.#current = next
    this.#older++
    before.give()
  }
}

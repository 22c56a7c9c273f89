import type { Generation } from './generation.ts'

/** The one place where the serving generation stands, and the one assignment that changes it. */
export class Holder {
  #current: Generation
  #older = 0

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

  /** Lends the serving generation to one request, which gives it back when it is over. */
  take(): Generation {
    this.#current.take()
    return this.#current
  }

  /** From here on every request reads the next generation. */
  swap(next: Generation): void {
    const before = this.#current
    this.#current = next
    this.#older++
    before.give()
  }
}

/** What is kept of a credential that was good. */
export interface Verified {
  /** Monotonic milliseconds from which on it is verified again. */
  readonly until: number
}

/**
 * Credentials that were verified, by digest, bounded. Two halves: what is asked for moves to the young one, and when that
 * is full the old one goes, so that what is used stays and nothing is sorted.
 */
export class VerifiedTokens<T extends Verified> {
  readonly #half: number
  #young = new Map<string, T>()
  #old = new Map<string, T>()

  /** @param most entries */
  constructor(most = 10_000) {
    this.#half = Math.ceil(most / 2)
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }

  get(id: string, now: number): T | undefined {
    let entry = this.#young.get(id)
    if (entry === undefined) {
      entry = this.#old.get(id)
      if (entry === undefined) return undefined
      this.#old.delete(id)
      if (entry.until > now) this.set(id, entry)
    }
    if (entry.until > now) return entry
    this.#young.delete(id)
    return undefined
  }

  set(id: string, entry: T): void {
    this.#young.set(id, entry)
    if (this.#young.size < this.#half) return
    this.#old = this.#young
    this.#young = new Map()
  }

  delete(id: string): void {
    this.#young.delete(id)
    this.#old.delete(id)
  }

  clear(): void {
    this.#young.clear()
    this.#old.clear()
  }
}

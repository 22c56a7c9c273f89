/** How many keys a limit remembers. */
export const MOST_KEYS = 100_000

/**
 * A bounded map of what was used lately: two halves, of which the older is dropped when the younger is full, or when so
 * much time has passed that nothing in it means anything any more. A hit in the young half costs one look-up and no
 * order is kept within a half, so that this is what a request pays; what is dropped was not used while half of the bound
 * of other keys was.
 */
export class RecentKeys<V> {
  readonly #half: number
  /** Milliseconds after which a value that nobody used means nothing. */
  readonly #life: number
  #young = new Map<string, V>()
  #old = new Map<string, V>()
  #turnedAt = -Infinity

  constructor(life: number, most = MOST_KEYS) {
    this.#life = life
    this.#half = Math.max(1, most >> 1)
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }

  get(key: string, now: number, open: () => V): V {
    if (now - this.#turnedAt >= this.#life) this.#turn(now)
    let value = this.#young.get(key)
    if (value !== undefined) return value
    value = this.#old.get(key)
    if (value === undefined) value = open()
    else this.#old.delete(key)
    if (this.#young.size >= this.#half) this.#turn(now)
    this.#young.set(key, value)
    return value
  }

  /** What is remembered, in no order. */
  *entries(): Generator<[key: string, value: V]> {
    yield* this.#old
    yield* this.#young
  }

  #turn(now: number): void {
    this.#turnedAt = now
    this.#old = this.#young
    this.#young = new Map()
  }
}

/** A hold on a piece of live state. Released exactly once; a second release is a bug and throws. */
export interface Lease<T> {
  readonly value: T
  release(): void
}

interface Entry {
  readonly value: unknown
  readonly close: () => void
  count: number
}

/** The identity of a piece of live state: a kind and what makes the thing another thing. Never a joined string. */
export type IdentityKey = readonly (string | number | boolean | null)[]

/**
 * Live state that outlives configuration: pools, endpoint counters, resolvers, limiter buckets. Reference-counted by
 * identity key, so that a reload which changes nothing about an upstream does not touch its connections, and state
 * that no generation holds any more is closed.
 */
export class Registry {
  readonly #entries = new Map<string, Entry>()

  /** How many pieces are alive. */
  get size(): number {
    return this.#entries.size
  }

  /**
   * Takes the state under `key`, opening it where it is not there yet.
   * @param open makes the state; may start timers and I/O
   * @param close ends it, when the last lease is released
   */
  acquire<T>(key: IdentityKey, open: () => T, close: (value: T) => void): Lease<T> {
    const id = JSON.stringify(key, distinct)
    let entry = this.#entries.get(id)
    if (entry === undefined) {
      const value = open()
      entry = { value, close: () => close(value), count: 0 }
      this.#entries.set(id, entry)
    }
    const held = entry
    held.count++
    let released = false
    return {
      // The key names the kind, and each kind is acquired in one place with one type.
      value: held.value as T,
      release: () => {
        if (released) throw new Error(`lease released twice: ${id}`)
        released = true
        if (--held.count > 0) return
        this.#entries.delete(id)
        held.close()
      },
    }
  }

  /** The keys that are alive, for the admin endpoint and for tests that look for leaks. */
  keys(): string[] {
    return [...this.#entries.keys()]
  }
}

/**
 * JSON of an array of scalars is injective, so that no two keys share one text, but for the numbers that JSON writes as
 * null or without their sign: those become an array, which no part of a key is.
 */
function distinct(_index: string, part: unknown): unknown {
  if (typeof part !== 'number' || (Number.isFinite(part) && !Object.is(part, -0))) return part
  return [Object.is(part, -0) ? '-0' : String(part)]
}

import type { Stream } from './stream.ts'

const FIRST_SLOTS = 16

/**
 * The open streams of a session by id. Ids go up and streams go soon after they came, which a `Map` pays for with
 * rehashing; here a stream stands in the slot of its id, or in the next that is free.
 */
export class OpenStreams {
  size = 0
  /** A power of two, at most half of them taken. */
  #slots: (Stream | null)[] = new Array<Stream | null>(FIRST_SLOTS).fill(null)

  get(id: number): Stream | undefined {
    const slots = this.#slots
    const mask = slots.length - 1
    for (let at = (id >>> 1) & mask; ; at = (at + 1) & mask) {
      const stream = slots[at]
      if (stream === null || stream === undefined) return undefined
      if (stream.id === id) return stream
    }
  }

  /** Adds a stream whose id is not there yet. */
  add(stream: Stream): void {
    this.size++
    if (this.size * 2 > this.#slots.length) this.#grow()
    this.#put(stream)
  }

  remove(stream: Stream): void {
    const slots = this.#slots
    const mask = slots.length - 1
    let free = (stream.id >>> 1) & mask
    for (; slots[free] !== stream; free = (free + 1) & mask) if (slots[free] === null) return
    this.size--
    // What was pushed behind it moves up, so that no search ends at the gap.
    for (let at = (free + 1) & mask; ; at = (at + 1) & mask) {
      const other = slots[at]
      if (other === null || other === undefined) break
      const distance = (at - (other.id >>> 1)) & mask
      if (distance < ((at - free) & mask)) continue
      slots[free] = other
      free = at
    }
    slots[free] = null
  }

  /** Those that are open now: a list of its own. */
  list(): Stream[] {
    return this.#slots.filter(stream => stream !== null)
  }

  #put(stream: Stream): void {
    const slots = this.#slots
    const mask = slots.length - 1
    let at = (stream.id >>> 1) & mask
    while (slots[at] !== null) at = (at + 1) & mask
    slots[at] = stream
  }

  #grow(): void {
    const streams = this.list()
    this.#slots = new Array<Stream | null>(this.#slots.length * 2).fill(null)
    for (const stream of streams) this.#put(stream)
  }
}

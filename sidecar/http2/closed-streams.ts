/** How a stream ended: both sides were complete, the peer reset it, or we did. `unknown`: never there, or long ago. */
export type Ending = 'ended' | 'theirs' | 'ours' | 'unknown'

/** How many are remembered. What the peer may have sent before it heard of our reset comes within a round trip. */
const REMEMBERED = 128
const RESETS_REMEMBERED = 1024

/** What is still known of streams that are gone, so that late frames can be told from wrong ones (section 5.1). */
export class ClosedStreams {
  readonly #window: number
  /** How many bytes of DATA may still come for streams that we reset. */
  #late = 0
  readonly #ended = new Ring(REMEMBERED)
  #theirs: Ring | null = null
  #ours: Ring | null = null

  /** @param window how much DATA of a stream may be on its way */
  constructor(window: number) {
    this.#window = window
  }

  note(id: number, ending: Exclude<Ending, 'unknown'>): void {
    if (ending === 'ended') this.#ended.add(id)
    else if (ending === 'ours') {
      this.#late = Math.min(this.#late + this.#window, RESETS_REMEMBERED * this.#window)
      ;(this.#ours ??= new Ring(RESETS_REMEMBERED)).add(id)
    } else (this.#theirs ??= new Ring(REMEMBERED)).add(id)
  }

  /**
   * DATA came for a stream that we reset: it was on its way, or its sender goes on for as long as that costs it nothing.
   * @returns whether it may have been on its way
   */
  takeLate(bytes: number): boolean {
    this.#late -= bytes
    return this.#late >= 0
  }

  ending(id: number): Ending {
    if (this.#ours !== null && this.#ours.has(id)) return 'ours'
    if (this.#theirs !== null && this.#theirs.has(id)) return 'theirs'
    return this.#ended.has(id) ? 'ended' : 'unknown'
  }
}

/** The newest of some numbers. */
class Ring {
  /** Grows to its size, which most sessions never need. */
  readonly #ids: number[] = []
  readonly #size: number
  #next = 0

  constructor(size: number) {
    this.#size = size
  }

  add(id: number): void {
    this.#ids[this.#next++] = id
    if (this.#next === this.#size) this.#next = 0
  }

  has(id: number): boolean {
    return this.#ids.includes(id)
  }
}

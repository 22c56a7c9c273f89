/** Into how many pieces a window is cut: what counts is between nine and ten of them. */
const PIECES = 10

/**
 * Trips when the share of failures in a sliding window reaches a ratio, once there are enough requests to judge by.
 * On the monotonic clock: cockatiel's own reads the wall clock, and keeps what is older than its window while no call
 * comes (docs/adr/0010-breakers.md).
 */
export class FailureRatio {
  readonly #ratio: number
  readonly #minimum: number
  readonly #width: number
  readonly #now: () => number
  readonly #successes = new Uint32Array(PIECES)
  readonly #failures = new Uint32Array(PIECES)
  #newest = -Infinity

  /** @param window milliseconds  @param now monotonic milliseconds */
  constructor(ratio: number, window: number, minimumRequests: number, now: () => number) {
    this.#ratio = ratio
    this.#minimum = minimumRequests
    this.#width = window / PIECES
    this.#now = now
  }

  success(): void {
    const slot = this.#slot()
    this.#successes[slot] = (this.#successes[slot] ?? 0) + 1
  }

  /** @returns whether the breaker opens */
  failure(): boolean {
    const slot = this.#slot()
    this.#failures[slot] = (this.#failures[slot] ?? 0) + 1
    let failed = 0
    let total = 0
    for (let i = 0; i < PIECES; i++) {
      failed += this.#failures[i] ?? 0
      total += (this.#failures[i] ?? 0) + (this.#successes[i] ?? 0)
    }
    return total >= this.#minimum && failed >= this.#ratio * total
  }

  /** The piece of this moment; those that time has passed over are empty again. */
  #slot(): number {
    const piece = Math.floor(this.#now() / this.#width)
    const stale = Math.min(PIECES, piece - this.#newest)
    for (let i = 0; i < stale; i++) {
      const slot = modulo(piece - i)
      this.#successes[slot] = 0
      this.#failures[slot] = 0
    }
    if (piece > this.#newest) this.#newest = piece
    return modulo(piece)
  }
}

function modulo(piece: number): number {
  return ((piece % PIECES) + PIECES) % PIECES
}

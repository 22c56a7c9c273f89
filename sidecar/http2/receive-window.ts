/** How much the peer may still send, and what it is owed (RFC 9113 section 6.9). */
export class ReceiveWindow {
  readonly #size: number
  #left: number
  #owed = 0

  constructor(size: number) {
    this.#size = size
    this.#left = size
  }

  /** Bytes came. @returns whether the peer was allowed to send them */
  take(bytes: number): boolean {
    this.#left -= bytes
    return this.#left >= 0
  }

  /** There is room again for bytes that came. */
  owe(bytes: number): void {
    this.#owed += bytes
  }

  /** The credit to give now: 0 until it is half a window. */
  credit(): number {
    const owed = this.#owed
    if (owed === 0 || owed * 2 < this.#size) return 0
    this.#owed = 0
    this.#left += owed
    return owed
  }
}

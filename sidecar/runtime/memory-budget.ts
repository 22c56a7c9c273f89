/**
 * How much memory may stand in buffers that live longer than one callback: replay copies, given-away read buffers,
 * carried bytes, HTTP/2 queues. One counter a thread. Over the soft mark nothing optional is buffered (a request
 * simply is not replayable); over the hard mark, a tenth above, new requests get 503 `overloaded`.
 */
export class MemoryBudget {
  readonly limit: number
  readonly #hard: number
  #used = 0

  /** @param limit the soft mark in bytes */
  constructor(limit: number) {
    this.limit = limit
    this.#hard = limit * 1.1
  }

  get used(): number {
    return this.#used
  }

  /** Whether something optional may still be buffered. */
  get roomy(): boolean {
    return this.#used < this.limit
  }

  /** Whether new work must be refused. */
  get exhausted(): boolean {
    return this.#used > this.#hard
  }

  take(bytes: number): void {
    this.#used += bytes
  }

  give(bytes: number): void {
    this.#used -= bytes
  }
}

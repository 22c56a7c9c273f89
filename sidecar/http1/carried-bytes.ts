/** How much is kept; beyond it the socket is read no further (docs/architecture.md, "Who owns a byte", rule 8). */
const LIMIT = 16_384
const NOTHING = Buffer.alloc(0)

/** Who reads them. */
export interface CarriedOwner {
  onCarried(): void
}

/** Bytes that came too early and wait for their turn: a pipelined request, or what a client sent before its tunnel stood. */
export class CarriedBytes {
  readonly #owner: CarriedOwner
  #bytes = NOTHING

  constructor(owner: CarriedOwner) {
    this.#owner = owner
  }

  get empty(): boolean {
    return this.#bytes.length === 0
  }

  /** Whether no more should be read. */
  get full(): boolean {
    return this.#bytes.length >= LIMIT
  }

  /** Copies a part of a buffer. */
  add(buffer: Buffer, start: number, end: number): void {
    const bytes = buffer.subarray(start, end)
    this.#bytes = this.empty ? Buffer.from(bytes) : Buffer.concat([this.#bytes, bytes])
  }

  /** Gives everything away. */
  take(): Buffer {
    const bytes = this.#bytes
    this.#bytes = NOTHING
    return bytes
  }

  /** Has the owner read them in a turn of its own, so that other connections have theirs. */
  later(): void {
    setImmediate(tell, this.#owner)
  }
}

function tell(owner: CarriedOwner): void {
  owner.onCarried()
}

import { ClosedStreams } from './closed-streams.ts'
import { OpenStreams } from './open-streams.ts'
import type { Stream } from './stream.ts'

/** The streams of a session: those that are open, and what is known of those that were. */
export class StreamTable {
  readonly closed: ClosedStreams
  /** The highest id that the peer began a stream with, and the highest of those that we did not leave out. */
  lastTheirs = 0
  lastTaken = 0
  readonly #open = new OpenStreams()
  readonly #ourParity: 0 | 1
  #nextOurs: number
  /** Streams of ours that have no id yet. */
  #unnumbered = 0

  /** @param window how much the peer may send on a stream ahead of our credit */
  constructor(side: 'server' | 'client', window: number) {
    this.closed = new ClosedStreams(window)
    this.#ourParity = side === 'client' ? 1 : 0
    this.#nextOurs = this.#ourParity === 1 ? 1 : 2
  }

  /** How many are open. */
  get size(): number {
    return this.#open.size + this.#unnumbered
  }

  /** Whether ids are left for new streams of ours. */
  get hasIds(): boolean {
    return this.#nextOurs + 2 * this.#unnumbered < 0x7fff_ffff
  }

  get(id: number): Stream | undefined {
    return this.#open.get(id)
  }

  /** Those that are open and have an id. */
  all(): Stream[] {
    return this.#open.list()
  }

  /** A stream of ours that has no id yet. */
  promise(): void {
    this.#unnumbered++
  }

  /** It gets its id with its first frame, so that ids go up in the order of the frames. @returns the id */
  number(stream: Stream): number {
    const id = this.#nextOurs
    this.#nextOurs += 2
    this.#unnumbered--
    stream.id = id
    this.#open.add(stream)
    return id
  }

  /** The peer begins a stream. */
  add(stream: Stream): void {
    this.#open.add(stream)
  }

  remove(stream: Stream): void {
    if (stream.id === 0) this.#unnumbered--
    else this.#open.remove(stream)
  }

  /** Whether a stream of this id was never begun, by whomever it is to be begun. */
  idle(id: number): boolean {
    return this.ours(id) ? id >= this.#nextOurs : id > this.lastTheirs
  }

  /** Whether it is for us to begin a stream of this id. */
  ours(id: number): boolean {
    return id % 2 === this.#ourParity
  }
}

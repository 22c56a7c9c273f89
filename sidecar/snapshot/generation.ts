import type { Snapshot } from './snapshot.ts'

/**
 * A snapshot with its hold on live state and a count of the requests that read it. The holder's own hold counts as
 * one, so the state is given back when a newer generation serves and the last request of this one is over.
 */
export class Generation {
  readonly snapshot: Snapshot
  readonly #release: () => void
  #count = 1

  /** @param release gives back every lease of the snapshot */
  constructor(snapshot: Snapshot, release: () => void) {
    this.snapshot = snapshot
    this.#release = release
  }

  /** Whether it has been given back. */
  get ended(): boolean {
    return this.#count === 0
  }

  take(): void {
    this.#count++
  }

  give(): void {
    if (--this.#count === 0) this.#release()
    else if (this.#count < 0) throw new Error('generation given back twice')
  }
}

import { RetryBudget } from './retry-budget.ts'

/** Who waits until an upstream has room, or its name an address. It may wait no longer at any time: `withdraw`. */
export interface UpstreamWaiter {
  onRoom(): void
}

/** What is waited for: an upstream of one generation, with that one's limits and names. */
interface Door {
  /** Whether one more may be let in now. */
  readonly open: boolean
}

/** What is counted over all generations of one upstream: how much is under way and who waits. Live state. */
export class UpstreamLoad {
  inFlight = 0
  readonly waiting: { readonly waiter: UpstreamWaiter; readonly door: Door }[] = []
  #admitting = false
  readonly budget = new RetryBudget()
  /** Copies of requests that are under way here. */
  mirrored = 0

  /** Lets in whoever waits, each by the limits and names of its own generation, whichever of them made room. */
  admit(): void {
    // One that leaves while it is let in makes room that the loop below sees: no recursion, however many wait.
    if (this.#admitting) return
    this.#admitting = true
    try {
      for (let next = this.#next(); next !== -1; next = this.#next()) {
        const [first] = this.waiting.splice(next, 1)
        this.inFlight++
        first?.waiter.onRoom()
      }
    } finally {
      this.#admitting = false
    }
  }

  /** A waiter gave up. */
  withdraw(waiter: UpstreamWaiter): void {
    const at = this.waiting.findIndex(one => one.waiter === waiter)
    if (at !== -1) this.waiting.splice(at, 1)
  }

  /** The place of the first who can be let in, or -1. */
  #next(): number {
    let closed: Door | null = null
    return this.waiting.findIndex(({ door }) => {
      // Most wait at one: it is asked once.
      if (door === closed) return false
      if (!door.open) closed = door
      return door !== closed
    })
  }
}

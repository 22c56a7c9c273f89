/** Who waits for a slot. */
export interface SlotWaiter {
  onSlot(): void
}

/** Bounds how many health checks run at once in a process: a thousand endpoints are not a thousand sockets a second. */
export class CheckSlots {
  #free: number
  readonly #waiting = new Set<SlotWaiter>()

  constructor(limit = 32) {
    this.#free = limit
  }

  /** Takes a slot, or waits for one: `onSlot` is called when it is there. @returns whether it was taken */
  enter(waiter: SlotWaiter): boolean {
    if (this.#free === 0) {
      this.#waiting.add(waiter)
      return false
    }
    this.#free--
    return true
  }

  /** Gives a slot back; whoever waited longest has it next. */
  leave(): void {
    for (const next of this.#waiting) {
      this.#waiting.delete(next)
      next.onSlot()
      return
    }
    this.#free++
  }

  withdraw(waiter: SlotWaiter): void {
    this.#waiting.delete(waiter)
  }
}

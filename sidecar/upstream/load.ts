import { RetryBudget } from './retry-budget.ts'

/** Who waits until an upstream has room, or its name an address. It may wait no longer at any time: `withdraw`. */
export interface UpstreamWaiter {
  onRoom(): void
}

/** What is counted over all generations of one upstream: how much is under way and who waits. Live state. */
export class UpstreamLoad {
  inFlight = 0
  readonly waiting: UpstreamWaiter[] = []
  /** Whether waiters are being let in at this moment. */
  admitting = false
  readonly budget = new RetryBudget()
  /** Copies of requests that are under way here. */
  mirrored = 0
}

import { RecentKeys } from './recent-keys.ts'
import type { Rate } from './schema.ts'

/** So long before its end nothing is given back any more: it must not come when something else is counted there. */
const LATE_MS = 1000
/** How long nobody asks the store again about a key that it refused, at the most, in milliseconds. */
const REFUSED_MS = 1000

/** What one question to the store pays for. */
export interface Draft {
  /** Whether it is the one that may take ahead: the others pay for themselves alone. */
  readonly leads: boolean
  /** What the lease pays itself. */
  readonly paid: number
  /** What the store is asked for. */
  readonly cost: number
  /** How much more may be taken ahead. */
  readonly ahead: number
  readonly sentAt: number
}

/** What this process holds of one key and does not need. */
export interface Unused {
  readonly key: string
  /** The number under which it was taken. */
  readonly quota: number
  readonly units: number
}

/** What a store says of one limit; milliseconds. */
export interface StoreAnswer {
  readonly left: number
  readonly reset: number
  readonly wait: number
  /** Taken ahead. */
  readonly ahead: number
}

/**
 * What this process holds of one key of a limit: counted in the store, and not used yet. Never as much as the limit's
 * `lease`, since only one question at a time takes any ahead, and only where less is left than a request costs. So in any
 * stretch of a window each process passes at most `lease - 1` more than what was counted within that stretch.
 *
 * It ends when the store no longer counts it: one window after it was taken, or with the calendar's window, or when the
 * bucket would be full again. Pure: whoever asks brings the monotonic time in milliseconds.
 */
export class Lease {
  /** The number under which the store was asked last. */
  quota = 0
  readonly #size: number
  readonly #rate: Rate
  #units = 0
  #until = -Infinity
  #turn = 0
  #asking = false
  #left = 0
  #resetAt = -Infinity
  #refusedCost = Infinity
  #refusedUntil = -Infinity
  #fitsAt = -Infinity

  constructor(size: number, rate: Rate) {
    this.#size = size
    this.#rate = rate
  }

  /** Which of its leases pays now: what is put back later goes to no other. */
  get turn(): number {
    return this.#turn
  }

  /** What is left as far as is known: here, and in the store when it was asked last. */
  remaining(now: number): number {
    return this.#left + this.#held(now)
  }

  /** Milliseconds until something is left again, as far as is known. */
  reset(now: number): number {
    return Math.max(0, this.#resetAt - now)
  }

  /** Pays for a request. @returns whether it could */
  spend(cost: number, now: number): boolean {
    if (this.#held(now) < cost) return false
    this.#units -= cost
    return true
  }

  /** Milliseconds until so much fits, where the store refused as much a moment ago; else 0. */
  refused(cost: number, now: number): number {
    return now < this.#refusedUntil && cost >= this.#refusedCost ? Math.max(1, this.#fitsAt - now) : 0
  }

  /** Begins to ask the store, for what is missing here and for more. */
  begin(cost: number, now: number): Draft {
    if (this.#asking) return { leads: false, paid: 0, cost, ahead: 0, sentAt: now }
    const paid = Math.min(this.#held(now), cost - 1)
    this.#asking = true
    this.#units -= paid
    return {
      leads: true,
      paid,
      cost: cost - paid,
      ahead: Math.max(0, this.#size - (cost - paid)),
      sentAt: now,
    }
  }

  /**
   * Hears what the store said.
   * @param answer null where there was none in time
   * @param fits whether the request is counted
   * @returns whether what it costs can be put back here
   */
  end({ leads, paid, cost, sentAt }: Draft, answer: StoreAnswer | null, fits: boolean): boolean {
    if (leads) this.#asking = false
    if (answer === null || !fits) {
      if (leads) this.putBack(paid, this.#turn)
      if (answer !== null && answer.wait > 0) this.#refuse(cost + paid, answer, sentAt)
      return false
    }
    this.#left = answer.left
    this.#resetAt = sentAt + answer.reset
    if (!leads) return false
    this.#units = answer.ahead
    this.#turn++
    // By the moment before it was counted there, so that it never ends later here.
    this.#until = sentAt + (this.#rate.kind === 'sliding' ? this.#rate.window : answer.reset)
    return true
  }

  /** Takes back what was paid for a request that does not go on after all. */
  putBack(cost: number, turn: number): void {
    if (turn === this.#turn) this.#units = Math.min(this.#units + cost, this.#size - 1)
  }

  /** Gives up what is left, which the caller puts back into the store. @returns how much that is */
  giveUp(now: number): number {
    const units = this.#held(now + LATE_MS)
    this.#units = 0
    this.#turn++
    return units
  }

  #refuse(cost: number, { left, reset, wait }: StoreAnswer, sentAt: number): void {
    this.#left = left
    this.#resetAt = sentAt + reset
    this.#refusedCost = cost
    this.#fitsAt = sentAt + wait
    this.#refusedUntil = sentAt + Math.min(wait, REFUSED_MS)
  }

  #held(now: number): number {
    if (now >= this.#until) this.#units = 0
    return this.#units
  }
}

/** The leases of one limit, by key. */
export class Leases {
  readonly now: () => number
  readonly #keys = new RecentKeys<Lease>(Infinity)
  readonly #open: () => Lease

  /** @param size how much is taken at a time */
  constructor(size: number, rate: Rate, now: () => number) {
    this.now = now
    this.#open = () => new Lease(size, rate)
  }

  of(key: string): Lease {
    return this.#keys.get(key, 0, this.#open)
  }

  /** Gives up what all of them have left. */
  giveUp(): Unused[] {
    const now = this.now()
    const unused: Unused[] = []
    for (const [key, lease] of this.#keys.entries()) {
      const units = lease.giveUp(now)
      if (units > 0) unused.push({ key, quota: lease.quota, units })
    }
    return unused
  }
}

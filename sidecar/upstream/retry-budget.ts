/**
 * How many retries an upstream is given at one time, over all generations: a share of the first attempts in flight, so
 * that a service which fails everything is asked a fifth more and not twice. A retry counts from the moment it is
 * decided, its pause included, until it is over. Live state.
 */
export class RetryBudget {
  /** First attempts in flight. */
  firsts = 0
  /** Retries that run or wait. */
  retries = 0

  /**
   * Takes one retry; `retries--` gives it back.
   * @param most a further limit, whatever the share allows; null: none
   * @returns whether there was room
   */
  take(policy: { readonly percent: number; readonly min: number }, most: number | null): boolean {
    const share = Math.max(policy.min, Math.floor((this.firsts * policy.percent) / 100))
    if (this.retries >= (most === null ? share : Math.min(share, most))) return false
    this.retries++
    return true
  }
}

/** How many sessions an upstream has to all its endpoints, and how many it may have. One for all of its generations. */
export class SessionQuota {
  /** The newest generation's. */
  limit = Infinity
  /** Open, or being opened. */
  taken = 0

  /** Whether one more may be opened. */
  get room(): boolean {
    return this.taken < this.limit
  }
}

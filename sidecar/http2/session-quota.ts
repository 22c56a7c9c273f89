/** How many sessions an upstream has to all its endpoints, and how many it may have. One for all of its generations. */
export class SessionQuota {
  /** The newest generation's. */
  limit = Infinity
  /** Open, or being opened. */
  taken = 0
  /** Of these, those that were replaced because many of their streams were reset, and run empty. */
  replaced = 0

  /** Whether one more may be opened. */
  get room(): boolean {
    return this.taken - this.replaced < this.limit
  }

  /** Whether one more may be replaced beyond the limit: as many as it allows, so that it holds twice at most. */
  get mayReplace(): boolean {
    return this.replaced < this.limit
  }
}

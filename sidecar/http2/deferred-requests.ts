/** A request that waits for its turn. */
interface Deferred {
  /** Its turn has come; where it is over already nothing happens. */
  begin(): void
}

/** So many requests that were reset before they were answered make a client one whose requests wait. */
const WARY = 8
/** How many of those that wait begin in one turn. */
const AT_ONCE = 8

/**
 * Requests of a client that resets many (security row 32). They begin in a turn of their own, a few at a time: what is
 * reset in the bytes that brought it never reaches a service, and other clients have their turns between.
 */
export class DeferredRequests {
  #resets = 0
  #waiting: Deferred[] = []

  /** Whether requests are to wait. */
  get wary(): boolean {
    return this.#resets >= WARY
  }

  /** A request was reset before it was answered. */
  reset(): void {
    this.#resets++
  }

  add(request: Deferred): void {
    this.#waiting.push(request)
    if (this.#waiting.length === 1) setImmediate(beginSome, this)
  }

  /** Begins those whose turn it is. */
  next(): void {
    const now = this.#waiting.splice(0, AT_ONCE)
    if (this.#waiting.length > 0) setImmediate(beginSome, this)
    for (const request of now) request.begin()
  }
}

function beginSome(requests: DeferredRequests): void {
  requests.next()
}

/** A request that waits for its turn. */
interface Deferred {
  /** Its turn has come; where it is over already nothing happens. */
  begin(): void
}

/** So many requests that were reset before they were answered make a client one whose requests wait. */
const WARY = 8
/** How many of those that wait begin in one turn. */
const AT_ONCE = 8
/** What may wait for a client to read it before its next request begins: twice what bodies take. */
const UNREAD = 131_072

/**
 * Requests of a client that resets many (security row 32) or does not read what it asked for (row 37). The former begin in
 * a turn of their own, a few at a time: what is reset in the bytes that brought it never reaches a service, and other
 * clients have their turns between. The latter begin once it has read: heads are bound by no window, so that else who
 * asks and never reads would have us hold as many as it can ask for.
 */
export class DeferredRequests {
  readonly #output: { readonly backlog: number }
  #resets = 0
  #waiting: Deferred[] = []
  #scheduled = false

  /** @param output where answers go */
  constructor(output: { readonly backlog: number }) {
    this.#output = output
  }

  /** Whether requests are to wait. */
  get wary(): boolean {
    return this.#resets >= WARY || this.#blocked
  }

  /** A request was reset before it was answered. */
  reset(): void {
    this.#resets++
  }

  add(request: Deferred): void {
    this.#waiting.push(request)
    this.goOn()
  }

  /** The client may have read. */
  goOn(): void {
    if (this.#scheduled || this.#waiting.length === 0 || this.#blocked) return
    this.#scheduled = true
    setImmediate(beginSome, this)
  }

  /** Begins those whose turn it is. */
  next(): void {
    this.#scheduled = false
    if (this.#blocked) return
    const now = this.#waiting.splice(0, AT_ONCE)
    this.goOn()
    for (const request of now) request.begin()
  }

  get #blocked(): boolean {
    return this.#output.backlog > UNREAD
  }
}

function beginSome(requests: DeferredRequests): void {
  requests.next()
}

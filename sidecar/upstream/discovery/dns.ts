import dns from 'node:dns'
import type { Lookup, LookupDone, LookupQueue } from './lookup-queue.ts'
import type { Resolver, ResolverListener } from './resolver.ts'

/** The system's resolver: hosts file, search list, both families, in the order it gives. */
export const systemLookup: Lookup = (name, done) => {
  dns.lookup(name, { all: true, order: 'verbatim' }, (error, found) => {
    done(error, error === null ? found.map(address => address.address) : [])
  })
}

/** Schedules a repeated call; real timers in the product, stepped ones in tests. */
export type Every = (milliseconds: number, call: () => void) => { stop(): void }

const REFRESH_MS = 5000

/** @param error why the name is not found; empty: it is again @param kept the addresses that are used all the same */
export type NameListener = (name: string, error: string, kept: number) => void

/**
 * A name that is looked up again every 5 s. All its addresses are used. A failed look-up keeps the last addresses, and
 * so does an answer without any; one that lost some drops those.
 */
export class DnsResolver implements Resolver {
  addresses: readonly string[] | null = null
  error = ''
  readonly #name: string
  readonly #queue: LookupQueue
  readonly #listeners = new Set<ResolverListener>()
  readonly #timer: { stop(): void }
  readonly #told: NameListener
  #busy = false
  #closed = false

  /** @param told hears when look-ups begin to fail, and when they no longer do */
  constructor(name: string, queue: LookupQueue, every: Every, told: NameListener = () => {}) {
    this.#name = name
    this.#told = told
    this.#queue = queue
    this.#timer = every(REFRESH_MS, () => this.#look())
    this.#look()
  }

  watch(listener: ResolverListener): void {
    this.#listeners.add(listener)
  }

  unwatch(listener: ResolverListener): void {
    this.#listeners.delete(listener)
  }

  close(): void {
    this.#closed = true
    this.#timer.stop()
    this.#queue.withdraw(this.#name, this.#looked)
    this.#listeners.clear()
  }

  readonly #looked: LookupDone = (error, found) => {
    this.#busy = false
    if (!this.#closed) this.#answer(error, found)
  }

  #look(): void {
    // A name server that hangs: the next look-up waits for this one.
    if (this.#busy) return
    this.#busy = true
    this.#queue.run(this.#name, this.#looked)
  }

  #answer(error: NodeJS.ErrnoException | null, found: string[]): void {
    const before = this.addresses
    const failed = this.error !== ''
    const first = before === null && !failed
    this.error = error !== null ? (error.code ?? error.message) : found.length === 0 ? 'no addresses' : ''
    if (failed !== (this.error !== '')) this.#told(this.#name, this.error, before?.length ?? 0)
    if (this.error === '') {
      // Sorted, so that a name server that rotates its answers changes nothing.
      const sorted = [...new Set(found)].sort()
      if (before !== null && sorted.length === before.length && sorted.every((one, i) => one === before[i]))
        return
      this.addresses = sorted
    } else if (!first) {
      return
    }
    for (const listener of [...this.#listeners]) listener()
  }
}

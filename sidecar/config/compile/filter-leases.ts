import type { FilterLive, FilterParts } from '../../filters/filter.ts'
import type { IdentityKey, Lease, Registry } from '../../runtime/registry.ts'

/** Where the filters of a compilation take live state from. */
export interface FilterState {
  readonly registry: Registry
  readonly parts: FilterParts
}

/**
 * What the filters of one compiled route hold. Consecutive generations share it while the route stays, so that a kept
 * route keeps its state, and a route that is gone gives it back with the last generation that has it.
 */
export class FilterLeases implements FilterLive {
  readonly #state: FilterState
  readonly #leases: Lease<unknown>[] = []
  #holders = 1

  /** Made for its first holder. */
  constructor(state: FilterState) {
    this.#state = state
  }

  use<T>(key: IdentityKey, open: (parts: FilterParts) => T, close: (value: T) => void): T {
    const lease = this.#state.registry.acquire(['filter', ...key], () => open(this.#state.parts), close)
    this.#leases.push(lease)
    return lease.value
  }

  /** Adds a holder. @returns false where the last one is gone, and what was held with it */
  take(): boolean {
    if (this.#holders === 0) return false
    this.#holders++
    return true
  }

  give(): void {
    if (this.#holders === 0) throw new Error('the state of filters was given back twice')
    if (--this.#holders > 0) return
    for (const lease of this.#leases) lease.release()
  }
}

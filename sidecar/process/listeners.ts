import type { Address } from '../exchange/address.ts'
import { Acceptor, type AcceptorParts } from '../listener/acceptor.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { addressLabel } from '../upstream/endpoint.ts'

/** A listener that could not be opened. */
export interface CannotListen {
  readonly address: string
  readonly code: string
}

/** Acceptors that a new snapshot needs and that are bound, but serve nothing yet. */
export interface OpenedListeners {
  /** They serve from now on; those of addresses that are gone drain. */
  commit(): readonly Acceptor[]
  /** The snapshot was given up: they close. */
  undo(): void
}

/** The acceptors of a process, by address: what a reload keeps, opens and drains. */
export class Listeners {
  readonly #parts: AcceptorParts
  readonly #acceptors = new Map<string, Acceptor>()
  readonly #bound = new Map<string, Address>()

  constructor(parts: AcceptorParts) {
    this.#parts = parts
  }

  get all(): readonly Acceptor[] {
    return [...this.#acceptors.values()]
  }

  /** Where each listener of a snapshot is bound, by its name. */
  addresses(snapshot: Snapshot): Record<string, string> {
    const addresses: Record<string, string> = {}
    for (const entry of snapshot.entries.values()) {
      const bound = this.#bound.get(entry.key)
      for (const listener of entry.listeners) addresses[listener.name] = addressLabel(bound ?? entry.address)
    }
    return addresses
  }

  /** Binds what a snapshot adds, before it is swapped in: an address that is taken fails the reload and not the service. */
  async open(snapshot: Snapshot): Promise<OpenedListeners | CannotListen> {
    const opened: Acceptor[] = []
    const undo = (): void => {
      for (const acceptor of opened) {
        acceptor.close()
        acceptor.force()
        this.#bound.delete(acceptor.entry)
      }
    }
    for (const entry of snapshot.entries.values()) {
      if (this.#acceptors.has(entry.key)) continue
      const acceptor = new Acceptor(entry, this.#parts)
      const bound = await acceptor.listen()
      if ('code' in bound) {
        undo()
        return { address: entry.key, code: bound.code }
      }
      this.#bound.set(entry.key, bound)
      opened.push(acceptor)
    }
    return { commit: () => this.#commit(snapshot, opened), undo }
  }

  #commit(snapshot: Snapshot, opened: readonly Acceptor[]): readonly Acceptor[] {
    for (const acceptor of opened) this.#acceptors.set(acceptor.entry, acceptor)
    const gone: Acceptor[] = []
    for (const [key, acceptor] of this.#acceptors) {
      if (snapshot.entries.has(key)) continue
      this.#acceptors.delete(key)
      this.#bound.delete(key)
      gone.push(acceptor)
    }
    return gone
  }
}

import type { Address } from '../exchange/address.ts'
import { Acceptor } from '../listener/acceptor.ts'
import type { AcceptorParts } from '../listener/acceptor-parts.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { addressLabel } from '../upstream/endpoint.ts'

/** A listener that could not be opened. */
export interface CannotListen {
  readonly address: string
  readonly code: string
}

/** Acceptors that a new snapshot needs and that are bound, but serve nothing yet. */
export interface OpenedListeners {
  /** Those that were to drain: their addresses are there again. */
  readonly back: readonly Acceptor[]
  /** They serve from now on. @returns those of addresses that are gone, which are to drain: `left` */
  commit(): readonly Acceptor[]
  /** The snapshot was given up: they close. */
  undo(): void
}

/** The acceptors of a process, by address: what a reload keeps, opens and drains. */
export class Listeners {
  readonly #parts: AcceptorParts
  readonly #acceptors = new Map<string, Acceptor>()
  /** Those of addresses that are gone, while they drain: an address has one acceptor at a time. */
  readonly #leaving = new Map<string, Acceptor>()
  readonly #bound = new Map<string, Address>()

  constructor(parts: AcceptorParts) {
    this.#parts = parts
  }

  /** Those of the serving snapshot, and those that drain. */
  get all(): readonly Acceptor[] {
    return [...this.#acceptors.values(), ...this.#leaving.values()]
  }

  /** One whose address is gone has drained. */
  left(acceptor: Acceptor): void {
    if (!this.#leaving.delete(acceptor.entry)) return
    this.#bound.delete(acceptor.entry)
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
    const back: Acceptor[] = []
    const undo = (): void => {
      for (const acceptor of opened) {
        acceptor.close()
        if (back.includes(acceptor)) continue
        acceptor.force()
        this.#bound.delete(acceptor.entry)
      }
    }
    for (const entry of snapshot.entries.values()) {
      if (this.#acceptors.has(entry.key)) continue
      const leaving = this.#leaving.get(entry.key)
      if (leaving !== undefined) back.push(leaving)
      if (leaving?.listening === true) continue
      const acceptor = leaving ?? new Acceptor(entry, this.#parts)
      const bound = await acceptor.listen()
      if ('code' in bound) {
        undo()
        return { address: entry.key, code: bound.code }
      }
      this.#bound.set(entry.key, bound)
      opened.push(acceptor)
    }
    return { back, commit: () => this.#commit(snapshot, [...opened, ...back]), undo }
  }

  #commit(snapshot: Snapshot, serving: readonly Acceptor[]): readonly Acceptor[] {
    for (const acceptor of serving) {
      this.#acceptors.set(acceptor.entry, acceptor)
      this.#leaving.delete(acceptor.entry)
    }
    const gone: Acceptor[] = []
    for (const [key, acceptor] of this.#acceptors) {
      if (snapshot.entries.has(key)) continue
      this.#acceptors.delete(key)
      this.#leaving.set(key, acceptor)
      gone.push(acceptor)
    }
    // Connections that were opened under the configuration before are held to this one.
    for (const acceptor of this.#acceptors.values()) acceptor.review()
    return gone
  }
}

/** One line for people: what cannot be bound, and what to do. */
export function cannotListen({ address, code }: CannotListen): string {
  const why =
    code === 'EADDRINUSE'
      ? 'the address is taken by another process; stop it, or change `address` of the listener'
      : code === 'EACCES'
        ? 'ports below 1024 need the right CAP_NET_BIND_SERVICE; choose a higher port'
        : code === 'EADDRNOTAVAIL'
          ? 'this machine does not have the address'
          : code
  return `cannot listen on ${address.split(' ')[0]}: ${why}`
}

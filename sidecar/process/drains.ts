import type { ResolvedConfig } from '../config/resolved.ts'
import type { Acceptor } from '../listener/acceptor.ts'
import type { Generation } from '../snapshot/generation.ts'
import type { Log } from '../telemetry/process-log.ts'
import { Drain } from './drain.ts'
import type { Listeners } from './listeners.ts'
import type { Service } from './service.ts'
import { activeConnections } from './states.ts'

const DRAIN_EDGE_MS = 30_000
const DRAIN_SIDECAR_MS = 120_000

/** What drains in a process: addresses that a reload took away, each by itself, and in the end all that there is. */
export class Drains {
  readonly #service: Service
  readonly #listeners: Listeners
  readonly #log: Log
  readonly #config: () => ResolvedConfig | null
  /** Of addresses that are gone. */
  readonly #retiring = new Map<string, Drain>()
  /** Of the whole process. */
  #last: Drain | null = null
  #drained: Promise<number> | null = null

  /** @param config the one that serves; null before the first */
  constructor(service: Service, listeners: Listeners, log: Log, config: () => ResolvedConfig | null) {
    this.#service = service
    this.#listeners = listeners
    this.#log = log
    this.#config = config
  }

  /** Whether the process is at its end. */
  get ending(): boolean {
    return this.#last !== null
  }

  /** An address that is gone drains as all do on SIGTERM; what still comes in there finds its last configuration. */
  retire(acceptor: Acceptor, last: Generation): void {
    const { holder } = this.#service
    holder.retire(acceptor.entry, last)
    const drain = this.#drainOf([acceptor], false)
    this.#retiring.set(acceptor.entry, drain)
    drain
      .run()
      .catch((error: unknown) => this.#service.fault(error))
      .finally(() => {
        if (this.#retiring.get(acceptor.entry) !== drain) return
        this.#retiring.delete(acceptor.entry)
        this.#listeners.left(acceptor)
        holder.restore(acceptor.entry)
      })
  }

  /** An address is there again before it has drained: it serves as it is written now. */
  keep(acceptor: Acceptor): void {
    this.#retiring.get(acceptor.entry)?.abandon()
    this.#retiring.delete(acceptor.entry)
    this.#service.holder.restore(acceptor.entry)
    acceptor.stay()
  }

  /** Begins to drain all, once. @returns how many connections had to be cut in the end */
  end(interactive: boolean): Promise<number> {
    if (this.#drained !== null) return this.#drained
    // Those of addresses that are gone go on as a part of it.
    for (const retiring of this.#retiring.values()) retiring.abandon()
    this.#retiring.clear()
    this.#last = this.#drainOf(this.#listeners.all, interactive)
    this.#log.info('draining', { connections: activeConnections(this.#service) })
    this.#drained = this.#last.run()
    return this.#drained
  }

  /** Ends at once what `end` began. */
  force(): void {
    this.#last?.force()
  }

  #drainOf(acceptors: readonly Acceptor[], interactive: boolean): Drain {
    const { holder, proxy, clock } = this.#service
    return new Drain(
      {
        acceptors,
        snapshot: holder.current.snapshot,
        tunnels: proxy.tunnels.upgraded,
        active: () => proxy.active,
        now: () => clock.now(),
      },
      { timeout: this.#timeout(), interactive },
    )
  }

  #timeout(): number {
    const config = this.#config()
    const configured = config?.drain.timeout
    if (configured !== null && configured !== undefined) return configured
    const sidecar = config?.listeners.some(listener => listener.role !== 'edge') ?? false
    return sidecar ? DRAIN_SIDECAR_MS : DRAIN_EDGE_MS
  }
}

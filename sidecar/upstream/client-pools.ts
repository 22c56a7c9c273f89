import type { ClientEnds, ConnectionPool, ConnectionWaiter, PoolSettings } from '../exchange/outgoing.ts'
import type { Destination } from '../runtime/destination.ts'
import { proxyHeader, type ProxyProtocolVersion } from './proxy-header.ts'

/** Pools without a connection are looked for when there are twice as many as were left the last time, and this many more. */
const SPARE = 16

/**
 * The connections to an endpoint that is told whom each is for (PROXY protocol): a pool for each client connection, so
 * that one which was opened for a client is never used for another. Which clients there are is found out as they ask;
 * what they leave behind is idle, and the first to go where one more connection would be too many.
 */
export class ClientPools implements ConnectionPool {
  readonly #target: Destination
  readonly #version: ProxyProtocolVersion
  readonly #make: (target: Destination) => ConnectionPool
  /** By both ends of a client's connection; who asked last stands last. */
  readonly #pools = new Map<string, ConnectionPool>()
  #settings: PoolSettings
  #sweepAt = SPARE
  #closed = false

  /**
   * @param target with the header for connections of our own
   * @param make makes the pool of one client
   */
  constructor(
    target: Destination,
    version: ProxyProtocolVersion,
    settings: PoolSettings,
    make: (target: Destination) => ConnectionPool,
  ) {
    this.#target = target
    this.#version = version
    this.#settings = settings
    this.#make = make
  }

  get idle(): number {
    return this.#sum(pool => pool.idle)
  }

  get open(): number {
    return this.#sum(pool => pool.open)
  }

  get size(): number {
    return this.#sum(pool => pool.size)
  }

  ready(peer?: ClientEnds): boolean {
    return this.#pools.get(keyOf(peer))?.ready(peer) ?? false
  }

  acquire(waiter: ConnectionWaiter, fresh: boolean): void {
    const { peer } = waiter
    const key = keyOf(peer)
    const pool = this.#pools.get(key) ?? this.#poolFor(peer)
    this.#pools.delete(key)
    this.#pools.set(key, pool)
    pool.acquire(waiter, fresh)
  }

  cancel(waiter: ConnectionWaiter): void {
    this.#pools.get(keyOf(waiter.peer))?.cancel(waiter)
  }

  /** Closes an idle connection of the client that has not asked for longest. */
  evict(): boolean {
    for (const pool of this.#pools.values()) if (pool.evict()) return true
    return false
  }

  configure(settings: PoolSettings): void {
    this.#settings = settings
    for (const pool of this.#pools.values()) pool.configure(settings)
  }

  close(): void {
    this.#closed = true
    for (const pool of this.#pools.values()) pool.close()
  }

  #poolFor(peer: ClientEnds | undefined): ConnectionPool {
    this.#sweep()
    const preface = peer === undefined ? undefined : proxyHeader(this.#version, peer, peer.local)
    const pool = this.#make(preface === undefined ? this.#target : { ...this.#target, preface })
    pool.configure(this.#settings)
    // Whoever still has this endpoint gets a connection, which is not kept.
    if (this.#closed) pool.close()
    return pool
  }

  /** Forgets clients that have left no connection. Nobody waits in a pool that has none and opens none. */
  #sweep(): void {
    if (this.#pools.size < this.#sweepAt) return
    for (const [key, pool] of this.#pools) if (pool.size === 0) this.#pools.delete(key)
    this.#sweepAt = this.#pools.size * 2 + SPARE
  }

  #sum(of: (pool: ConnectionPool) => number): number {
    let sum = 0
    for (const pool of this.#pools.values()) sum += of(pool)
    return sum
  }
}

function keyOf(peer: ClientEnds | undefined): string {
  if (peer === undefined) return ''
  const { address, port, local } = peer
  return `${address} ${port} ${local.address} ${local.port}`
}

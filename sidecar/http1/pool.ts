import type { ConnectionPool, ConnectionWaiter, PoolCounters, PoolSettings } from '../exchange/outgoing.ts'
import type { ProxyError } from '../exchange/proxy-error.ts'
import type { Channel } from '../runtime/channel.ts'
import type { Destination } from '../runtime/destination.ts'
import type { ReadBuffers } from '../runtime/read-buffers.ts'
import { Timer, type TimerOwner, type TimerWheel } from '../runtime/timer-wheel.ts'
import { ClientConnection } from './client-connection.ts'
import { Connecting, type ConnectingOwner } from './connecting.ts'
import type { ConnectionHome } from './outgoing.ts'

/**
 * The connections to one endpoint. Hands out the most recently used idle one, opens another where there is none, and
 * lets whoever waits take what becomes free first. Limits are the upstream's; they are checked before anyone asks.
 */
export class Pool implements ConnectionPool, ConnectingOwner {
  readonly #target: Destination
  readonly #buffers: ReadBuffers
  readonly #wheel: TimerWheel
  readonly #counters: PoolCounters
  readonly #idle: PooledConnection[] = []
  readonly #waiting: ConnectionWaiter[] = []
  /** Those that are being opened, and whom for; null: whoever waits. */
  readonly #connecting = new Map<Connecting, ConnectionWaiter | null>()
  readonly #open = new Set<PooledConnection>()
  #settings: PoolSettings
  #closed = false

  constructor(
    target: Destination,
    settings: PoolSettings,
    counters: PoolCounters,
    buffers: ReadBuffers,
    wheel: TimerWheel,
  ) {
    this.#target = target
    this.#settings = settings
    this.#counters = counters
    this.#buffers = buffers
    this.#wheel = wheel
  }

  get idle(): number {
    return this.#idle.length
  }

  ready(): boolean {
    return this.#idle.length > 0
  }

  get open(): number {
    return this.#open.size
  }

  /** Connections that are open or being opened. */
  get size(): number {
    return this.#open.size + this.#connecting.size
  }

  /** Closes the connection that has been idle for longest. @returns whether there was one */
  evict(): boolean {
    const idle = this.#idle.shift()
    idle?.connection.abort(null)
    return idle !== undefined
  }

  /** Settings of the newest generation; open connections stay. */
  configure(settings: PoolSettings): void {
    this.#settings = settings
  }

  /** Gets a connection for one request. `fresh`: one that was never used, for the repetition after a reuse race. */
  acquire(waiter: ConnectionWaiter, fresh: boolean): void {
    if (!fresh) {
      const idle = this.#idle.pop()
      if (idle !== undefined) {
        this.#wheel.schedule(idle.timer, Infinity)
        waiter.onConnection(idle.connection)
        return
      }
      this.#waiting.push(waiter)
    }
    const connecting = new Connecting(this)
    this.#connecting.set(connecting, fresh ? waiter : null)
    connecting.start(this.#target, this.#settings.connect, this.#buffers, this.#wheel)
  }

  /** A waiter wants no connection any more. What is being opened for it goes to the next, or waits idle. */
  cancel(waiter: ConnectionWaiter): void {
    const at = this.#waiting.indexOf(waiter)
    if (at !== -1) this.#waiting.splice(at, 1)
    for (const [connecting, one] of this.#connecting)
      if (one === waiter) this.#connecting.set(connecting, null)
  }

  /** Opens no more, closes what is idle, and what is busy when it comes home. */
  close(): void {
    this.#closed = true
    for (const idle of this.#idle.splice(0)) idle.connection.abort(null)
    // Whoever waits keeps its endpoint: what is being opened for it goes on.
    for (const [connecting, waiter] of [...this.#connecting]) {
      if (waiter === null && this.#waiting.length === 0) connecting.abandon()
    }
  }

  /** A connection is free again. */
  settle(pooled: PooledConnection, hint: number | null): void {
    const { connection } = pooled
    const waiter = this.#waiting.shift()
    if (waiter !== undefined) {
      waiter.onConnection(connection)
      return
    }
    if (this.#closed) {
      connection.abort(null)
      return
    }
    // The upstream's own hint less a second: who closes first must be we.
    const keepAlive = hint === null ? this.#settings.keepAlive : Math.max(0, hint * 1000 - 1000)
    if (keepAlive === 0) {
      connection.abort(null)
      return
    }
    connection.rest()
    this.#idle.push(pooled)
    this.#wheel.schedule(pooled.timer, keepAlive)
  }

  /** A connection is gone. */
  forget(pooled: PooledConnection): void {
    this.#wheel.remove(pooled.timer)
    this.#open.delete(pooled)
    this.#withdraw(pooled)
  }

  /** An idle connection has waited long enough. */
  expire(pooled: PooledConnection): void {
    this.#withdraw(pooled)
    pooled.connection.abort(null)
  }

  onConnected(connecting: Connecting, channel: Channel): void {
    const waiter = this.#connecting.get(connecting) ?? null
    this.#connecting.delete(connecting)
    this.#counters.connectsOpened++
    const pooled = new PooledConnection(channel, this, this.#wheel)
    this.#open.add(pooled)
    if (waiter !== null) waiter.onConnection(pooled.connection)
    else this.settle(pooled, null)
  }

  #withdraw(pooled: PooledConnection): void {
    const at = this.#idle.indexOf(pooled)
    if (at !== -1) this.#idle.splice(at, 1)
  }

  onConnectFailed(connecting: Connecting, error: ProxyError): void {
    const own = this.#connecting.get(connecting) ?? null
    this.#connecting.delete(connecting)
    this.#counters.connectsFailed++
    // One failed attempt fails one waiter: the others have attempts of their own.
    const waiter = own ?? (this.#waiting.length > this.#pendingShared() ? this.#waiting.shift() : undefined)
    waiter?.onNoConnection(error)
  }

  #pendingShared(): number {
    let count = 0
    for (const waiter of this.#connecting.values()) if (waiter === null) count++
    return count
  }
}

/** A connection of the pool, with the clock that ends its idle time. */
class PooledConnection implements ConnectionHome, TimerOwner {
  readonly connection: ClientConnection
  readonly timer = new Timer(this)
  readonly #pool: Pool

  constructor(channel: Channel, pool: Pool, wheel: TimerWheel) {
    this.#pool = pool
    this.connection = new ClientConnection(channel, this, wheel)
  }

  onReusable(hint: number | null): void {
    this.#pool.settle(this, hint)
  }

  onGone(): void {
    this.#pool.forget(this)
  }

  onTimer(): void {
    this.#pool.expire(this)
  }
}

import { ProxyError } from '../exchange/proxy-error.ts'
import { Channel, type ChannelOwner } from '../runtime/channel.ts'
import type { Destination } from '../runtime/destination.ts'
import type { ReadBuffers } from '../runtime/read-buffers.ts'
import { Timer, type TimerOwner, type TimerWheel } from '../runtime/timer-wheel.ts'
import { ClientConnection } from './client-connection.ts'
import type { ConnectionHome } from './outgoing.ts'

/** Who waits for a connection. Exactly one of the two is called, perhaps before `acquire` returns. */
export interface ConnectionWaiter {
  onConnection(connection: ClientConnection): void
  onNoConnection(error: ProxyError): void
}

/** Milliseconds, read from the snapshot at each use. */
export interface PoolSettings {
  readonly connect: number
  readonly keepAlive: number
}

/** What the pool counts; plain fields of a metric recorder. */
export interface PoolCounters {
  connectsOpened: number
  connectsFailed: number
}

/**
 * The connections to one endpoint. Hands out the most recently used idle one, opens another where there is none, and
 * lets whoever waits take what becomes free first. Limits are the upstream's; they are checked before anyone asks.
 */
export class Pool {
  readonly #target: Destination
  readonly #buffers: ReadBuffers
  readonly #wheel: TimerWheel
  readonly #counters: PoolCounters
  readonly #idle: PooledConnection[] = []
  readonly #waiting: ConnectionWaiter[] = []
  readonly #connecting = new Set<Connecting>()
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
    const connecting = new Connecting(this, fresh ? waiter : null)
    this.#connecting.add(connecting)
    connecting.start(this.#target, this.#settings.connect, this.#buffers, this.#wheel)
  }

  /** A waiter wants no connection any more. What is being opened for it goes to the next, or waits idle. */
  cancel(waiter: ConnectionWaiter): void {
    const at = this.#waiting.indexOf(waiter)
    if (at !== -1) this.#waiting.splice(at, 1)
    for (const connecting of this.#connecting) if (connecting.waiter === waiter) connecting.waiter = null
  }

  /** Opens no more, closes what is idle, and what is busy when it comes home. */
  close(): void {
    this.#closed = true
    for (const idle of this.#idle.splice(0)) idle.connection.abort(null)
    // Whoever waits keeps its endpoint: what is being opened for it goes on.
    for (const connecting of [...this.#connecting]) {
      if (connecting.waiter === null && this.#waiting.length === 0) connecting.abandon()
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

  connected(connecting: Connecting, channel: Channel): void {
    this.#connecting.delete(connecting)
    this.#counters.connectsOpened++
    const pooled = new PooledConnection(channel, this, this.#wheel)
    this.#open.add(pooled)
    const waiter = connecting.waiter
    if (waiter !== null) waiter.onConnection(pooled.connection)
    else this.settle(pooled, null)
  }

  #withdraw(pooled: PooledConnection): void {
    const at = this.#idle.indexOf(pooled)
    if (at !== -1) this.#idle.splice(at, 1)
  }

  connectFailed(connecting: Connecting, error: ProxyError): void {
    this.#connecting.delete(connecting)
    this.#counters.connectsFailed++
    // One failed attempt fails one waiter: the others have attempts of their own.
    const waiter =
      connecting.waiter ?? (this.#waiting.length > this.#pendingShared() ? this.#waiting.shift() : undefined)
    waiter?.onNoConnection(error)
  }

  #pendingShared(): number {
    let count = 0
    for (const connecting of this.#connecting) if (connecting.waiter === null) count++
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

/** How Node and OpenSSL begin the codes of a handshake that failed; else it is the socket's. */
const TLS_CODE =
  /^(?:ERR_(?:TLS|SSL)_|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|INVALID_|PATH_LENGTH|HOSTNAME_MISMATCH)/

/** One connection that is being opened. */
class Connecting implements ChannelOwner, TimerOwner {
  /** Whom it is for; null: whoever waits. */
  waiter: ConnectionWaiter | null
  readonly #pool: Pool
  readonly #timer = new Timer(this)
  #wheel: TimerWheel | null = null
  #channel: Channel | null = null
  #done = false

  constructor(pool: Pool, waiter: ConnectionWaiter | null) {
    this.#pool = pool
    this.waiter = waiter
  }

  start(target: Destination, timeout: number, buffers: ReadBuffers, wheel: TimerWheel): void {
    this.#wheel = wheel
    wheel.schedule(this.#timer, timeout)
    const channel = Channel.connect(target, buffers, () => this.#connected())
    channel.owner = this
    this.#channel = channel
  }

  /** Gives up: nobody waits for it. */
  abandon(): void {
    this.#fail(
      new ProxyError('upstream_connect_failed', '', { cause: 'closed', repeatable: 'never_processed' }),
    )
  }

  onTimer(): void {
    this.#fail(new ProxyError('upstream_connect_timeout', '', { repeatable: 'never_processed' }))
  }

  onClose(code: string): void {
    const reason = TLS_CODE.test(code) ? 'upstream_tls_failed' : 'upstream_connect_failed'
    this.#fail(new ProxyError(reason, '', { cause: code, repeatable: 'never_processed' }))
  }

  onBytes(): void {
    // Row 8: an upstream that speaks before it is asked.
    this.#fail(
      new ProxyError('upstream_bad_response', '', { cause: 'spoke first', repeatable: 'never_processed' }),
    )
  }
  onEnd(): void {
    this.#fail(
      new ProxyError('upstream_connect_failed', '', { cause: 'ended', repeatable: 'never_processed' }),
    )
  }
  onDrain(): void {}

  #connected(): void {
    if (this.#done) return
    this.#done = true
    this.#wheel?.remove(this.#timer)
    this.#pool.connected(this, this.#channel as Channel) // set before the event can come
  }

  #fail(error: ProxyError): void {
    if (this.#done) return
    this.#done = true
    this.#wheel?.remove(this.#timer)
    if (this.#channel !== null) {
      this.#channel.owner = null
      this.#channel.destroy()
    }
    this.#pool.connectFailed(this, error)
  }
}

import { unlinkSync } from 'node:fs'
import net from 'node:net'
import type { Address } from '../exchange/address.ts'
import type { Exchange, Peer } from '../exchange/exchange.ts'
import type { ProxyError } from '../exchange/proxy-error.ts'
import type { DateHeader } from '../http1/head-writer.ts'
import { ServerConnection } from '../http1/server-connection.ts'
import type { ServerHost } from '../http1/server-host.ts'
import type { ListenerConnection, ListenerLimits } from '../http1/settings.ts'
import type { ReadBuffers } from '../runtime/read-buffers.ts'
import type { TimerWheel } from '../runtime/timer-wheel.ts'
import type { Entry } from '../snapshot/snapshot.ts'
import type { Log } from '../telemetry/process-log.ts'
import { adopt } from './adopt.ts'

/** What acceptors share. */
export interface AcceptorParts {
  readonly wheel: TimerWheel
  readonly buffers: ReadBuffers
  readonly date: DateHeader
  readonly log: Log
  /** Connections that may be open at once over all acceptors. */
  readonly maxConnections: number
  /** Open client connections over all acceptors. */
  connections: number
  handle(exchange: Exchange): void
  refuse(exchange: Exchange, error: ProxyError): void
  /** The entry of an address in the serving snapshot. */
  entry(key: string): Entry | undefined
  /** Whether an address's proxies are trusted by one of its listeners, so that their connections are not counted. */
  trusts(key: string, address: string): boolean
}

/**
 * Owns a socket and its address: accepts, bounds how many connections there are, and makes each a server connection.
 * Outlives the snapshots that have its address; what it needs of one it reads when it needs it.
 */
export class Acceptor implements ServerHost<ServerConnection> {
  readonly entry: string
  readonly wheel: TimerWheel
  readonly date: DateHeader
  draining = false
  /** Connections that the kernel has handed over so far, refused ones too. */
  accepted = 0
  readonly #address: Address
  readonly #parts: AcceptorParts
  readonly #server: net.Server
  readonly #connections = new Set<ServerConnection>()
  readonly #byAddress = new Map<string, number>()
  readonly #addressOf = new WeakMap<ServerConnection, string>()
  #limits: ListenerLimits
  #clocks: ListenerConnection

  constructor(entry: Entry, parts: AcceptorParts) {
    this.entry = entry.key
    this.#address = entry.address
    this.#limits = entry.limits
    this.#clocks = entry.clocks
    this.#parts = parts
    this.wheel = parts.wheel
    this.date = parts.date
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, socket =>
      this.#accept(socket),
    )
  }

  /** The limits of the serving snapshot; of the last that had this address where that is draining. */
  get limits(): ListenerLimits {
    this.#refresh()
    return this.#limits
  }

  get clocks(): ListenerConnection {
    return this.#clocks
  }

  #refresh(): void {
    const entry = this.#parts.entry(this.entry)
    if (entry === undefined) return
    this.#limits = entry.limits
    this.#clocks = entry.clocks
  }

  /** How many connections are open. */
  get size(): number {
    return this.#connections.size
  }

  /**
   * Binds the address.
   * @returns the address with the port that was bound, or the Node error code
   */
  listen(): Promise<Address | { readonly code: string }> {
    return new Promise(resolve => {
      const server = this.#server
      const address = this.#address
      const failed = (error: NodeJS.ErrnoException): void => {
        resolve({ code: error.code ?? error.message })
      }
      server.once('error', failed)
      const bound = (): void => {
        server.off('error', failed)
        server.on('error', error =>
          this.#parts.log.error('a listener failed', { address: this.entry, error }),
        )
        const actual = server.address()
        resolve(
          actual !== null && typeof actual === 'object' && address.kind === 'tcp'
            ? { ...address, port: actual.port }
            : address,
        )
      }
      if (address.kind === 'unix') {
        removeStale(address.path, () => server.listen({ path: address.path }, bound))
      } else {
        const host = address.host === '' ? undefined : address.host
        server.listen({ port: address.port, host, backlog: 1024 }, bound)
      }
    })
  }

  /** Stops accepting. Open connections go on. */
  close(): void {
    this.#server.close()
  }

  /** From here on every response announces that its connection closes. */
  announce(): void {
    this.draining = true
  }

  /** Closes what is idle; what is busy closes with its response. */
  drainIdle(): void {
    for (const connection of [...this.#connections]) connection.drain()
  }

  /** Closes every connection now. @returns how many had something under way */
  force(): number {
    let cut = 0
    for (const connection of [...this.#connections]) {
      if (!connection.idle) cut++
      connection.destroy()
    }
    return cut
  }

  handle(exchange: Exchange): void {
    this.#parts.handle(exchange)
  }

  refuse(exchange: Exchange, error: ProxyError): void {
    this.#parts.refuse(exchange, error)
  }

  closed(connection: ServerConnection): void {
    if (!this.#connections.delete(connection)) return
    this.#parts.connections--
    const address = this.#addressOf.get(connection)
    if (address === undefined) return
    const count = (this.#byAddress.get(address) ?? 1) - 1
    if (count === 0) this.#byAddress.delete(address)
    else this.#byAddress.set(address, count)
  }

  #accept(socket: net.Socket): void {
    this.accepted++
    this.#refresh()
    // A connection that was reset before it was accepted has no address any more.
    const peer = peerOf(socket)
    const limits = this.#limits
    const global = Math.min(this.#parts.maxConnections, limits.connections ?? Infinity)
    if (this.#parts.connections >= global || !this.#admits(peer.address, limits.connectionsPerAddress)) {
      socket.on('error', () => {})
      // A reset costs no state here; the client sees at once that there is no room.
      socket.resetAndDestroy()
      return
    }
    const channel = adopt(socket, this.#parts.buffers, () =>
      this.#parts.log.warn('this Node reads accepted sockets the slow way', { node: process.version }),
    )
    this.#parts.connections++
    const connection = new ServerConnection(channel, peer, this)
    this.#connections.add(connection)
    if (limits.connectionsPerAddress !== null && this.#counts(peer.address)) {
      this.#addressOf.set(connection, peer.address)
      this.#byAddress.set(peer.address, (this.#byAddress.get(peer.address) ?? 0) + 1)
    }
  }

  #admits(address: string, limit: number | null): boolean {
    if (limit === null || !this.#counts(address)) return true
    return (this.#byAddress.get(address) ?? 0) < limit
  }

  /** Whether the connections of an address are counted: never those of this machine and of trusted proxies. */
  #counts(address: string): boolean {
    if (address === '' || address === '::1' || address.startsWith('127.')) return false
    return !this.#parts.trusts(this.entry, address)
  }
}

function peerOf(socket: net.Socket): Peer {
  const address = socket.remoteAddress ?? ''
  return {
    address: address.startsWith('::ffff:') ? address.slice(7) : address,
    port: socket.remotePort ?? 0,
    encrypted: false,
  }
}

/** A socket file that nobody answers on is left from a process that was killed. */
function removeStale(path: string, then: () => void): void {
  const probe = net.connect({ path })
  probe.on('connect', () => {
    probe.destroy()
    then()
  })
  probe.on('error', error => {
    if ('code' in error && error.code === 'ECONNREFUSED') {
      try {
        unlinkSync(path)
      } catch {
        // Somebody else removed it; listening says what is wrong, if anything is.
      }
    }
    then()
  })
}

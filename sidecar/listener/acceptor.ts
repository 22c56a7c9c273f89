import { unlinkSync } from 'node:fs'
import net from 'node:net'
import { randomBytes } from 'node:crypto'
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
import type { LingeringCounters } from '../telemetry/lingering-metrics.ts'
import type { Log } from '../telemetry/process-log.ts'
import { adopt } from './adopt.ts'
import { Admission, type AdmissionParts } from './admission.ts'
import { type Handshake, type HandshakeOwner, Handshakes } from './handshakes.ts'

/** What acceptors share. */
export interface AcceptorParts extends AdmissionParts {
  readonly wheel: TimerWheel
  readonly buffers: ReadBuffers
  readonly date: DateHeader
  readonly lingering: LingeringCounters
  readonly log: Log
  /** Whether connections end with their response because the process is short of memory. */
  readonly overload: { readonly closing: boolean }
  handle(exchange: Exchange): void
  refuse(exchange: Exchange, error: ProxyError): void
  /** The entry of an address in the serving snapshot. */
  entry(key: string): Entry | undefined
  /** Whether an address's proxies are trusted by one of its listeners, so that their connections are not counted. */
  trusts(key: string, address: string): boolean
  /** Counts a TLS handshake. @param failure why it failed; empty where it did not */
  handshake(key: string, failure: string): void
}

/** From which session tickets' keys are made: of this process, so that no ticket outlives it. */
const TICKET_SECRET = randomBytes(32)

/**
 * Owns a socket and its address: accepts, bounds how many connections there are, and makes each a server connection.
 * Outlives the snapshots that have its address; what it needs of one it reads when it needs it.
 */
export class Acceptor implements ServerHost<ServerConnection>, HandshakeOwner {
  readonly entry: string
  readonly wheel: TimerWheel
  readonly date: DateHeader
  /** Connections that the kernel has handed over so far, refused ones too. */
  accepted = 0
  #announced = false
  readonly #address: Address
  readonly #parts: AcceptorParts
  readonly #server: net.Server
  readonly #admission: Admission
  /** What each connection is counted by. */
  readonly #connections = new Map<ServerConnection, string>()
  /** The same of those whose handshake is under way. */
  readonly #shaking = new Map<net.Socket, string>()
  #handshakes: Handshakes | null = null
  /** The listeners for which `#handshakes` were last compared. */
  #asked: Entry['listeners'] | null = null
  #limits: ListenerLimits
  #clocks: ListenerConnection
  #current: Entry

  constructor(entry: Entry, parts: AcceptorParts) {
    this.entry = entry.key
    this.#address = entry.address
    this.#limits = entry.limits
    this.#clocks = entry.clocks
    this.#parts = parts
    this.#current = entry
    this.#admission = new Admission(parts, address => parts.trusts(this.entry, address))
    this.wheel = parts.wheel
    this.date = parts.date
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, socket =>
      this.#accept(socket),
    )
  }

  /** Whether responses announce that their connection closes. */
  get draining(): boolean {
    return this.#announced || this.#parts.overload.closing
  }

  /** The limits of the serving snapshot; of the last that had this address where that is draining. */
  get limits(): ListenerLimits {
    this.#refresh()
    return this.#limits
  }

  get clocks(): ListenerConnection {
    return this.#clocks
  }

  get lingering(): LingeringCounters {
    return this.#parts.lingering
  }

  #refresh(): void {
    const entry = this.#parts.entry(this.entry)
    if (entry === undefined) return
    this.#current = entry
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
    this.#announced = true
  }

  /** Closes what is idle; what is busy closes with its response. */
  drainIdle(): void {
    for (const connection of [...this.#connections.keys()]) connection.drain()
  }

  /** Closes every connection now. @returns how many had something under way */
  force(): number {
    let cut = 0
    for (const socket of [...this.#shaking.keys()]) socket.destroy()
    for (const connection of [...this.#connections.keys()]) {
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
    const counted = this.#connections.get(connection)
    if (counted === undefined) return
    this.#connections.delete(connection)
    this.#admission.leave(counted)
  }

  #accept(socket: net.Socket): void {
    this.accepted++
    this.#refresh()
    // A connection that was reset before it was accepted has no address any more.
    const counted = this.#admission.enter(addressOf(socket), this.#limits)
    if (counted === null) {
      socket.on('error', () => {})
      // A reset costs no state here; the client sees at once that there is no room.
      socket.resetAndDestroy()
    } else if (this.#current.encrypted) {
      this.#shaking.set(socket, counted)
      this.#handshakesNow().begin(socket)
    } else {
      this.#open(socket, counted, { ...peerOf(socket), encrypted: false, serverName: '', identity: null })
    }
  }

  onSecured(raw: net.Socket, { socket, serverName, identity }: Handshake): void {
    const counted = this.#shaking.get(raw) ?? ''
    this.#shaking.delete(raw)
    this.#parts.handshake(this.entry, '')
    this.#open(socket, counted, { ...peerOf(raw), encrypted: true, serverName, identity })
  }

  onInsecure(raw: net.Socket, why: string): void {
    const counted = this.#shaking.get(raw)
    if (counted === undefined) return
    this.#shaking.delete(raw)
    this.#admission.leave(counted)
    this.#parts.handshake(this.entry, why)
  }

  #open(socket: net.Socket, counted: string, peer: Peer): void {
    const channel = adopt(socket, this.#parts.buffers, () =>
      this.#parts.log.warn('this Node reads accepted sockets the slow way', { node: process.version }),
    )
    this.#connections.set(new ServerConnection(channel, peer, this), counted)
  }

  /** Those of the serving configuration. What a reload does not change goes on. */
  #handshakesNow(): Handshakes {
    const { listeners } = this.#current
    if (this.#asked === listeners && this.#handshakes !== null) return this.#handshakes
    this.#asked = listeners
    if (this.#handshakes?.serve(listeners) !== true)
      this.#handshakes = new Handshakes(listeners, this, TICKET_SECRET, this.#clocks.handshake)
    return this.#handshakes
  }
}

function addressOf(socket: net.Socket): string {
  const address = socket.remoteAddress ?? ''
  return address.startsWith('::ffff:') ? address.slice(7) : address
}

function peerOf(socket: net.Socket): { readonly address: string; readonly port: number } {
  return { address: addressOf(socket), port: socket.remotePort ?? 0 }
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

import net from 'node:net'
import { randomBytes } from 'node:crypto'
import type { Address, SocketEnd } from '../exchange/address.ts'
import type { Exchange, Peer } from '../exchange/exchange.ts'
import type { ProxyError } from '../exchange/proxy-error.ts'
import type { DateHeader } from '../http1/head-writer.ts'
import { ServerSession } from '../http2/server-session.ts'
import type { ListenerConnection, ListenerLimits } from '../exchange/connection-settings.ts'
import type { TcpConnection, TcpHost } from '../proxy/tcp.ts'
import type { LingeringCounters } from '../runtime/lingering.ts'
import type { MemoryBudget } from '../runtime/memory-budget.ts'
import type { TimerWheel } from '../runtime/timer-wheel.ts'
import type { Entry } from '../snapshot/snapshot.ts'
import type { ProxyHeaderResult } from '../telemetry/proxy-header-metrics.ts'
import type { AcceptorParts } from './acceptor-parts.ts'
import { adopt } from './adopt.ts'
import { Admission } from './admission.ts'
import { bind } from './bind.ts'
import { FirstRead, type HttpConnection, type HttpHost } from './first-read.ts'
import { type Handshake, type HandshakeOwner, Handshakes } from './handshakes.ts'
import { readProxyHeader, readServerName } from './read-first.ts'
import { localOf, peerOf } from './socket-ends.ts'
import { type Admitted, TrustReview } from './trust-review.ts'

type Connection = HttpConnection | TcpConnection

/** A connection before anything is spoken on it: what it is counted by, whose it is, and where it came in. */
interface Arrival {
  readonly counted: string
  readonly peer: SocketEnd
  readonly local: SocketEnd
}

/** From which session tickets' keys are made: of this process, so that no ticket outlives it. */
const TICKET_SECRET = randomBytes(32)

/**
 * Owns a socket and its address: accepts, bounds how many connections there are, and makes each a server connection.
 * Outlives the snapshots that have its address; what it needs of one it reads when it needs it.
 */
export class Acceptor implements HttpHost, TcpHost, HandshakeOwner {
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
  readonly #connections = new Map<Connection, Admitted>()
  readonly #trust: TrustReview<Connection>
  /** Those that are not there yet: a header, a handshake or a server name is awaited. */
  readonly #arriving = new Map<net.Socket, Arrival>()
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
    this.#trust = new TrustReview<Connection>(entry.listeners, {
      wheel: parts.wheel,
      connections: this.#connections,
      onEnding: peers => parts.ending(this.entry, peers),
    })
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

  get budget(): MemoryBudget {
    return this.#parts.budget
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
    return bind(this.#server, this.#address, error =>
      this.#parts.log.error('a listener failed', { address: this.entry, error }),
    )
  }

  get listening(): boolean {
    return this.#server.listening
  }

  /** Stops accepting. Open connections go on. It may listen again. */
  close(): void {
    this.#server.close()
  }

  /** From here on every response announces that its connection closes. */
  announce(): void {
    this.#announced = true
  }

  /** Its address serves again: no response announces any more that its connection closes. */
  stay(): void {
    this.#announced = false
  }

  /** Closes what is idle; what is busy closes with its response. */
  drainIdle(): void {
    for (const connection of [...this.#connections.keys()]) connection.drain()
  }

  /** Closes every connection now. @returns how many had something under way */
  force(): number {
    let cut = 0
    for (const socket of [...this.#arriving.keys()]) socket.destroy()
    for (const connection of [...this.#connections.keys()]) {
      if (!connection.idle) cut++
      connection.destroy()
    }
    return cut
  }

  /** Another configuration serves: connections that it would not let in end. */
  review(): void {
    this.#refresh()
    this.#trust.review(this.#current.listeners, this.#arriving.keys())
    if (this.#current.protocol === 'http') return
    for (const connection of [...this.#connections.keys()]) if ('review' in connection) connection.review()
  }

  handle(exchange: Exchange): void {
    this.#parts.handle(exchange)
  }

  refuse(exchange: Exchange, error: ProxyError): void {
    this.#parts.refuse(exchange, error)
  }

  spoke(before: FirstRead, now: HttpConnection): void {
    const admitted = this.#connections.get(before)
    if (admitted === undefined) return
    this.#connections.delete(before)
    this.#connections.set(now, admitted)
    this.#trust.onReplaced(before, now)
  }

  closed(connection: Connection): void {
    const admitted = this.#connections.get(connection)
    if (admitted === undefined) return
    this.#connections.delete(connection)
    this.#trust.onClosed(connection)
    this.#admission.leave(admitted.counted)
  }

  #accept(socket: net.Socket): void {
    this.accepted++
    this.#refresh()
    const arrival = this.#enter(socket, peerOf(socket), localOf(socket))
    if (arrival === null) return
    if (this.#current.proxyProtocol) this.#readHeader(socket, arrival)
    else this.#greet(socket, arrival)
  }

  /** Takes a place for a connection; closes it where there is none. */
  #enter(socket: net.Socket, peer: SocketEnd, local: SocketEnd): Arrival | null {
    const counted = this.#admission.enter(peer.address, this.#limits)
    if (counted !== null) return { counted, peer, local }
    socket.on('error', () => {})
    // A reset costs no state here; the client sees at once that there is no room.
    socket.resetAndDestroy()
    return null
  }

  /** A proxy says whose connection it is. From whom nobody should believe that, the connection is not taken at all. */
  #readHeader(socket: net.Socket, arrival: Arrival): void {
    const { address } = arrival.peer
    const result = (name: ProxyHeaderResult, cause = ''): void =>
      this.#parts.proxyHeader(this.entry, name, address === '' ? 'unix' : address, cause)
    // Who may open a Unix socket is said by its file.
    if (this.#address.kind === 'tcp' && !this.#parts.trusts(this.entry, address)) {
      this.#admission.leave(arrival.counted)
      result('untrusted')
      socket.on('error', () => {})
      socket.resetAndDestroy()
      return
    }
    this.#arriving.set(socket, arrival)
    readProxyHeader(socket, this.wheel, this.#clocks.handshake, header => {
      this.#arriving.delete(socket)
      this.#admission.leave(arrival.counted)
      if ('why' in header) {
        const { why } = header
        if (why === 'timeout' || why === 'closed') result(why)
        else result('invalid', why)
        socket.destroy()
        return
      }
      result('ok')
      const { source: peer, destination: local } = header.ends ?? {
        source: arrival.peer,
        destination: arrival.local,
      }
      // From here on it is the client's: its limits, its name in the log.
      const again = this.#enter(socket, peer, local)
      if (again !== null) this.#greet(socket, again)
    })
  }

  /** Opens TLS, or looks for the name that the client asks for, where that is needed; else the connection is there. */
  #greet(socket: net.Socket, arrival: Arrival): void {
    const { encrypted, protocol, listeners } = this.#current
    const { peer, local } = arrival
    const plain = { ...peer, local, encrypted: false, serverName: '', identity: null }
    if (encrypted) {
      this.#arriving.set(socket, arrival)
      this.#handshakesNow().begin(socket)
    } else if (protocol === 'tcp' && (listeners[0]?.table.namesHosts ?? false)) {
      this.#arriving.set(socket, arrival)
      readServerName(socket, this.wheel, this.#clocks.handshake, serverName => {
        this.#arriving.delete(socket)
        if (serverName === null) this.#admission.leave(arrival.counted)
        else this.#open(socket, arrival.counted, { ...plain, serverName })
      })
    } else this.#open(socket, arrival.counted, plain)
  }

  onSecured(raw: net.Socket, { socket, serverName, identity, http2 }: Handshake): void {
    const arrival = this.#arriving.get(raw)
    // It is there from `begin` on, until one of the two is called.
    if (arrival === undefined) return
    this.#arriving.delete(raw)
    this.#parts.handshake(this.entry, '')
    const peer = { ...arrival.peer, local: arrival.local, encrypted: true, serverName, identity }
    this.#trust.onOpened(raw, this.#open(socket, arrival.counted, peer, http2))
  }

  onInsecure(raw: net.Socket, why: string): void {
    const arrival = this.#arriving.get(raw)
    if (arrival === undefined) return
    this.#arriving.delete(raw)
    this.#admission.leave(arrival.counted)
    this.#parts.handshake(this.entry, why)
  }

  #open(socket: net.Socket, counted: string, peer: Peer, http2 = false): Connection {
    const channel = adopt(socket, this.#parts.buffers, () =>
      this.#parts.log.warn('this Node reads accepted sockets the slow way', { node: process.version }),
    )
    const admitted = { counted, peer, socket }
    if (!http2 && this.#current.protocol === 'http') {
      const first = new FirstRead(channel, peer, !peer.encrypted, this)
      this.#connections.set(first, admitted)
      return first
    }
    const connection = http2 ? new ServerSession(channel, peer, this) : this.#parts.tcp(channel, peer, this)
    this.#connections.set(connection, admitted)
    connection.start()
    return connection
  }

  /** Those of the serving configuration. What a reload does not change goes on. */
  #handshakesNow(): Handshakes {
    const { listeners, protocol } = this.#current
    if (this.#asked === listeners && this.#handshakes !== null) return this.#handshakes
    this.#asked = listeners
    const { handshake } = this.#clocks
    const http = protocol === 'http'
    if (this.#handshakes?.serve(listeners, handshake, http) !== true)
      this.#handshakes = new Handshakes(listeners, this, TICKET_SECRET, handshake, http)
    return this.#handshakes
  }
}

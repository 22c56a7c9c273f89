import type { Socket } from 'node:net'
import type tls from 'node:tls'
import type { Peer } from '../exchange/exchange.ts'
import { Timer, type TimerOwner, type TimerWheel } from '../runtime/timer-wheel.ts'
import type { TlsListener } from '../snapshot/listener-tls.ts'
import { ClientTrust } from './client-trust.ts'

/** How long a connection that is to end may take for what it has under way. */
export const ENDING_MS = 30_000
/** How many connections are looked at in one turn of the event loop. */
const SLICE = 64

/** A connection that can be ended. */
export interface Ending {
  /** Closes it where it is idle, else with what is under way. */
  drain(): void
  /** Closes it now. */
  destroy(): void
}

/** What is known of a connection beside what it speaks. */
export interface Admitted {
  /** The address that it is counted by. */
  readonly counted: string
  readonly peer: Peer
  readonly socket: Socket
}

/** What a review needs of the address whose connections it looks at. */
export interface TrustReviewOwner<C extends Ending> {
  readonly wheel: TimerWheel
  readonly connections: ReadonlyMap<C, Admitted>
  /** These are being ended; tunnels do not hear of it by themselves. */
  onEnding(peers: ReadonlySet<Peer>): void
}

/**
 * Ends connections of clients that the configuration no longer lets in: their authority was taken away, or they showed no
 * certificate where one is required now. Else they would go on under what they proved for as long as they like.
 */
export class TrustReview<C extends Ending> implements TimerOwner {
  readonly #owner: TrustReviewOwner<C>
  readonly #timer = new Timer(this)
  /** Until when each may last; the first to end first. */
  readonly #ending = new Map<C, number>()
  /** Sockets whose handshake began under another configuration. */
  #late = new WeakSet<Socket>()
  #trust: ClientTrust

  constructor(listeners: readonly TlsListener[], owner: TrustReviewOwner<C>) {
    this.#owner = owner
    this.#trust = new ClientTrust(listeners)
  }

  /**
   * Another configuration serves.
   * @param arriving sockets that are not connections yet
   */
  review(listeners: readonly TlsListener[], arriving: Iterable<Socket>): void {
    if (this.#trust.same(listeners)) return
    const trust = new ClientTrust(listeners)
    this.#trust = trust
    this.#late = new WeakSet(arriving)
    this.#look(trust, [...this.#owner.connections.keys()], 0)
  }

  /** A handshake is over. @param raw the socket that was accepted */
  onOpened(raw: Socket, connection: C): void {
    if (this.#late.has(raw)) this.#look(this.#trust, [connection], 0)
  }

  /** A connection stands for another. */
  onReplaced(before: C, now: C): void {
    const until = this.#ending.get(before)
    if (until === undefined) return
    this.#ending.delete(before)
    this.#ending.set(now, until)
    // Its first request is read right now, and is answered.
    setImmediate(() => now.drain())
  }

  onClosed(connection: C): void {
    if (this.#ending.delete(connection) && this.#ending.size === 0) this.#owner.wheel.remove(this.#timer)
  }

  onTimer(): void {
    const now = this.#owner.wheel.now()
    for (const [connection, until] of [...this.#ending]) {
      if (until > now) break
      this.#ending.delete(connection)
      connection.destroy()
    }
    const [next] = this.#ending.values()
    if (next !== undefined) this.#owner.wheel.scheduleAt(this.#timer, Math.max(next, now + 1))
  }

  /** A signature takes a tenth of a millisecond: thousands of clients are looked at in pieces. */
  #look(trust: ClientTrust, connections: readonly C[], from: number): void {
    // A newer review looks at all of them again.
    if (trust !== this.#trust) return
    const ended = new Set<Peer>()
    for (const connection of connections.slice(from, from + SLICE)) {
      const admitted = this.#owner.connections.get(connection)
      if (admitted === undefined || this.#holds(trust, admitted)) continue
      ended.add(admitted.peer)
      if (!this.#ending.has(connection)) this.#end(connection)
    }
    if (ended.size > 0) this.#owner.onEnding(ended)
    if (from + SLICE < connections.length) setImmediate(() => this.#look(trust, connections, from + SLICE))
  }

  #holds(trust: ClientTrust, { peer, socket }: Admitted): boolean {
    if (!peer.encrypted) return true
    // A peer that is encrypted came by TLS.
    return trust.holds(socket as tls.TLSSocket, peer.serverName, peer.identity !== null)
  }

  #end(connection: C): void {
    const { wheel } = this.#owner
    this.#ending.set(connection, wheel.now() + ENDING_MS)
    if (this.#ending.size === 1) wheel.schedule(this.#timer, ENDING_MS)
    connection.drain()
  }
}

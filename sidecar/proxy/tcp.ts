import { NO_BODY } from '../exchange/body.ts'
import { Exchange, type Peer, type Responder } from '../exchange/exchange.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import type { Filter } from '../filters/filter.ts'
import type { Channel, ChannelOwner } from '../runtime/channel.ts'
import { Timer, type TimerOwner } from '../runtime/timer-wheel.ts'
import type { Generation } from '../snapshot/generation.ts'
import type { TimeoutPolicy } from '../snapshot/policies.ts'
import type { AccessLogPolicy } from '../telemetry/access-log.ts'
import type { TcpCounters } from '../telemetry/tcp-metrics.ts'
import { bug } from './answer.ts'
import { Leg, type LegOwner } from './leg.ts'
import type { ProxyParts } from './parts.ts'
import { type DialOwner, TcpDial } from './tcp-dial.ts'

/** How often an open connection is looked at, as a part of its idle time. */
const IDLE_LOOKS = 4
/** How long the last bytes may take to go out when both sides have closed. */
const FLUSH_MS = 60_000
/** Nobody is answered: bytes pass, or the connection is closed. */
const SILENT: Responder = {
  inform() {},
  respond() {},
  limitBody() {},
  acceptConnect() {},
  abort() {},
}

/** Where a connection came in. */
export interface TcpHost {
  /** The acceptor's key. */
  readonly entry: string
  closed(connection: TcpConnection): void
}

/**
 * A connection of a TCP listener and the one that is opened for it: bytes pass as they are, each side closes its own
 * direction, and stops the other where it takes no more. The route is chosen once, by server name.
 */
export class TcpConnection implements ChannelOwner, DialOwner, LegOwner, TimerOwner {
  readonly #channel: Channel
  readonly #host: TcpHost
  readonly #parts: ProxyParts
  readonly #exchange: Exchange
  readonly #timer = new Timer(this)
  #over = false
  /** Until the other end is there: a connection may outlive many generations. */
  #generation: Generation | null
  #log: AccessLogPolicy = 'errors'
  #config = ''
  /** What was asked last. */
  #filters: readonly Filter[] = []
  #counters: TcpCounters
  #timeout: TimeoutPolicy | null = null
  #dial: TcpDial | null = null
  /** What TLS brought with the handshake, which a pause does not stop. */
  #early: Buffer = Buffer.alloc(0)
  /** The end may come with it. */
  #ended = false
  #near: Leg | null = null
  #far: Leg | null = null
  #counted = { in: 0, out: 0 }
  #movedAt = 0
  #moved = 0
  #lives = Infinity

  /**
   * @param channel the client's, not yet started
   * @param peer whose `serverName` chooses the route
   */
  constructor(channel: Channel, peer: Peer, host: TcpHost, parts: ProxyParts) {
    this.#channel = channel
    this.#host = host
    this.#parts = parts
    this.#counters = parts.tcp.route('none')
    this.#exchange = new Exchange({
      method: '',
      target: '',
      version: 'TCP',
      headers: [],
      body: NO_BODY,
      tunnel: null,
      expectsContinue: false,
      connectHost: null,
      peer,
      responder: SILENT,
      entry: host.entry,
      startedAt: parts.wheel.now(),
    })
    this.#exchange.clientAddress = peer.address
    this.#generation = parts.holder.take(host.entry)
    parts.active++
    channel.owner = this
    // It is read when there is somebody to read it.
    channel.pause()
  }

  /** Never: whoever speaks here may be between two words at any time. */
  get idle(): boolean {
    return false
  }

  /** Goes on until one side closes, or the drain's time is over. */
  drain(): void {}

  /** Closes whatever is under way. */
  destroy(): void {
    this.#end(new ProxyError('draining'))
    this.#channel.destroy()
  }

  start(): void {
    try {
      const refused = this.#route()
      if (refused !== null) this.#end(refused)
      else this.#dial?.start()
    } catch (error) {
      this.#end(bug(error))
    }
  }

  /** @returns why the connection goes nowhere */
  #route(): ProxyError | null {
    const exchange = this.#exchange
    const parts = this.#parts
    const snapshot = this.#generation?.snapshot
    const listener = snapshot?.entries.get(this.#host.entry)?.listeners[0]
    // A reload may have closed the address between accept and now.
    if (snapshot === undefined || listener === undefined) return new ProxyError('draining')
    exchange.listener = listener.name
    this.#log = snapshot.logPolicy(listener.name)
    this.#config = snapshot.hash
    const cause = parts.overload.refuses(parts.active)
    if (cause !== '') return new ProxyError('overloaded', '', { cause })
    const { serverName: host } = exchange.peer
    exchange.request = Object.freeze({
      method: '',
      scheme: 'https',
      host,
      port: 0,
      path: '/',
      query: '',
      hasQuery: false,
    })
    const found = listener.table.lookup(exchange.request, exchange.headers)
    if (found.kind !== 'found') return new ProxyError('no_route')
    const { name, action, filters, policies } = found.value
    // The loader lets nothing else into such a listener.
    if (action.kind !== 'upstream') throw new Error(`the TCP route ${name} has ${action.kind}`)
    exchange.route = name
    this.#counters = parts.tcp.route(name)
    this.#timeout = policies.timeout
    const refused = this.#ask(filters)
    if (refused === null) this.#dial = new TcpDial(this, exchange, action, policies, parts)
    return refused
  }

  /**
   * Another configuration serves. There are no requests that would be asked about, so the connection is, where what is
   * asked has changed; whatever else did is for those that come.
   */
  review(): void {
    const exchange = this.#exchange
    const { snapshot } = this.#parts.holder.current
    const table = snapshot.entries.get(this.#host.entry)?.listeners[0]?.table
    if (this.#over || exchange.request === null || table === undefined) return
    const found = table.lookup(exchange.request, exchange.headers)
    if (found.kind !== 'found' || found.value.filters === this.#filters) return
    this.#config = snapshot.hash
    try {
      const refused = this.#ask(found.value.filters)
      if (refused !== null) this.#end(refused)
    } catch (error) {
      this.#end(bug(error))
    }
  }

  /** @returns why the client may not connect */
  #ask(filters: readonly Filter[]): ProxyError | null {
    this.#filters = filters
    for (const filter of filters) {
      const verdict = filter.onRequest?.(this.#exchange)
      if (verdict === undefined) continue
      // Only `authorize` stands in such a route, and it answers at once.
      if (verdict instanceof ProxyError) return verdict
      throw new Error(`the filter ${filter.name} has no place in a TCP route`)
    }
    return null
  }

  onDialled(channel: Channel): void {
    const now = this.#parts.wheel.now()
    this.#exchange.firstByteAfter = now - this.#exchange.startedAt
    this.#lives = now + (this.#timeout?.stream ?? Infinity)
    this.#movedAt = now
    this.#counters.active++
    this.#giveGeneration()
    const far = new Leg(channel, this)
    const near = new Leg(this.#channel, this, this.#early)
    this.#early = Buffer.alloc(0)
    this.#far = far
    this.#near = near
    this.#watch()
    // The client is read from here on.
    far.pump(near.reader)
    near.pump(far.reader)
    if (this.#ended) near.onEnd()
  }

  onNotDialled(error: ProxyError): void {
    this.#end(error)
  }

  // --- clocks ------------------------------------------------------------------------------------------------

  onTimer(): void {
    if (this.#over) {
      this.#near?.destroy()
      this.#far?.destroy()
      return
    }
    this.#count()
    const now = this.#parts.wheel.now()
    const moved = (this.#near?.moved ?? 0) + (this.#far?.moved ?? 0)
    if (moved !== this.#moved) this.#movedAt = now
    this.#moved = moved
    if (now >= this.#lives) this.#end(new ProxyError('stream_timeout'))
    else if (now - this.#movedAt >= this.#idle) this.#end(new ProxyError('upstream_idle'))
    else this.#watch()
  }

  get #idle(): number {
    return this.#timeout?.idle ?? Infinity
  }

  #watch(): void {
    const { wheel } = this.#parts
    wheel.schedule(this.#timer, Math.min(this.#idle / IDLE_LOOKS, this.#lives - wheel.now()))
  }

  // --- the client, while it waits ----------------------------------------------------------------------------

  onBytes(buffer: Buffer, length: number): void {
    this.#early = Buffer.concat([this.#early, buffer.subarray(0, length)])
  }

  onEnd(): void {
    this.#ended = true
  }

  onDrain(): void {}

  onClose(code: string): void {
    this.#end(new ProxyError('client_gone', '', { cause: code }))
    this.#host.closed(this)
  }

  // --- ends --------------------------------------------------------------------------------------------------

  onLegSent(): void {
    if (this.#near?.sent === true && this.#far?.sent === true) this.#end(null)
  }

  onLegClosed(leg: Leg, code: string): void {
    this.#end(new ProxyError(leg === this.#near ? 'client_gone' : 'upstream_aborted', '', { cause: code }))
    if (this.#near?.closed === true && this.#far?.closed === true) this.#parts.wheel.remove(this.#timer)
    if (leg === this.#near) this.#host.closed(this)
  }

  /** The one place where it ends, from whatever side comes first. A second call does nothing. */
  #end(error: ProxyError | null): void {
    if (this.#over) return
    this.#over = true
    const { wheel } = this.#parts
    wheel.remove(this.#timer)
    this.#count()
    const open = this.#near !== null
    if (error === null) wheel.schedule(this.#timer, FLUSH_MS)
    else if (open) {
      this.#near?.break(error)
      this.#far?.break(error)
    } else if (!this.#channel.closed) this.#channel.reset()
    this.#dial?.end()
    this.#account(error, open)
  }

  #account(error: ProxyError | null, open: boolean): void {
    const exchange = this.#exchange
    const parts = this.#parts
    parts.active--
    if (open) this.#counters.active--
    this.#counters.ended(error?.reason ?? 'ok')
    exchange.finish(error)
    if (error !== null) parts.recordError(exchange.route, error.reason)
    parts.accessLog.write(exchange, this.#log)
    if (exchange.decision !== null) parts.audit.write(exchange, this.#config)
    this.#giveGeneration()
  }

  /** Counts what passed since the last time. */
  #count(): void {
    const exchange = this.#exchange
    exchange.bytesIn = this.#near?.reader.received ?? 0
    exchange.bytesOut = this.#far?.reader.received ?? 0
    this.#counters.bytesIn += exchange.bytesIn - this.#counted.in
    this.#counters.bytesOut += exchange.bytesOut - this.#counted.out
    this.#counted = { in: exchange.bytesIn, out: exchange.bytesOut }
  }

  #giveGeneration(): void {
    const generation = this.#generation
    this.#generation = null
    generation?.give()
  }
}

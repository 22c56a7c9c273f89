import { isIP } from 'node:net'
import type { Exchange, Work } from '../exchange/exchange.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import type { Channel, ChannelOwner } from '../runtime/channel.ts'
import { connectChannel } from '../runtime/connect-channel.ts'
import { Timer, type TimerOwner } from '../runtime/timer-wheel.ts'
import type { TunnelPolicy } from '../snapshot/policies.ts'
import { isForbidden } from '../upstream/discovery/forbidden-addresses.ts'
import type { LookupDone } from '../upstream/discovery/lookup-queue.ts'
import { addressLabel } from '../upstream/endpoint.ts'
import { bug, fail } from './answer.ts'
import { releaseTunnel } from './done.ts'
import { Leg, type LegOwner } from './leg.ts'
import type { ProxyParts } from './parts.ts'

/** From the CONNECT to the connection, look-up and all addresses of the name included. */
const CONNECT_MS = 2000
/** How often an open tunnel is looked at, as a part of its idle time. */
const IDLE_LOOKS = 4
/** How long the other end may take for the last bytes of a tunnel whose client has closed. */
const FLUSH_MS = 60_000

/**
 * A CONNECT to a host that is no route, where the listener says `tunnel: on` (RFC 9110 section 9.3.6): the bytes pass as
 * they are, both ways, each end closing its own direction. What goes through is counted and not seen. Never to an
 * address that `isForbidden` names, however the client came to it.
 */
export class ConnectTunnel implements Work, ChannelOwner, LegOwner, TimerOwner {
  readonly #exchange: Exchange
  readonly #target: { readonly host: string; readonly port: number }
  readonly #policy: TunnelPolicy
  readonly #parts: ProxyParts
  readonly #timer = new Timer(this)
  readonly #end: number
  #phase: 'resolving' | 'connecting' | 'open' | 'over' = 'resolving'
  #addresses: string[] = []
  /** While it is being opened. */
  #channel: Channel | null = null
  #leg: Leg | null = null
  #moved = 0
  #stillFor = 0

  constructor(
    exchange: Exchange,
    target: { readonly host: string; readonly port: number },
    policy: TunnelPolicy,
    parts: ProxyParts,
  ) {
    this.#exchange = exchange
    this.#target = target
    this.#policy = policy
    this.#parts = parts
    this.#end = parts.wheel.now() + CONNECT_MS
  }

  start(): void {
    const { host } = this.#target
    const bare = host.startsWith('[') ? host.slice(1, -1) : host
    this.#exchange.work = this
    this.#exchange.tunnel = 'connect'
    this.#parts.wheel.schedule(this.#timer, CONNECT_MS)
    if (isIP(bare) === 0) this.#parts.tunnels.lookups.run(host, this.#lookedUp)
    else this.#found([bare])
  }

  readonly #lookedUp: LookupDone = (error, addresses) => {
    if (this.#phase !== 'resolving') return
    try {
      if (error === null && addresses.length > 0) this.#found(addresses)
      else this.#fail(new ProxyError('upstream_unresolved', '', { cause: error?.code ?? 'no addresses' }))
    } catch (thrown) {
      this.#fail(bug(thrown))
    }
  }

  /** Names lead anywhere, so it is the addresses that are judged. */
  #found(addresses: readonly string[]): void {
    const peer = this.#exchange.peer.address
    this.#addresses = addresses.filter(address => !isForbidden(address, peer))
    if (this.#addresses.length > 0) this.#next('')
    else this.#fail(new ProxyError('tunnel_refused', '', { cause: addresses.join(' ') }))
  }

  #next(code: string): void {
    const host = this.#addresses.shift()
    if (host === undefined) {
      this.#fail(new ProxyError('upstream_connect_failed', '', { cause: code }))
      return
    }
    const { port } = this.#target
    this.#phase = 'connecting'
    this.#exchange.attempts++
    this.#exchange.endpoint = addressLabel({ kind: 'tcp', host, port })
    // The time that is left is shared, so that an address which says nothing leaves some for the next.
    const left = this.#end - this.#parts.wheel.now()
    this.#parts.wheel.schedule(this.#timer, left / (this.#addresses.length + 1))
    const channel = connectChannel({ at: { host, port }, tls: null }, this.#parts.buffers, () =>
      this.#connected(),
    )
    channel.owner = this
    this.#channel = channel
  }

  #connected(): void {
    const channel = this.#channel
    if (this.#phase !== 'connecting' || channel === null) return
    const { counters } = this.#parts.tunnels
    this.#phase = 'open'
    counters.opened++
    counters.active++
    try {
      const leg = new Leg(channel, this)
      this.#channel = null
      this.#leg = leg
      // A tunnel may outlive many generations and needs none.
      releaseTunnel(this.#exchange, null)
      this.#watch()
      this.#exchange.responder.respond(200, [], leg.reader)
      if (!this.#exchange.finished) leg.pump(this.#exchange.body)
    } catch (error) {
      this.#fail(bug(error))
    }
  }

  #fail(error: ProxyError): void {
    fail(this.#exchange, null, error)
    // Where it was answered, the exchange ends when the answer is out; the work for it ends here.
    this.end(error)
  }

  // --- clocks ------------------------------------------------------------------------------------------------

  onTimer(): void {
    if (this.#phase === 'resolving') {
      this.#fail(new ProxyError('upstream_unresolved', '', { cause: 'waited too long' }))
    } else if (this.#phase === 'connecting') {
      this.#leave()
      if (this.#addresses.length > 0) this.#next('')
      else this.#fail(new ProxyError('upstream_connect_timeout'))
    } else if (this.#phase === 'over') {
      this.#leg?.destroy()
    } else {
      const moved = this.#leg?.moved ?? 0
      this.#stillFor = moved === this.#moved ? this.#stillFor + 1 : 0
      this.#moved = moved
      if (this.#stillFor < IDLE_LOOKS) this.#watch()
      else this.#fail(new ProxyError('upstream_idle'))
    }
  }

  #watch(): void {
    const { idle } = this.#policy
    this.#parts.wheel.schedule(this.#timer, idle === null ? Infinity : idle / IDLE_LOOKS)
  }

  // --- the other end -----------------------------------------------------------------------------------------

  onLegSent(): void {}

  onLegClosed(leg: Leg, code: string): void {
    this.#parts.wheel.remove(this.#timer)
    if (this.#phase !== 'open') return
    const error = new ProxyError('upstream_aborted', '', { cause: code })
    leg.reader.fail(error)
    // Its direction had ended well: what the client still sends goes nowhere.
    if (!leg.sent) this.#fail(error)
  }

  onClose(code: string): void {
    this.#channel = null
    if (this.#phase === 'connecting') this.#next(code)
  }

  onBytes(): void {}
  onEnd(): void {}
  onDrain(): void {}

  // --- ends --------------------------------------------------------------------------------------------------

  end(error: ProxyError | null): void {
    const { wheel, tunnels } = this.#parts
    const { counters, lookups } = tunnels
    const phase = this.#phase
    if (phase === 'over') return
    this.#phase = 'over'
    wheel.remove(this.#timer)
    if (phase === 'resolving') lookups.withdraw(this.#target.host, this.#lookedUp)
    if (phase !== 'open') {
      counters.failed++
      this.#leave()
      return
    }
    counters.active--
    counters.bytesIn += this.#exchange.bytesIn
    counters.bytesOut += this.#exchange.bytesOut
    if (error === null) {
      // Both have closed. What the other end has not taken yet still goes out.
      if (this.#leg?.closed === false) wheel.schedule(this.#timer, FLUSH_MS)
      return
    }
    this.#leg?.break(error)
  }

  /** Gives up the connection that is being opened. */
  #leave(): void {
    const channel = this.#channel
    this.#channel = null
    if (channel === null) return
    channel.owner = null
    channel.destroy()
  }
}

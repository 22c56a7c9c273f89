import type { Exchange } from '../exchange/exchange.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import { Connecting, type ConnectingOwner } from '../http1/connecting.ts'
import type { Channel } from '../runtime/channel.ts'
import { Timer, type TimerOwner } from '../runtime/timer-wheel.ts'
import type { RoutePolicies } from '../snapshot/policies.ts'
import type { UpstreamAction } from '../snapshot/route.ts'
import type { Endpoint } from '../upstream/endpoint.ts'
import type { UpstreamWaiter } from '../upstream/load.ts'
import type { Outcome, Ticket } from '../upstream/outcome.ts'
import type { PickAsk } from '../upstream/picker.ts'
import { proxyHeader } from '../upstream/proxy-header.ts'
import type { ProxyParts } from './parts.ts'
import { Place } from './place.ts'
import { backoff } from './retry.ts'

/** Who wants a connection to an upstream. One of the two is called, perhaps before `start` returns, unless it is ended. */
export interface DialOwner {
  /** The channel has to have another owner before this returns. */
  onDialled(channel: Channel): void
  onNotDialled(error: ProxyError): void
}

/**
 * A connection to an upstream for one client's alone: a place there, an endpoint, and another one where the first cannot
 * be reached, within the route's `timeout.total` and the budget of its retries. The place is held until `end`.
 */
export class TcpDial implements ConnectingOwner, UpstreamWaiter, PickAsk, Outcome, TimerOwner {
  // What the balancer asks of it.
  avoid: Endpoint | null = null
  readonly sticky = ''
  // What the upstream hears of each endpoint that was tried.
  status = 0
  error: ProxyError | null = null
  milliseconds = 0
  readonly retryAfter = null

  readonly #owner: DialOwner
  readonly #exchange: Exchange
  readonly #policies: Pick<RoutePolicies, 'timeout' | 'retry'>
  readonly #parts: ProxyParts
  readonly #place: Place
  readonly #timer = new Timer(this)
  readonly #pause = new Timer({ onTimer: () => this.#try() })
  #phase: 'waiting' | 'connecting' | 'open' | 'over' = 'waiting'
  #retries = 0
  #endpoint: Endpoint | null = null
  #ticket: Ticket = 0
  #began = 0
  #connecting: Connecting | null = null

  constructor(
    owner: DialOwner,
    exchange: Exchange,
    action: UpstreamAction,
    policies: Pick<RoutePolicies, 'timeout' | 'retry'>,
    parts: ProxyParts,
  ) {
    this.#owner = owner
    this.#exchange = exchange
    this.#policies = policies
    this.#parts = parts
    this.#place = new Place(action, exchange)
  }

  get hash(): number {
    return this.#place.hash
  }

  start(): void {
    this.#parts.wheel.schedule(this.#timer, this.#policies.timeout.total ?? Infinity)
    const entered = this.#place.enter(this)
    if (entered instanceof ProxyError) this.#fail(entered)
    else if (entered) this.onRoom()
  }

  onRoom(): void {
    this.#place.entered()
    this.#try()
  }

  #try(): void {
    if (this.#phase === 'over') return
    const { upstream } = this.#place
    const endpoint = upstream.pick(this)
    if (endpoint instanceof ProxyError) {
      this.#fail(endpoint)
      return
    }
    const { wheel, buffers } = this.#parts
    const exchange = this.#exchange
    const { connection, proxyProtocol: version } = upstream.spec
    this.#phase = 'connecting'
    this.#endpoint = endpoint
    exchange.endpoint = endpoint.label
    exchange.attempts++
    this.#began = wheel.now()
    this.#ticket = upstream.begin(endpoint)
    this.#connecting = new Connecting(this)
    const opening = {
      protocol: '',
      ...(version === null ? {} : { preface: proxyHeader(version, exchange.peer, exchange.peer.local) }),
    } as const
    const time = Math.min(connection.connect, this.#policies.timeout.perTry ?? Infinity)
    this.#connecting.start(endpoint.target, time, buffers, wheel, opening)
  }

  onConnected(_connecting: Connecting, channel: Channel): void {
    const { recorder } = this.#place.upstream
    this.#phase = 'open'
    this.#connecting = null
    recorder.connectsOpened++
    recorder.requests++
    this.#report(200, null)
    // What the attempt showed is told; the endpoint is busy with it as long as it lasts.
    if (this.#endpoint !== null) this.#endpoint.inFlight++
    this.#place.leaveBudget()
    this.#parts.wheel.remove(this.#timer)
    this.#owner.onDialled(channel)
  }

  onConnectFailed(_connecting: Connecting, error: ProxyError): void {
    const { recorder, endpoints } = this.#place.upstream
    this.#phase = 'waiting'
    this.#connecting = null
    recorder.connectsFailed++
    this.#report(0, error)
    this.avoid = this.#endpoint
    this.#endpoint = null
    const { retry } = this.#policies
    if (retry === null || this.#retries >= retry.count || !this.#place.retry(retry)) {
      this.#fail(error)
      return
    }
    recorder.retries.unprocessed++
    this.#exchange.retriedFor = error.reason
    this.#retries++
    // Another endpoint is asked at once; the same one has a moment to come back.
    if (endpoints.length > 1) this.#try()
    else this.#parts.fine.schedule(this.#pause, backoff(retry, this.#retries, this.#parts.random))
  }

  onTimer(): void {
    this.#fail(new ProxyError('upstream_connect_timeout'))
  }

  /** Gives up what is under way, or gives the place back when the connection is over. A second call does nothing. */
  end(): void {
    const phase = this.#phase
    if (phase === 'over') return
    this.#phase = 'over'
    this.#parts.wheel.remove(this.#timer)
    this.#parts.fine.remove(this.#pause)
    if (this.#endpoint !== null && phase === 'connecting') {
      this.#connecting?.cancel()
      this.#place.upstream.abandoned(this.#endpoint, this.#ticket)
    } else if (this.#endpoint !== null && phase === 'open') this.#endpoint.inFlight--
    this.#place.leave(this)
  }

  #fail(error: ProxyError): void {
    this.end()
    this.#owner.onNotDialled(error)
  }

  #report(status: number, error: ProxyError | null): void {
    if (this.#endpoint === null) return
    this.status = status
    this.error = error
    this.milliseconds = this.#parts.wheel.now() - this.#began
    this.#place.upstream.settled(this.#endpoint, this.#ticket, this)
  }
}

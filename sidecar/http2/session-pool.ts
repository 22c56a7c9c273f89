import type { ConnectionPool, ConnectionWaiter, PoolCounters, PoolSettings } from '../exchange/outgoing.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import type { Destination } from '../runtime/destination.ts'
import type { LingeringCounters } from '../runtime/lingering.ts'
import type { MemoryBudget } from '../runtime/memory-budget.ts'
import type { ReadBuffers } from '../runtime/read-buffers.ts'
import { Timer, type TimerOwner, type TimerWheel } from '../runtime/timer-wheel.ts'
import { type ClientParts, ClientSession, type SessionHome } from './client-session.ts'
import { ClientStream } from './client-stream.ts'
import type { Http2Settings } from './session-settings.ts'
import type { SessionQuota } from './session-quota.ts'

/** What is held against an upstream: it opens no streams, and its heads are held to the limits of the field. */
const SETTINGS: Http2Settings = {
  streams: 0,
  streamWindow: 65_536,
  window: 1_048_576,
  headerBytes: 65_536,
  headerFields: 100,
  resetsBurst: 200,
  resetsPerSecond: 33,
  connectProtocol: false,
}
/** What an upstream may take no byte of: the clocks of exchanges bound that, and are told earlier. */
const WRITE_IDLE_MS = 300_000
/** How long a header block may be under way. SETTINGS are waited for as part of the connect, which ends earlier. */
const HEAD_MS = 10_000
/** A session is replaced when it is this old, so that load follows where new ones go. */
const AGE_MS = 3_600_000

/** An endpoint whose session stood and took no stream is not asked for another one sooner. */
const BARREN_MS = 1000

/** What the sessions of a process share. */
export interface SessionPoolParts {
  readonly buffers: ReadBuffers
  readonly wheel: TimerWheel
  readonly budget: MemoryBudget
  readonly lingering: LingeringCounters
}

/** Who waits for a stream. */
interface Waiting {
  readonly waiter: ConnectionWaiter
  /** Whether it needs a session that nothing was sent on. */
  readonly fresh: boolean
  readonly until: number
}

/**
 * The sessions to one endpoint: as few as their streams allow. A request goes to the newest that has room, so that older
 * ones run empty and close; where none has, one more is opened, which all who wait share.
 */
export class SessionPool implements ConnectionPool, SessionHome, TimerOwner {
  readonly #target: Destination
  readonly #counters: PoolCounters
  readonly #quota: SessionQuota
  readonly #parts: ClientParts
  readonly #wheel: TimerWheel
  readonly #timer = new Timer(this)
  #settings: PoolSettings
  /** Those that take streams, the newest last. */
  readonly #sessions: ClientSession[] = []
  readonly #retired = new Set<ClientSession>()
  /** Those of them that stand beyond the limit until they are empty. */
  readonly #replaced = new Set<ClientSession>()
  readonly #waiting: Waiting[] = []
  #opening: ClientSession | null = null
  #barrenUntil = 0
  #serving = false
  #closed = false

  constructor(
    target: Destination,
    settings: PoolSettings,
    counters: PoolCounters,
    quota: SessionQuota,
    parts: SessionPoolParts,
  ) {
    this.#target = target
    this.#settings = settings
    this.#counters = counters
    this.#quota = quota
    this.#wheel = parts.wheel
    const { buffers, wheel, budget, lingering } = parts
    this.#parts = { buffers, wheel, budget, lingering, settings: SETTINGS, clocks: this.#clocks() }
  }

  get idle(): number {
    return this.#sessions.filter(session => session.streams === 0).length
  }

  get open(): number {
    return this.#sessions.length + this.#retired.size
  }

  get size(): number {
    return this.open + (this.#opening === null ? 0 : 1)
  }

  ready(): boolean {
    return this.#opening !== null || this.#withRoom(false) !== null
  }

  acquire(waiter: ConnectionWaiter, fresh: boolean): void {
    const unused = fresh && this.#mayOpen
    const session = this.#withRoom(unused)
    if (session !== null) {
      waiter.onConnection(new ClientStream(session))
      return
    }
    // Nobody waits longer for a stream than for a connection.
    const until = this.#wheel.now() + this.#settings.connect
    this.#waiting.push({ waiter, fresh: unused, until })
    this.#grow()
    if (this.#timer.deadline > until) this.#wheel.scheduleAt(this.#timer, until)
  }

  cancel(waiter: ConnectionWaiter): void {
    const at = this.#waiting.findIndex(one => one.waiter === waiter)
    if (at !== -1) this.#waiting.splice(at, 1)
    if (this.#waiting.length > 0) return
    this.#wheel.remove(this.#timer)
    if (this.#closed) this.#opening?.abandon()
  }

  evict(): boolean {
    const idle = this.#sessions.find(session => session.streams === 0)
    idle?.retire()
    return idle !== undefined
  }

  configure(settings: PoolSettings): void {
    this.#settings = settings
  }

  /** What is under way goes on. */
  close(): void {
    this.#closed = true
    for (const session of [...this.#sessions]) session.retire()
    if (this.#waiting.length === 0) this.#opening?.abandon()
  }

  // --- what sessions say -------------------------------------------------------------------------------------

  onReady(session: ClientSession): void {
    this.#opening = null
    this.#counters.connectsOpened++
    this.#sessions.push(session)
    if (session.room === 0) this.#barrenUntil = this.#wheel.now() + BARREN_MS
    this.#serve(session, true)
    if (this.#closed) session.retire()
    this.#grow()
  }

  onRoom(session: ClientSession): void {
    if (session.worn) this.#replace(session)
    if (this.#waiting.length > 0) this.#serve(session, false)
  }

  onRetired(session: ClientSession): void {
    this.#withdraw(session)
    this.#retired.add(session)
    this.#grow()
  }

  onGone(session: ClientSession): void {
    this.#withdraw(session)
    this.#retired.delete(session)
    this.#quota.taken--
    if (this.#replaced.delete(session)) this.#quota.replaced--
    this.#grow()
  }

  onFailed(_: ClientSession, error: ProxyError): void {
    this.#opening = null
    this.#quota.taken--
    this.#counters.connectsFailed++
    // Who can be served by what stands goes on waiting for it.
    const stands = this.#sessions.length > 0
    const failed = this.#waiting.filter(one => one.fresh || !stands)
    for (const one of failed) this.#waiting.splice(this.#waiting.indexOf(one), 1)
    if (this.#waiting.length === 0) this.#wheel.remove(this.#timer)
    for (const { waiter } of failed) waiter.onNoConnection(error)
  }

  /** Somebody has waited long enough: all streams are taken, and there may be no other session. */
  onTimer(): void {
    const now = this.#wheel.now()
    // Whoever waits for a session that is being opened hears of that in time.
    const late = this.#opening === null ? this.#waiting.filter(one => one.until <= now) : []
    for (const one of late) this.#waiting.splice(this.#waiting.indexOf(one), 1)
    for (const { waiter } of late) {
      const cause = 'no stream was free in time'
      waiter.onNoConnection(
        new ProxyError('upstream_overloaded', '', { cause, repeatable: 'never_processed' }),
      )
    }
    if (this.#waiting.length === 0) return
    const next = Math.min(...this.#waiting.map(one => one.until))
    this.#wheel.scheduleAt(this.#timer, Math.max(next, now + 1))
    this.#grow()
  }

  // --- which session -----------------------------------------------------------------------------------------

  #withRoom(unused: boolean): ClientSession | null {
    const sessions = this.#sessions
    for (let i = sessions.length - 1; i >= 0; i--) {
      const session = sessions[i] as ClientSession
      if (session.room > 0 && !(unused && session.used)) return session
    }
    return null
  }

  /** One is always allowed: without it the endpoint could not be used at all. */
  get #mayOpen(): boolean {
    return this.size === 0 || this.#quota.room
  }

  #grow(): void {
    if (this.#waiting.length === 0 || this.#opening !== null || this.#serving || !this.#mayOpen) return
    // A service may say that it takes no streams for now, and would say the same of any other session.
    if (this.#sessions.some(session => !session.used && session.room === 0)) return
    if (this.#wheel.now() < this.#barrenUntil) {
      if (this.#timer.deadline > this.#barrenUntil) this.#wheel.scheduleAt(this.#timer, this.#barrenUntil)
      return
    }
    this.#quota.taken++
    this.#opening = new ClientSession(this.#target, this.#settings.connect, this, this.#parts)
  }

  /** @param fresh whether nothing was sent on it when it came */
  #serve(session: ClientSession, fresh: boolean): void {
    if (this.#serving) return
    this.#serving = true
    try {
      for (let at = 0; at < this.#waiting.length && session.room > 0;) {
        const one = this.#waiting[at] as Waiting
        if (one.fresh && !fresh) {
          at++
          continue
        }
        this.#waiting.splice(at, 1)
        one.waiter.onConnection(new ClientStream(session))
      }
    } finally {
      this.#serving = false
    }
    if (this.#waiting.length === 0) this.#wheel.remove(this.#timer)
  }

  /** Clients that cancel must not cost the others their session: those stay where they are, and others go elsewhere. */
  #replace(session: ClientSession): void {
    const quota = this.#quota
    if (!quota.room && session.streams > 0) {
      if (!quota.mayReplace) return
      quota.replaced++
      this.#replaced.add(session)
    }
    session.retire()
  }

  #withdraw(session: ClientSession): void {
    const at = this.#sessions.indexOf(session)
    if (at !== -1) this.#sessions.splice(at, 1)
  }

  /** Read at each use, so that a reload takes effect on sessions that stand. */
  #clocks(): ClientParts['clocks'] {
    // eslint-disable-next-line typescript/no-this-alias -- a getter has a `this` of its own
    const pool = this
    return {
      get head() {
        return Math.max(HEAD_MS, pool.#settings.connect * 2)
      },
      writeIdle: WRITE_IDLE_MS,
      get keepAlive() {
        return pool.#settings.keepAlive
      },
      age: AGE_MS,
    }
  }
}

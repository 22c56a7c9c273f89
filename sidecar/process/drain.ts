import net from 'node:net'
import type { Exchange } from '../exchange/exchange.ts'
import type { Acceptor } from '../listener/acceptor.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'

const LOOK_MS = 100
/** Between the announcement and the end of the listeners: load balancers need to hear of it (security.md section 4). */
const NOTICE_MS = 5000
const PROBE_MS = 500
/** A turn in which hardly anything was done, and how long one is waited for. */
const SHORT_TURN_MS = 0.3
const IDLE_TURN_MS = 500
/** How long WebSockets that hear of the end only at the limit may take to say goodbye. */
const GOODBYE_MS = 1000

/** What a drain works on. */
export interface DrainParts {
  readonly acceptors: readonly Acceptor[]
  readonly snapshot: Snapshot
  /** Exchanges whose upgrade has opened a tunnel. */
  readonly tunnels: Iterable<Exchange>
  /** Exchanges that have begun and not ended. */
  active(): number
  now(): number
}

/** How a drain is to go. */
export interface DrainSettings {
  /** Milliseconds from the beginning to the end by force. */
  readonly timeout: number
  /** A terminal's Ctrl-C: nobody has to hear of it first, and no app's end is waited for. */
  readonly interactive: boolean
}

/**
 * Ends the listeners without losing a request. Inbound first: every response announces it; after the notice the
 * listeners close, and each connection with its last response; WebSockets are told to go. Outbound goes on as long as the local app may need it:
 * until it refuses connections and nothing is in flight.
 */
export class Drain {
  readonly #parts: DrainParts
  readonly #settings: DrainSettings
  readonly #inbound: readonly Acceptor[]
  readonly #outbound: readonly Acceptor[]
  #forced = false
  #abandoned = false
  #wake: (() => void) | null = null

  constructor(parts: DrainParts, settings: DrainSettings) {
    this.#parts = parts
    this.#settings = settings
    const roles = new Map<string, boolean>()
    for (const entry of parts.snapshot.entries.values())
      roles.set(
        entry.key,
        entry.listeners.every(listener => listener.role === 'outbound'),
      )
    this.#inbound = parts.acceptors.filter(acceptor => roles.get(acceptor.entry) !== true)
    this.#outbound = parts.acceptors.filter(acceptor => roles.get(acceptor.entry) === true)
  }

  /** Ends at once. */
  force(): void {
    this.#forced = true
    this.#wake?.()
  }

  /** Lets go of its listeners: their addresses serve again, or another drain has them. Nothing is closed any more. */
  abandon(): void {
    this.#abandoned = true
    this.force()
  }

  /** @returns how many connections had something under way when they were cut */
  async run(): Promise<number> {
    const begun = this.#parts.now()
    const end = begun + this.#settings.timeout
    for (const acceptor of this.#inbound) acceptor.announce()
    if (!this.#settings.interactive && this.#inbound.length > 0)
      await this.#until(() => false, Math.min(end, begun + NOTICE_MS))
    await this.#close(this.#inbound)
    await this.#until(() => this.#gone(this.#inbound), end)
    if (this.#abandoned) return 0
    if (this.#outbound.length > 0) {
      if (!this.#settings.interactive) await this.#appGone(end)
      for (const acceptor of this.#outbound) acceptor.announce()
      await this.#until(() => this.#parts.active() === 0, end)
      await this.#close(this.#outbound)
      await this.#until(() => this.#gone(this.#outbound), end)
    }
    if (this.#abandoned) return 0
    const { acceptors } = this.#parts
    // What the local app still had open outbound hears of it now.
    if (!this.#gone(acceptors) && this.#closing(acceptors))
      await this.#until(() => !this.#closing(acceptors), this.#parts.now() + GOODBYE_MS)
    let cut = 0
    for (const acceptor of this.#parts.acceptors) cut += acceptor.force()
    return cut
  }

  /**
   * Whether nothing is left of them. Tells WebSockets to go: those that opened since the last look, those that were in
   * the middle of a frame.
   */
  #gone(acceptors: readonly Acceptor[]): boolean {
    for (const { entry, tunnelControl } of this.#parts.tunnels)
      if (acceptors.some(acceptor => acceptor.entry === entry)) tunnelControl?.drain()
    return acceptors.every(acceptor => acceptor.size === 0)
  }

  /** Whether a WebSocket of theirs is saying goodbye. */
  #closing(acceptors: readonly Acceptor[]): boolean {
    for (const { entry, tunnelControl } of this.#parts.tunnels)
      if (tunnelControl?.closing === true && acceptors.some(acceptor => acceptor.entry === entry)) return true
    return false
  }

  async #close(acceptors: readonly Acceptor[]): Promise<void> {
    await this.#idleTurn(acceptors)
    if (this.#abandoned) return
    for (const acceptor of acceptors) acceptor.close()
    for (const acceptor of acceptors) acceptor.drainIdle()
  }

  /**
   * Waits for a turn of the event loop that was short and accepted nothing: the kernel resets the connections that it
   * holds for a listener when that closes, so it must hold none, and none may have come since it was asked.
   */
  async #idleTurn(acceptors: readonly Acceptor[]): Promise<void> {
    const count = (): number => acceptors.reduce((sum, acceptor) => sum + acceptor.accepted, 0)
    const latest = this.#parts.now() + IDLE_TURN_MS
    let begun: number
    let accepted: number
    do {
      begun = this.#parts.now()
      accepted = count()
      await new Promise(resolve => setImmediate(resolve))
    } while (
      (count() !== accepted || this.#parts.now() - begun > SHORT_TURN_MS) &&
      this.#parts.now() < latest
    )
  }

  /** Waits until the app that the inbound listeners lead to refuses connections. */
  async #appGone(end: number): Promise<void> {
    const targets = new Set<string>()
    for (const entry of this.#parts.snapshot.entries.values()) {
      for (const listener of entry.listeners) {
        if (listener.role === 'outbound') continue
        for (const route of listener.table.entries) {
          const { action } = route.value
          if (action.kind !== 'upstream') continue
          for (const endpoint of action.upstream.endpoints) {
            const { address } = endpoint
            if (address.kind === 'tcp' && isLoopback(address.host))
              targets.add(`${address.host} ${address.port}`)
          }
        }
      }
    }
    let gone = targets.size === 0
    while (!gone && !this.#forced && this.#parts.now() < end) {
      const answers = await Promise.all([...targets].map(target => refuses(target)))
      gone = answers.every(Boolean)
      if (!gone) await this.#until(() => false, Math.min(end, this.#parts.now() + LOOK_MS * 5))
    }
  }

  async #until(met: () => boolean, end: number): Promise<void> {
    while (!this.#forced && !met() && this.#parts.now() < end) {
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, Math.min(LOOK_MS, Math.max(1, end - this.#parts.now())))
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      this.#wake = null
    }
  }
}

function isLoopback(host: string): boolean {
  return host === '::1' || host.startsWith('127.')
}

function refuses(target: string): Promise<boolean> {
  const [host = '', port = ''] = target.split(' ')
  return new Promise(resolve => {
    const probe = net.connect({ host, port: Number(port), timeout: PROBE_MS })
    const settle = (answer: boolean): void => {
      probe.destroy()
      resolve(answer)
    }
    probe.on('connect', () => settle(false))
    probe.on('timeout', () => settle(false))
    probe.on('error', () => settle(true))
  })
}

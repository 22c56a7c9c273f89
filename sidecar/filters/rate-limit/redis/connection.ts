import { isIP } from 'node:net'
import { FINE_TICK_MS, Timer } from '../../../runtime/timer-wheel.ts'
import type { Counter, FilterParts } from '../../filter.ts'
import type { StoreSpec } from '../schema.ts'
import { SCRIPT, SCRIPT_SHA } from './script.ts'

/** So many calls in a row without an answer, and nobody waits any more until one is heard. */
const FAILURES = 3
/** How often it is asked whether it is there again, in milliseconds. */
const PROBE_MS = { from: 100, to: 2000 } as const
/** A connection that answers no probe for so long is given up for a new one. */
const SILENT_MS = 3000
const CONNECT_MS = 2000
const RECONNECT_MS = { from: 50, to: 5000 } as const
/** How long the last calls are waited for. */
const LAST_MS = 250
/** Commands that wait for an answer: more would only be late. */
const MOST_WAITING = 10_000

/** Whose state a gauge shows: of two of one name, while a reload replaces one, the later. */
const SHOWN = new WeakMap<Counter, RedisConnection>()

/** What the clients for one server and for a cluster have in common, as far as it is used. */
interface Client {
  readonly isReady: boolean
  evalSha(sha: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
  get(key: string): Promise<unknown>
  scriptLoad(script: string): Promise<unknown>
  connect(): Promise<unknown>
  destroy(): void
}

/**
 * One connection to a Redis, or to the nodes of a cluster: connects by itself, again and again with back-off, and never
 * makes anybody wait for it longer than the store's `timeout`. No command is queued while there is no connection, and
 * none is sent twice.
 */
export class RedisConnection {
  readonly #spec: StoreSpec
  readonly #parts: FilterParts
  readonly #lost: Counter
  readonly #up: Counter
  readonly #probe = new Timer({ onTimer: () => this.#onProbe() })
  #client: Client | null = null
  #closed = false
  #failures = 0
  /** Nobody asks it, because it did not answer. */
  #suspended = false
  /** Whether it was said that it is not there. */
  #away = false
  #pause: number = PROBE_MS.from
  #silentSince = 0
  /** Counts connections, so that a late answer of an earlier one says nothing of the present one. */
  #turn = 0

  /** Opens nothing yet: the timer is what begins, and it runs only where a process serves. */
  constructor(spec: StoreSpec, parts: FilterParts) {
    this.#spec = spec
    this.#parts = parts
    this.#lost = parts.counter(
      'outrigger_store_failures_total',
      'Calls of a store that had no answer in time, or an error.',
      { store: spec.name },
    )
    this.#up = parts.gauge(
      'outrigger_store_up',
      'Whether a store is there: 1, or 0 while what its onError says holds.',
      { store: spec.name },
    )
    SHOWN.set(this.#up, this)
    parts.fine.schedule(this.#probe, 0)
  }

  /** Whether it is worth to ask. */
  get ready(): boolean {
    return !this.#suspended && this.#client !== null && this.#client.isReady
  }

  /** Runs the script. Null where no answer came in time; the script may have run all the same. */
  run(keys: string[], args: string[]): Promise<readonly number[] | null> {
    const client = this.#client
    if (client === null || !this.ready) return Promise.resolve(null)
    return this.#within(execute(client, keys, args))
  }

  /** @param last what is under way and is heard, for a moment at most */
  async close(last: Promise<unknown>): Promise<void> {
    this.#closed = true
    // What no configuration names any more is neither there nor away.
    if (SHOWN.get(this.#up) === this) this.#up.value = Number.NaN
    this.#parts.fine.remove(this.#probe)
    if (this.#client?.isReady === true) {
      // The clocks may stand already.
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, LAST_MS)
      await Promise.race([last.catch(() => {}), promise])
      clearTimeout(timer)
    }
    this.#drop()
  }

  /** What comes in time, or null. Both are heard. */
  #within<T>(call: Promise<T>): Promise<T | null> {
    const { fine } = this.#parts
    const turn = this.#turn
    return new Promise(resolve => {
      const timer = new Timer({
        onTimer: () => {
          if (turn === this.#turn) this.#failed('it did not answer in time')
          resolve(null)
        },
      })
      // A timer fires at the end of its tick: one tick less, so that nobody waits longer than was said.
      fine.schedule(timer, Math.max(0, this.#spec.timeout - FINE_TICK_MS))
      const settle = (value: T | null): void => {
        fine.remove(timer)
        resolve(value)
      }
      call.then(
        value => {
          if (turn === this.#turn) this.#answered()
          settle(value)
        },
        (error: unknown) => {
          if (turn === this.#turn) this.#failed(messageOf(error))
          settle(null)
        },
      )
    })
  }

  #answered(): void {
    this.#failures = 0
    this.#suspended = false
    if (!this.#closed && SHOWN.get(this.#up) === this) this.#up.value = 1
    if (!this.#away) return
    this.#away = false
    this.#pause = PROBE_MS.from
    this.#parts.warn('a store answers again', { store: this.#spec.name })
  }

  #failed(cause: string): void {
    this.#lost.value++
    if (this.#closed || ++this.#failures < FAILURES || this.#suspended) return
    this.#suspended = true
    this.#away = true
    this.#down()
    this.#silentSince = this.#parts.clock.now()
    const { name: store, onError } = this.#spec
    this.#parts.warn('a store does not answer', { store, onError, cause })
    this.#parts.fine.schedule(this.#probe, this.#pause)
  }

  #onProbe(): void {
    if (this.#closed) return
    if (this.#client === null) {
      void this.#open()
      return
    }
    if (!this.#suspended) return
    // While it is not ready it connects again by itself.
    if (this.#client.isReady) {
      if (this.#parts.clock.now() - this.#silentSince > SILENT_MS) {
        this.#drop()
        void this.#open()
      } else void this.#within(this.#client.get(`${this.#spec.prefix}probe`))
    }
    this.#pause = Math.min(this.#pause * 2, PROBE_MS.to)
    this.#parts.fine.schedule(this.#probe, this.#pause)
  }

  async #open(): Promise<void> {
    const turn = ++this.#turn
    this.#silentSince = this.#parts.clock.now()
    try {
      const client = await create(
        this.#spec,
        (retries: number) => this.#backoff(retries),
        error => this.#gone(turn, error),
      )
      if (this.#closed || turn !== this.#turn) {
        client.destroy()
        return
      }
      this.#client = client
      await client.connect()
      // So that the first request finds it there. Who may not load scripts may run them all the same.
      await client.scriptLoad(SCRIPT).catch(() => {})
      if (turn === this.#turn) this.#answered()
    } catch (error) {
      this.#gone(turn, error)
      if (this.#closed || turn !== this.#turn) return
      this.#drop()
      this.#parts.fine.schedule(this.#probe, this.#backoff(Math.min(10, ++this.#failures)))
    }
  }

  #gone(turn: number, error: unknown): void {
    if (this.#closed || turn !== this.#turn) return
    this.#away = true
    this.#down()
    const { name: store, onError } = this.#spec
    this.#parts.warn('a store cannot be reached', { store, onError, cause: messageOf(error) })
  }

  #down(): void {
    if (!this.#closed && SHOWN.get(this.#up) === this) this.#up.value = 0
  }

  /** Full jitter, so that all processes do not come back at once. */
  #backoff(retries: number): number {
    const bound = Math.min(RECONNECT_MS.from * 2 ** retries, RECONNECT_MS.to)
    return RECONNECT_MS.from + this.#parts.random() * bound
  }

  #drop(): void {
    const client = this.#client
    this.#client = null
    this.#turn++
    try {
      client?.destroy()
    } catch {
      // It was not open.
    }
  }
}

async function execute(client: Client, keys: string[], args: string[]): Promise<readonly number[]> {
  const options = { keys, arguments: args }
  try {
    // The script answers with a list of whole numbers.
    return (await client.evalSha(SCRIPT_SHA, options)) as readonly number[]
  } catch (error) {
    // The server has not seen it yet, so that nothing has run.
    if (!messageOf(error).startsWith('NOSCRIPT')) throw error
    return (await client.eval(SCRIPT, options)) as readonly number[]
  }
}

async function create(
  { urls, cluster, tls }: StoreSpec,
  reconnectStrategy: (retries: number) => number,
  onError: (error: unknown) => void,
): Promise<Client> {
  // Nobody pays for the library who does not count in a store.
  const { createClient, createCluster } = await import('@redis/client')
  const { hostname, username, password, protocol } = new URL(urls[0] ?? '')
  const socket = {
    connectTimeout: CONNECT_MS,
    reconnectStrategy,
    ...(protocol === 'rediss:' ? { tls: true as const, ...given(tls) } : {}),
  }
  const options = {
    socket,
    disableOfflineQueue: true,
    commandsQueueMaxLength: MOST_WAITING,
    disableClientInfo: true,
    maintNotifications: 'disabled',
  } as const
  if (!cluster) {
    const named = protocol === 'rediss:' && isIP(hostname) === 0 ? { servername: hostname } : {}
    const client = createClient({ ...options, socket: { ...socket, ...named }, url: urls[0] ?? '' })
    client.on('error', onError)
    return client
  }
  const nodes = createCluster({
    rootNodes: urls.map(url => ({ url })),
    // What the first address says holds for all nodes: the others are known by their addresses only.
    defaults: {
      ...options,
      ...(username === '' ? {} : { username: decodeURIComponent(username) }),
      ...(password === '' ? {} : { password: decodeURIComponent(password) }),
    },
    maxCommandRedirections: 3,
  })
  nodes.on('error', onError)
  return nodes
}

/** What is set. */
function given(tls: StoreSpec['tls']): { ca?: string; cert?: string; key?: string } {
  const { ca = null, cert = null, key = null } = tls ?? {}
  return {
    ...(ca === null ? {} : { ca }),
    ...(cert === null ? {} : { cert }),
    ...(key === null ? {} : { key }),
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

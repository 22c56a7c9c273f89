import type { Random } from '../runtime/random.ts'
import { Timer, type TimerOwner, type TimerWheel } from '../runtime/timer-wheel.ts'
import type { ApiAnswer } from './api-answer.ts'
import type { ApiClient, ApiParams } from './api-client.ts'
import { type ApiObject, isObject, listOf, metaOf, textOf } from './api-object.ts'
import type { WatchEventType, WatchListener, WatchStream } from './watch-stream.ts'

/** What is listed and watched. */
export interface Reflected<T> {
  /** The collection: `/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices`. */
  readonly path: string
  readonly labelSelector: string
  /** What is kept of an object; null: it is none that is of use. */
  read(object: ApiObject): T | null
}

/** What a reflector works with. */
export interface ReflectorParts {
  readonly client: ApiClient
  readonly wheel: TimerWheel
  readonly random: Random
  /** Told after the objects changed, or what is wrong. Not from within the constructor. */
  readonly changed: () => void
}

/** How often a reflector did what. */
export interface ReflectorCounts {
  /** Watches that the server closed as it does, and that went on from where they were. */
  closed: number
  /** Lists and watches that failed. */
  failed: number
  /** Times that the server had forgotten where the watch was, so that all was listed anew. */
  expired: number
}

/** Objects in a page of a list. */
const PAGE = 100
/** More objects than that are not held. */
const MAX_OBJECTS = 10_000
/** How long the server is asked to keep a watch open; up to twice that, so that not all begin at once. */
const WATCH_MS = 300_000
/** One that the server has not closed so long after that is dead. */
const GRACE_MS = 30_000
const FIRST_PAUSE_MS = 500
const MAX_PAUSE_MS = 30_000
/** After so many failures in a row all is listed anew. */
const FAILED_WATCHES = 4
/** A watch that was open for so long did work. */
const WORKS_MS = 5_000

/**
 * A collection of the API, kept up to date: listed in pages, then watched from there. A watch that ends goes on from the
 * newest resource version; one whose version the server has forgotten (410) lists anew. What was known stays until
 * something newer is known, whatever fails; failures are tried again, after up to 30 s, with jitter.
 */
export class Reflector<T> implements TimerOwner, WatchListener {
  /** By namespace and name; null while nothing was listed yet. */
  objects: ReadonlyMap<string, T> | null = null
  /** Why the newest list or watch failed; empty: it did not. */
  error = ''
  /** Whether a watch is open. */
  watching = false
  /** When the server was last heard, on the wheel's clock; null: never. */
  heardAt: number | null = null
  readonly counts: ReflectorCounts = { closed: 0, failed: 0, expired: 0 }
  readonly #reflected: Reflected<T>
  readonly #parts: ReflectorParts
  readonly #timer = new Timer(this)
  /** What this does next, when the timer fires. */
  #next: 'list' | 'watch' | 'end' = 'list'
  #version = ''
  /** Failures in a row. */
  #failures = 0
  #opened: number | null = null
  #stream: WatchStream | null = null
  #telling = false
  #closed = false

  constructor(reflected: Reflected<T>, parts: ReflectorParts) {
    this.#reflected = reflected
    this.#parts = parts
    void this.#list()
  }

  close(): void {
    this.#closed = true
    this.watching = false
    this.#parts.wheel.remove(this.#timer)
    this.#stream?.close()
    this.#stream = null
  }

  onTimer(): void {
    if (this.#next === 'list') void this.#list()
    else if (this.#next === 'watch') this.#watch()
    else {
      this.#stream?.close()
      this.onEnd({ status: 0, error: 'the watch did not end when it should' })
    }
  }

  onOpen(): void {
    this.watching = true
    this.#opened = this.#heard()
    this.#well()
  }

  onEvent(type: WatchEventType, object: ApiObject): void {
    this.#heard()
    const { resourceVersion } = metaOf(object)
    if (resourceVersion !== '') this.#version = resourceVersion
    if (type === 'BOOKMARK') return
    // Only a list makes it null, and none runs beside a watch.
    const objects = this.objects as Map<string, T>
    const key = keyOf(object)
    const read = type === 'DELETED' ? null : this.#reflected.read(object)
    if (read === null) objects.delete(key)
    else if (objects.size < MAX_OBJECTS || objects.has(key)) objects.set(key, read)
    this.#tell()
  }

  onEnd({ status, error }: Pick<ApiAnswer, 'status' | 'error'>): void {
    const lasted = this.#opened === null ? 0 : this.#parts.wheel.now() - this.#opened
    this.#stream = null
    this.#opened = null
    this.watching = false
    if (lasted >= WORKS_MS) this.#failures = 0
    if (status === 410) {
      this.counts.expired++
      this.#again('list')
    } else if (error === '') {
      this.counts.closed++
      this.#again('watch')
    } else {
      this.#failed(error)
      // It may be that the server knows no such version, as after a restore.
      this.#again(this.#failures < FAILED_WATCHES ? 'watch' : 'list')
    }
  }

  /** Reads all pages before any of it counts. */
  async #list(): Promise<void> {
    const found = new Map<string, T>()
    let more = ''
    let version = ''
    do {
      const answer = await this.#parts.client.get(this.#reflected.path, this.#page(more))
      if (this.#closed) return
      const fault = this.#read(answer, found)
      if (fault !== '') {
        this.#failed(fault)
        this.#again('list')
        return
      }
      const metadata = isObject(answer.body) ? answer.body['metadata'] : undefined
      version = metaOf(answer.body).resourceVersion
      more = isObject(metadata) ? textOf(metadata['continue']) : ''
    } while (more !== '')
    this.objects = found
    this.#version = version
    this.#heard()
    this.#well()
    this.#tell()
    this.#watch()
  }

  #page(more: string): ApiParams {
    const { labelSelector } = this.#reflected
    return { labelSelector, limit: PAGE, ...(more === '' ? {} : { continue: more }) }
  }

  /** @returns what is wrong with a page; empty: nothing */
  #read({ body, error }: ApiAnswer, found: Map<string, T>): string {
    if (error !== '') return error
    if (!isObject(body) || !Array.isArray(body['items']) || metaOf(body).resourceVersion === '')
      return 'the answer is no list of the API'
    for (const item of listOf(body['items'])) {
      const read = isObject(item) ? this.#reflected.read(item) : null
      if (read !== null) found.set(keyOf(item), read)
    }
    return found.size > MAX_OBJECTS ? `more than ${MAX_OBJECTS} objects` : ''
  }

  #watch(): void {
    const { client, wheel, random } = this.#parts
    const lasts = WATCH_MS * (1 + random())
    const params = {
      labelSelector: this.#reflected.labelSelector,
      resourceVersion: this.#version,
      allowWatchBookmarks: true,
      timeoutSeconds: Math.round(lasts / 1000),
    }
    this.#next = 'end'
    wheel.schedule(this.#timer, lasts + GRACE_MS)
    this.#stream = client.watch(this.#reflected.path, params, this)
  }

  #failed(error: string): void {
    this.counts.failed++
    this.error = error
    this.#tell()
  }

  #well(): void {
    if (this.error === '') return
    this.error = ''
    this.#tell()
  }

  /** The first time soon, then later and later: of many who lost one server, few come back at one moment. */
  #again(next: 'list' | 'watch'): void {
    this.#next = next
    const pause = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#failures)
    this.#failures = Math.min(10, this.#failures + 1)
    this.#parts.wheel.schedule(this.#timer, pause * (0.5 + this.#parts.random() / 2))
  }

  #heard(): number {
    this.heardAt = this.#parts.wheel.now()
    return this.heardAt
  }

  /** Many events that came at one time are one change. */
  #tell(): void {
    if (this.#telling) return
    this.#telling = true
    queueMicrotask(() => {
      this.#telling = false
      if (!this.#closed) this.#parts.changed()
    })
  }
}

function keyOf(object: unknown): string {
  const { namespace, name } = metaOf(object)
  return `${namespace}/${name}`
}

import type { ApiClient } from '../../kubernetes/api-client.ts'
import type { ApiObject } from '../../kubernetes/api-object.ts'
import { Reflector, type ReflectorCounts } from '../../kubernetes/reflector.ts'
import type { Random } from '../../runtime/random.ts'
import type { Lease } from '../../runtime/registry.ts'
import type { TimerWheel } from '../../runtime/timer-wheel.ts'
import type { WatchedService } from '../../telemetry/discovery-metrics.ts'
import type { RepetitionLimit } from '../../telemetry/repetition.ts'
import { readSlice, type Slice } from './kubernetes-slice.ts'

/** What a watch of a Service works with. */
export interface ServiceWatchParts {
  readonly wheel: TimerWheel
  readonly random: Random
  readonly log: RepetitionLimit
}

const NOTHING: ReflectorCounts = { closed: 0, failed: 0, expired: 0 }
const LABEL = 'kubernetes.io/service-name'

/** The EndpointSlices of one Service, watched. Upstreams and generations that name it share it. */
export class KubernetesService {
  readonly #service: string
  readonly #client: Lease<ApiClient> | null
  readonly #parts: ServiceWatchParts
  readonly #listeners = new Set<() => void>()
  #namespace: string
  #reflector: Reflector<Slice> | null = null
  #fault = ''
  #told = ''
  #closed = false

  /**
   * @param client released with this; null: there is no API server to ask
   * @param at a namespace that is empty is the one we run in
   */
  constructor(
    client: Lease<ApiClient> | null,
    at: { readonly service: string; readonly namespace: string },
    parts: ServiceWatchParts,
  ) {
    this.#service = at.service
    this.#namespace = at.namespace
    this.#client = client
    this.#parts = parts
    if (client === null) this.#fault = 'this is no pod of Kubernetes, and no `api` is given'
    else if (at.namespace === '') void this.#begin(client.value)
    else this.#watch(client.value)
    this.#say()
  }

  /** `orders.shop`. */
  get name(): string {
    return this.#namespace === '' ? this.#service : `${this.#service}.${this.#namespace}`
  }

  /** Null while nothing was listed yet. */
  get slices(): readonly Slice[] | null {
    const objects = this.#reflector?.objects ?? null
    return objects === null ? null : [...objects.values()]
  }

  get error(): string {
    return this.#fault || (this.#reflector?.error ?? '')
  }

  get state(): WatchedService {
    const heard = this.#reflector?.heardAt ?? null
    return {
      service: this.name,
      slices: this.#reflector?.objects?.size ?? 0,
      watching: this.#reflector?.watching ?? false,
      silence: heard === null ? null : this.#parts.wheel.now() - heard,
      counts: this.#reflector?.counts ?? NOTHING,
    }
  }

  /** Calls the listener after each change of slices or error. */
  watch(listener: () => void): void {
    this.#listeners.add(listener)
  }

  unwatch(listener: () => void): void {
    this.#listeners.delete(listener)
  }

  close(): void {
    this.#closed = true
    this.#listeners.clear()
    this.#reflector?.close()
    this.#client?.release()
  }

  async #begin(client: ApiClient): Promise<void> {
    this.#namespace = await client.namespace()
    if (this.#closed) return
    if (this.#namespace === '') this.#fault = 'the namespace is not known here: say `namespace`'
    else this.#watch(client)
    this.#changed()
  }

  #watch(client: ApiClient): void {
    const { hostname } = new URL(client.settings.url)
    const server = hostname === 'localhost' ? '127.0.0.1' : hostname.replace(/^\[(.*)\]$/, '$1')
    const reflected = {
      path: `/apis/discovery.k8s.io/v1/namespaces/${this.#namespace}/endpointslices`,
      labelSelector: `${LABEL}=${this.#service}`,
      read: (object: ApiObject) => readSlice(object, server),
    }
    const { wheel, random } = this.#parts
    this.#reflector = new Reflector(reflected, { client, wheel, random, changed: () => this.#changed() })
  }

  #changed(): void {
    this.#say()
    for (const listener of [...this.#listeners]) listener()
  }

  #say(): void {
    const { name, error } = this
    if (error === this.#told) return
    this.#told = error
    const [level, message] =
      error === ''
        ? (['info', 'a service is watched again'] as const)
        : (['warn', 'a service cannot be watched: its last endpoints stay'] as const)
    const why = error === '' ? {} : { why: error }
    this.#parts.log.write(`kubernetes ${name} ${error}`, level, message, { service: name, ...why })
  }
}

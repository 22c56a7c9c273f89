import type { ApiClient } from '../../sidecar/kubernetes/api-client.ts'
import type { Clock } from '../../sidecar/runtime/clock.ts'
import { isObject, listOf, type ApiObject } from '../../sidecar/kubernetes/api-object.ts'

/** How long an answer is taken for true, in milliseconds: whoever labels a namespace creates pods next. */
const FRESH_MS = 2_000
const MAX_NAMESPACES = 1_000
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/** What is asked of the API server about namespaces. */
type Api = Pick<ApiClient, 'get'>

interface Kept<T> {
  readonly until: number
  readonly value: Promise<T | string>
}

/** What the injector has to know of a namespace: asked of the API server when a pod comes, and kept for a moment. */
export class Namespaces {
  readonly #api: Api
  readonly #clock: Clock
  readonly #labels = new Map<string, Kept<Readonly<Record<string, string>>>>()
  readonly #services = new Map<string, Kept<readonly ApiObject[]>>()
  /** The last that was answered, for when nothing is. */
  readonly #last = new Map<string, Readonly<Record<string, string>>>()

  constructor(api: Api, clock: Clock) {
    this.#api = api
    this.#clock = clock
  }

  /** The labels of a namespace, the last known ones where the API server does not answer; or why there are none. */
  async labelsOf(name: string): Promise<Readonly<Record<string, string>> | string> {
    const labels = await this.#keep(this.#labels, name, `/api/v1/namespaces/${name}`, labelsIn)
    if (typeof labels !== 'string') bound(this.#last).set(name, labels)
    return typeof labels === 'string' ? (this.#last.get(name) ?? labels) : labels
  }

  /** The Services of a namespace, or why they are not known. */
  servicesOf(name: string): Promise<readonly ApiObject[] | string> {
    return this.#keep(this.#services, name, `/api/v1/namespaces/${name}/services`, servicesIn)
  }

  async #keep<T>(
    all: Map<string, Kept<T>>,
    name: string,
    path: string,
    read: (body: unknown) => T,
  ): Promise<T | string> {
    if (!NAME.test(name)) return `"${name.slice(0, 64)}" is no namespace`
    const now = this.#clock.now()
    const kept = all.get(name)
    if (kept !== undefined && now < kept.until) return kept.value
    const value = this.#api.get(path).then(({ error, body }) => (error === '' ? read(body) : error))
    all.delete(name)
    bound(all).set(name, { until: now + FRESH_MS, value })
    const result = await value
    // A failure is not kept: the next pod asks again.
    if (typeof result === 'string' && all.get(name)?.value === value) all.delete(name)
    return result
  }
}

function bound<K, V>(map: Map<K, V>): Map<K, V> {
  const [oldest] = map.keys()
  if (map.size >= MAX_NAMESPACES && oldest !== undefined) map.delete(oldest)
  return map
}

function labelsIn(body: unknown): Readonly<Record<string, string>> {
  const metadata = isObject(body) && isObject(body['metadata']) ? body['metadata'] : {}
  const labels = isObject(metadata['labels']) ? metadata['labels'] : {}
  return Object.fromEntries(
    Object.entries(labels).flatMap(([key, value]) => (typeof value === 'string' ? [[key, value]] : [])),
  )
}

/** A list's items do not say what they are: the list does. */
function servicesIn(body: unknown): ApiObject[] {
  const items = listOf(isObject(body) ? body['items'] : null)
  return items.filter(isObject).map(item => ({ apiVersion: 'v1', ...item, kind: 'Service' }))
}

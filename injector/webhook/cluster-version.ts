import type { ApiClient } from '../../sidecar/kubernetes/api-client.ts'
import type { Clock } from '../../sidecar/runtime/clock.ts'
import type { WebhookMetrics } from './webhook-metrics.ts'
import { isObject } from '../../sidecar/kubernetes/api-object.ts'

/** Clusters are upgraded under what runs in them. */
const AGAIN_MS = 300_000

/** The version of Kubernetes, as its API server says. */
export class ClusterVersion {
  readonly #api: Pick<ApiClient, 'get'>
  readonly #clock: Clock
  readonly #metrics: WebhookMetrics
  readonly #isFixed: boolean
  #version: string | null
  #asked = Number.NEGATIVE_INFINITY

  /** @param fixed what a user says it is: then nobody is asked */
  constructor(api: Pick<ApiClient, 'get'>, clock: Clock, metrics: WebhookMetrics, fixed: string | null) {
    this.#api = api
    this.#clock = clock
    this.#metrics = metrics
    this.#version = fixed
    this.#isFixed = fixed !== null
  }

  /** Such as `v1.32.4`; null while it is not known. */
  get current(): string | null {
    return this.#version
  }

  /** Asks where it is time to. @returns why it is not known, or null */
  async refresh(): Promise<string | null> {
    if (this.#isFixed || this.#clock.now() - this.#asked < AGAIN_MS) return null
    const { body, error } = await this.#api.get('/version')
    const version = isObject(body) ? body['gitVersion'] : undefined
    if (error === '' && typeof version === 'string' && /^v1\.\d{1,3}(?:[.+].*)?$/.test(version)) {
      this.#version = version
      this.#asked = this.#clock.now()
      return null
    }
    this.#metrics.apiError('version')
    return `the version of the cluster is not known: ${error === '' ? 'the answer says none' : error}`
  }
}

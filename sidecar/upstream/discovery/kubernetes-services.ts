import { ApiClient } from '../../kubernetes/api-client.ts'
import { type ApiSettings, inClusterSettings } from '../../kubernetes/api-settings.ts'
import type { Random } from '../../runtime/random.ts'
import type { Lease, Registry } from '../../runtime/registry.ts'
import type { TimerWheel } from '../../runtime/timer-wheel.ts'
import type { WatchedService } from '../../telemetry/discovery-metrics.ts'
import type { RepetitionLimit } from '../../telemetry/repetition.ts'
import type { KubernetesSpec } from '../upstream-spec.ts'
import { KubernetesService } from './kubernetes-service.ts'

interface ServicesParts {
  readonly registry: Registry
  readonly wheel: TimerWheel
  readonly random: Random
  readonly log: RepetitionLimit
}

/** The Services that are watched: one watch each, whoever names them, and one client for each API server. */
export class KubernetesServices {
  readonly #parts: ServicesParts
  readonly #watched = new Set<KubernetesService>()

  constructor(parts: ServicesParts) {
    this.#parts = parts
  }

  get states(): Iterable<WatchedService> {
    return [...this.#watched].map(one => one.state)
  }

  acquire({ service, namespace, api }: KubernetesSpec): Lease<KubernetesService> {
    const { registry, wheel, random, log } = this.#parts
    const settings = api === null ? inClusterSettings(process.env) : { ...api, namespaceFile: null }
    return registry.acquire(
      [
        'kubernetes',
        settings?.url ?? '',
        settings?.caFile ?? '',
        settings?.tokenFile ?? '',
        namespace,
        service,
      ],
      () => {
        const client = settings === null ? null : this.#client(settings)
        const watched = new KubernetesService(client, { service, namespace }, { wheel, random, log })
        this.#watched.add(watched)
        return watched
      },
      watched => {
        this.#watched.delete(watched)
        watched.close()
      },
    )
  }

  #client(settings: ApiSettings): Lease<ApiClient> {
    return this.#parts.registry.acquire(
      ['kubernetes-api', settings.url, settings.caFile, settings.tokenFile],
      () => new ApiClient(settings),
      client => client.close(),
    )
  }
}

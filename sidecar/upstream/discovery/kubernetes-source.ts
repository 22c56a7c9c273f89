import type { Lease } from '../../runtime/registry.ts'
import type { KubernetesSpec } from '../upstream-spec.ts'
import { mergeSlices } from './kubernetes-endpoints.ts'
import type { KubernetesService } from './kubernetes-service.ts'
import type { FoundEndpoint, Source } from './source.ts'

/** A Service of Kubernetes as one upstream sees it: by its port, from its zone. */
export class KubernetesSource implements Source {
  readonly #spec: KubernetesSpec
  readonly #zone: string
  readonly #lease: Lease<KubernetesService>
  #endpoints: readonly FoundEndpoint[] | null = null
  #fault = ''
  #listener: (() => void) | null = null

  /** @param zone ours; empty: not known */
  constructor(spec: KubernetesSpec, zone: string, lease: Lease<KubernetesService>) {
    this.#spec = spec
    this.#zone = zone
    this.#lease = lease
    this.#read()
  }

  get written(): string {
    return `kubernetes ${this.#lease.value.name}${this.#spec.port === null ? '' : `:${this.#spec.port}`}`
  }

  get endpoints(): readonly FoundEndpoint[] | null {
    return this.#endpoints
  }

  get error(): string {
    return this.#lease.value.error || this.#fault
  }

  watch(listener: () => void): void {
    this.#listener = listener
    this.#lease.value.watch(this.#onChange)
  }

  release(): void {
    this.#listener = null
    this.#lease.value.unwatch(this.#onChange)
    this.#lease.release()
  }

  readonly #onChange = (): void => {
    this.#read()
    this.#listener?.()
  }

  #read(): void {
    const { slices, name } = this.#lease.value
    if (slices === null) return
    const { endpoints, fault } = mergeSlices(slices, this.#spec.port, this.#zone)
    this.#fault = fault
    this.#endpoints = endpoints.map(({ host, port, zone }) => ({
      address: { kind: 'tcp', host, port },
      weight: 1,
      zone,
      priority: 0,
      name: `${name}.svc`,
    }))
  }
}

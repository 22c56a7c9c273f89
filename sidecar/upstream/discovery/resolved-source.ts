import type { Lease } from '../../runtime/registry.ts'
import { addressLabel } from '../endpoint.ts'
import type { EndpointSpec } from '../upstream-spec.ts'
import type { Resolver } from './resolver.ts'
import type { FoundEndpoint, Source } from './source.ts'

/** A written endpoint: an address, or a name with all its addresses. */
export class ResolvedSource implements Source {
  readonly written: string
  readonly #spec: EndpointSpec
  readonly #lease: Lease<Resolver>
  #listener: (() => void) | null = null

  constructor(spec: EndpointSpec, lease: Lease<Resolver>) {
    this.written = addressLabel(spec.address)
    this.#spec = spec
    this.#lease = lease
  }

  get endpoints(): readonly FoundEndpoint[] | null {
    const { address } = this.#spec
    if (address.kind === 'unix') return [{ ...this.#spec, name: 'localhost' }]
    const { addresses } = this.#lease.value
    if (addresses === null) return null
    const { host, port } = address
    return addresses.map(one => ({
      ...this.#spec,
      address: { kind: 'tcp', host: one, port },
      name: host,
    }))
  }

  get error(): string {
    return this.#lease.value.error
  }

  watch(listener: () => void): void {
    this.#listener = listener
    this.#lease.value.watch(listener)
  }

  release(): void {
    if (this.#listener !== null) this.#lease.value.unwatch(this.#listener)
    this.#lease.release()
  }
}

import type { FakeKubernetesApi } from './fake-kubernetes-api.ts'
import type { StoredObject } from './fake-kubernetes-store.ts'

/** An endpoint of a slice: its address, or more of it. */
export interface SliceMember {
  readonly address: string
  /** What holds of it where only that is said: `ready` is the default. */
  readonly state?: 'ready' | 'not-ready' | 'terminating' | 'gone'
  readonly zone?: string
  readonly hints?: readonly string[]
}

const STATES = {
  ready: { ready: true, serving: true, terminating: false },
  'not-ready': { ready: false, serving: false, terminating: false },
  terminating: { ready: false, serving: true, terminating: true },
  gone: { ready: false, serving: false, terminating: true },
} as const

/** An EndpointSlice as the API has it. Its addresses are of one family. */
export function endpointSlice(
  service: string,
  ports: Readonly<Record<string, number>>,
  members: readonly (string | SliceMember)[],
): StoredObject {
  const endpoints = members
    .map(one => (typeof one === 'string' ? { address: one } : one))
    .map(({ address, state = 'ready', zone, hints }: SliceMember) => ({
      addresses: [address],
      conditions: STATES[state],
      ...(zone === undefined ? {} : { zone }),
      ...(hints === undefined ? {} : { hints: { forZones: hints.map(name => ({ name })) } }),
    }))
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { labels: { 'kubernetes.io/service-name': service } },
    addressType: endpoints.some(one => one.addresses[0]?.includes(':')) ? 'IPv6' : 'IPv4',
    ports: Object.entries(ports).map(([name, port]) => ({ name, port, protocol: 'TCP' })),
    endpoints,
  }
}

/** The EndpointSlices of the namespace `shop` in an API server. */
export class EndpointSlices {
  readonly #api: FakeKubernetesApi
  constructor(api: FakeKubernetesApi) {
    this.#api = api
  }

  /** @param name `orders-1` is a slice of `orders` */
  put(
    name: string,
    ports: Readonly<Record<string, number>>,
    members: readonly (string | SliceMember)[],
  ): void {
    this.#api.put(pathOf(name), endpointSlice(name.replace(/-[^-]*$/, ''), ports, members))
  }

  remove(name: string): void {
    this.#api.remove(pathOf(name))
  }
}

function pathOf(name: string): string {
  return `/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices/${name}`
}

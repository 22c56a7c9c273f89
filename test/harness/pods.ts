import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { EndpointSlices, type SliceMember } from './endpoint-slices.ts'
import { FakeKubernetesApi, type FakeKubernetesOptions } from './fake-kubernetes-api.ts'
import type { InProcess } from './in-process.ts'

/** A pod that answers with its name, when the test lets it. */
export class Pod {
  readonly name: string
  readonly server: http.Server
  /** Requests that came and were not answered. */
  readonly held: http.ServerResponse[] = []
  port = 0
  /** Requests that came so far. */
  asked = 0
  /** Whether requests wait for `release`. */
  holds = false

  constructor(name: string, tls?: { cert: string; key: string }) {
    this.name = name
    const answer: http.RequestListener = (_request, response) => {
      this.asked++
      if (this.holds) this.held.push(response)
      else response.end(this.name)
    }
    this.server = tls === undefined ? http.createServer(answer) : https.createServer(tls, answer)
  }

  async listen(): Promise<void> {
    this.server.listen(0, '127.0.0.1')
    await once(this.server, 'listening')
    this.port = (this.server.address() as AddressInfo).port // it listens on TCP
  }

  release(): void {
    for (const response of this.held.splice(0)) response.end(this.name)
  }

  /** Open connections. */
  connections(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)))
    })
  }
}

/** An API server with the namespace `shop`, and pods in it. Each has a slice of its own: they share an address. */
export class Cluster {
  readonly api: FakeKubernetesApi
  readonly slices: EndpointSlices
  readonly #pods = new Map<string, Pod>()

  private constructor(api: FakeKubernetesApi) {
    this.api = api
    this.slices = new EndpointSlices(api)
  }

  static async start(t: TestContext, options: FakeKubernetesOptions = {}): Promise<Cluster> {
    const cluster = new Cluster(await FakeKubernetesApi.start(options))
    t.after(async () => {
      await cluster.api.close()
      for (const { server } of cluster.#pods.values()) {
        server.close()
        server.closeAllConnections()
      }
    })
    return cluster
  }

  async pod(
    name: string,
    more: Partial<SliceMember> = {},
    tls?: { cert: string; key: string },
  ): Promise<Pod> {
    const pod = new Pod(name, tls)
    await pod.listen()
    this.#pods.set(name, pod)
    this.mark(name, more)
    return pod
  }

  /** Says in the pod's slice what is true of it now. */
  mark(name: string, more: Partial<SliceMember>): void {
    const port = this.#pods.get(name)?.port ?? 0
    this.slices.put(`orders-${name}`, { http: port, metrics: 9090 }, [{ address: '127.0.0.1', ...more }])
  }

  drop(name: string): void {
    this.slices.remove(`orders-${name}`)
  }

  /** Waits until the watch of the proxy has said what happened, and it has seen it. */
  async settled(outrigger: InProcess, names: string): Promise<void> {
    await outrigger.until(`endpoints ${names}`, () => endpointsOf(outrigger, this.#pods) === names, 20_000)
  }
}

function endpointsOf(outrigger: InProcess, pods: ReadonlyMap<string, Pod>): string {
  const names = new Map([...pods.values()].map(pod => [`127.0.0.1:${pod.port}`, pod.name]))
  const upstream = outrigger.service.holder.current.snapshot.upstreams.get('orders')
  return (upstream?.members ?? [])
    .map(({ label }) => names.get(label) ?? label)
    .toSorted()
    .join(' ')
}

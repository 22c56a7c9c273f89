import { readSettings, type Settings } from '../../injector/settings.ts'
import { Injector, type InjectorOptions } from '../../injector/webhook/injector.ts'
import { ApiClient } from '../../sidecar/kubernetes/api-client.ts'
import { inClusterSettings } from '../../sidecar/kubernetes/api-settings.ts'
import { type Clock, systemClock } from '../../sidecar/runtime/clock.ts'
import { BufferedWriter } from '../../sidecar/telemetry/buffered-writer.ts'
import { fileCalls } from '../../sidecar/telemetry/output.ts'
import { ProcessLog } from '../../sidecar/telemetry/process-log.ts'
import type { FakeCluster } from './fake-cluster.ts'

/** An injector in this process, and where it listens. */
export class RunningInjector {
  readonly injector: Injector
  readonly port: number
  readonly admin: number
  /** Its log, a line each. */
  readonly log: readonly string[]

  private constructor(
    injector: Injector,
    ports: { readonly webhook: number; readonly admin: number },
    log: readonly string[],
  ) {
    this.injector = injector
    this.port = ports.webhook
    this.admin = ports.admin
    this.log = log
  }

  /**
   * Starts one that runs in a cluster.
   * @param clock of certificates and of whatever is kept for a while
   */
  static async start(
    cluster: FakeCluster,
    more: Partial<InjectorOptions> = {},
    clock: Clock = systemClock,
  ): Promise<RunningInjector> {
    const server = inClusterSettings(cluster.env, cluster.serviceAccount)
    if (server === null) throw new Error('the cluster has no address')
    const log: string[] = []
    const writer = new BufferedWriter(2, 0, fileCalls)
    writer.write = line => log.push(line) > 0
    const injector = new Injector(
      {
        settings: injectorSettings(),
        kubernetesVersion: null,
        port: 0,
        adminPort: 0,
        address: '127.0.0.1',
        namespace: 'outrigger-system',
        service: 'outrigger-injector',
        secret: 'outrigger-injector-tls',
        webhookConfiguration: 'outrigger-injector',
        certificate: null,
        instance: 'injector-0',
        ...more,
      },
      new ApiClient(server, { timeout: 1_000 }),
      clock,
      new ProcessLog(writer, 'json', 'debug', clock),
    )
    const ports = await injector.start()
    if (typeof ports === 'string') throw new Error(ports)
    await injector.look()
    return new RunningInjector(injector, ports, log)
  }

  /** What its admin port answers. */
  async get(path: string, method = 'GET'): Promise<{ readonly status: number; readonly text: string }> {
    const response = await fetch(`http://127.0.0.1:${this.admin}${path}`, { method })
    return { status: response.status, text: await response.text() }
  }

  /** A sample of its metrics; 0 where it has none. */
  async metric(sample: string): Promise<number> {
    const { text } = await this.get('/metrics')
    const line = text.split('\n').find(one => one.startsWith(`${sample} `))
    return Number(line?.slice(sample.length + 1) ?? 0)
  }

  close(): Promise<void> {
    return this.injector.close()
  }
}

/** Settings of the injector, the rest of them as they are by default. */
export function injectorSettings(given: object = {}): Settings {
  const settings = readSettings({ image: 'outrigger:1', ...given })
  if (typeof settings === 'string') throw new Error(settings)
  return settings
}

/** Waits until something holds, 5 s at most. */
export async function eventually(check: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 5_000
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`it did not come: ${check.toString()}`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

/** A pod as a ReplicaSet makes it: without a name, and without a namespace. */
export function podOf(more: { labels?: object; annotations?: object; spec?: object } = {}) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      generateName: 'orders-7d4f8-',
      labels: { app: 'orders', ...more.labels },
      annotations: { ...more.annotations },
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'orders-7d4f8', uid: 'u-1', controller: true },
      ],
    },
    spec: {
      containers: [{ name: 'orders', image: 'orders:1', ports: [{ name: 'http', containerPort: 8080 }] }],
      ...more.spec,
    },
  }
}

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { mutate } from '../../injector/mutate.ts'
import { readPod, type Container } from '../../injector/pod.ts'
import { readSettings } from '../../injector/settings.ts'
import { KubeletVolume } from '../harness/kubelet-volume.ts'
import { networksOrSkip, OUTSIDE, POD, POD_IPV6, PodNetwork } from './pod-network.ts'
import { until } from './stack.ts'

// Pods after the injector, without a cluster: their containers run as plain processes in a network namespace of their own, and who calls them is
// outside of it. A NetworkPolicy is for a cluster to enforce: what it would close is open here, and said so.

const KEY = 'a-key-that-only-partners-have-0123456789'
const HEADER = `x-api-key: ${KEY}`
const POLICIES = `version: 1
authentication:
  apiKey:
    clients: { header: x-api-key }
consumers:
  - { name: partner, apiKeys: { sha256: ${createHash('sha256').update(KEY).digest('hex')} } }
defaults:
  authenticate: { apiKey: clients }
`

interface Form {
  readonly name: string
  readonly annotations: Readonly<Record<string, string>>
  readonly containers: readonly Container[]
  /** Where the app listens. */
  readonly host: '127.0.0.1' | '0.0.0.0'
  /** What a caller gets who knows the port of the app itself; null: nothing. */
  readonly past: 200 | 401 | null
}

const orders = (...ports: NonNullable<Container['ports']>): Container => ({
  name: 'orders',
  ports,
  readinessProbe: { httpGet: { path: '/ready', port: ports[0]?.name ?? ports[0]?.containerPort ?? 0 } },
})

const FORMS: readonly Form[] = [
  {
    name: 'app-port, and the app on loopback: the port is the sidecar, and there is no way past it',
    annotations: { 'outrigger.dev/app-port': '80=3000' },
    containers: [orders({ containerPort: 80 })],
    host: '127.0.0.1',
    past: null,
  },
  {
    name: 'move-port: the port is the sidecar; the one that the app has now has to be closed by a NetworkPolicy',
    annotations: { 'outrigger.dev/move-port': 'env' },
    containers: [orders({ containerPort: 8080 })],
    host: '0.0.0.0',
    past: 200,
  },
  {
    name: 'a named port: the name is the sidecar; the number has to be closed by a NetworkPolicy',
    annotations: {},
    containers: [orders({ name: 'http', containerPort: 8080 })],
    host: '0.0.0.0',
    past: 200,
  },
  {
    name: 'two containers with three ports, each in its own way',
    annotations: { 'outrigger.dev/app-port': '9090=9091' },
    containers: [
      orders({ name: 'http', containerPort: 8080 }, { name: 'admin', containerPort: 8081 }),
      { name: 'metrics', ports: [{ containerPort: 9090 }] },
    ],
    host: '0.0.0.0',
    past: 200,
  },
  {
    name: 'capture: name and number are the sidecar, and there is no way past it though the app listens on all addresses',
    annotations: { 'outrigger.dev/capture': 'inbound' },
    containers: [orders({ name: 'http', containerPort: 8080 }, { containerPort: 9090 })],
    host: '0.0.0.0',
    past: 401,
  },
]

describe('an injected pod in a network of its own', networksOrSkip(), () => {
  for (const form of FORMS) test(form.name, async () => runs(form))
})

async function runs(form: Form): Promise<void> {
  const settings = readSettings({
    image: 'outrigger:1',
    captureImage: 'iptables:1',
    inject: 'enabled',
    configMap: 'policies',
  })
  assert.ok(typeof settings !== 'string')
  const upstreams = { 'outrigger.dev/upstreams': `users=http://${OUTSIDE}:7000` }
  const given = {
    metadata: { annotations: { ...form.annotations, ...upstreams } },
    spec: { containers: form.containers },
  }
  const { pod: changed, report } = mutate(given, settings)
  assert.equal(report.outcome, 'injected', report.detail)
  const pod = readPod(changed)
  assert.ok(typeof pod !== 'string')
  const volume = new KubeletVolume({
    'outrigger-injected.yaml': pod.metadata?.annotations?.['outrigger.dev/generated-config'] ?? '',
    'policies.yaml': POLICIES,
  })
  const sysctls = (pod.spec.securityContext?.sysctls ?? []) as { name: string; value: string }[] // the injector's own
  const network = await PodNetwork.create(sysctls)
  try {
    await network.app(OUTSIDE, [7000], {}, 1)
    // In the order of the kubelet: init containers, of which a sidecar stays; then the app.
    for (const container of pod.spec.initContainers ?? []) {
      if (container.restartPolicy === 'Always') network.sidecar(volume.folder)
      else for (let again = 0; again < 2; again++) await startsOnce(network, container)
      const { startupProbe } = container
      if (startupProbe != null) await until(async () => probed(network, startupProbe), 15_000)
    }
    for (const container of pod.spec.containers) {
      const ports = report.ports.filter(port => port.container === container.name).map(({ app }) => app)
      const env = Object.fromEntries((container.env ?? []).map(({ name, value }) => [name, value ?? '']))
      if (form.annotations['outrigger.dev/move-port'] !== undefined)
        assert.deepEqual([env['PORT']], ports.map(String))
      await network.app(form.host, ports, env)
    }
    for (const { declared, sidecar, app } of report.ports) {
      assert.ok(sidecar !== null)
      const ways = form.annotations['outrigger.dev/capture'] === undefined ? [sidecar] : [sidecar, declared]
      for (const way of ways) {
        assert.equal((await network.ask(way, '/orders/1')).status, 401, `port ${way} without a key`)
        const { status, body } = await network.ask(way, '/orders/1', HEADER)
        assert.equal(status, 200, `port ${way}: ${body}`)
        assert.deepEqual(JSON.parse(body), { port: app, url: '/orders/1', consumer: 'partner' })
      }
      for (const host of form.host === '0.0.0.0' && form.past === 200 ? [POD] : [POD, POD_IPV6]) {
        const past = await network.ask(app, '/orders/1', undefined, host)
        assert.equal(
          past.status === 0 ? null : past.status,
          form.past,
          `port ${app} of the app itself at ${host}`,
        )
      }
    }
    for (const { readinessProbe } of pod.spec.containers)
      if (readinessProbe != null) assert.equal(await probed(network, readinessProbe), null)
    const [first] = report.ports
    const call = await network.ask(first?.sidecar ?? 0, '/call', HEADER)
    assert.deepEqual([call.status, JSON.parse(call.body)], [200, { port: 7000, url: '/users/7' }])
    // What only the pod itself may reach.
    for (const { admin, upstreamsFrom } of [settings.ports])
      for (const port of [admin, upstreamsFrom])
        assert.equal((await network.ask(port, '/')).status, 0, `port ${port}`)
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${network.output}`, {
      cause: error,
    })
  } finally {
    await network.stop()
    volume.remove()
  }
}

/** A container that sets something up, with the capabilities that it says. */
async function startsOnce(network: PodNetwork, container: Container): Promise<void> {
  const { command, securityContext } = container as Container & {
    command: string[]
    securityContext: { capabilities: { add: string[] } }
  }
  await network.once(command, securityContext.capabilities.add)
}

/** Asks as the kubelet does. @returns what is wrong */
async function probed(
  network: PodNetwork,
  { httpGet }: NonNullable<Container['readinessProbe']>,
): Promise<string | null> {
  assert.ok(httpGet != null && typeof httpGet.port === 'number')
  const { status } = await network.ask(httpGet.port, httpGet.path ?? '/')
  return status === 200 ? null : `${httpGet.path} at ${httpGet.port} is ${status}: ${network.output}`
}

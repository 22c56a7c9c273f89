// examples/kubernetes without a cluster: what kubectl renders is what the owner of the page asked for and what the API server takes, and
// the configuration in it serves in plain processes, with a volume that changes as the kubelet changes it.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { loadConfig } from '../../sidecar/config/load/load.ts'
import { programEntry } from '../harness/entry.ts'
import { HttpUpstream } from '../harness/http-upstream.ts'
import { freePort } from '../harness/free-port.ts'
import { KubeletVolume } from '../harness/kubelet-volume.ts'
import type { Manifest } from '../harness/kubernetes.ts'
import { renderings, schemaErrors } from '../harness/kubernetes.ts'
import { needs } from '../harness/needs.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { againstRestricted } from '../harness/pod-security.ts'
import { startRedis } from '../harness/programs.ts'
import { RawClient } from '../harness/raw-client.ts'
import { sharedToken } from '../harness/tokens.ts'
import { SteadyLoad } from '../reliability/steady-load.ts'

const run = promisify(execFile)
const EXAMPLE = path.resolve(import.meta.dirname, '..', '..', 'examples', 'kubernetes')
const SECRETS = '/etc/outrigger-secrets'
const SECRET = '0123456789-what-both-sides-know-0123456789'

/** What the page says of each environment. */
const ENVIRONMENTS = [
  ['base', { replicas: 3, memory: '512Mi', cpu: '250m', limits: [100, 1000], breaker: null }],
  [
    'overlays/development',
    { replicas: 1, memory: '256Mi', cpu: '250m', limits: [1000, 10_000], breaker: null },
  ],
  [
    'overlays/production',
    { replicas: 5, memory: '1Gi', cpu: '500m', limits: [100, 1000], breaker: [5, 30_000] },
  ],
] as const

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string }
}

/** As much of a Deployment as is read here. */
interface Deployment extends Manifest {
  readonly spec: {
    readonly replicas: number
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> }
      readonly spec: {
        readonly containers: readonly [
          {
            readonly args: readonly string[]
            readonly env?: readonly { readonly name: string; readonly value: string }[]
            readonly ports: readonly { readonly name: string; readonly containerPort: number }[]
            readonly startupProbe: Probe
            readonly readinessProbe: Probe
            readonly livenessProbe: Probe
            readonly resources: { readonly requests: Readonly<Record<string, string>> }
            readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[]
          },
        ]
      }
    }
  }
}

function one(manifests: readonly Manifest[], kind: string): Manifest {
  const found = manifests.filter(manifest => manifest.kind === kind)
  assert.equal(found.length, 1, `${found.length} of kind ${kind}`)
  return found[0] as Manifest // there is one
}

/** The Deployment among manifests, of which the tests read what the interface says. */
const deploymentOf = (manifests: readonly Manifest[]): Deployment =>
  one(manifests, 'Deployment') as Deployment

function filesOf(manifests: readonly Manifest[]): Record<string, string> {
  return { ...(one(manifests, 'ConfigMap')['data'] as Record<string, string>) }
}

/** The configuration where only what the machine of a test has otherwise is changed: addresses, and the place of secrets. */
function here(text: string, secrets: string, upstream = 'user-service:8080'): string {
  return text
    .replaceAll(SECRETS, secrets)
    .replaceAll(/(address|probes): ":\d+"/g, '$1: "127.0.0.1:0"')
    .replaceAll(/http:\/\/\w+-service:8080/g, `http://${upstream}`)
}

describe('examples/kubernetes', needs('kubectl-1.20'), () => {
  const secrets = mkdtempSync(path.join(os.tmpdir(), 'outrigger-secrets-'))
  const rendered = new Map<string, Manifest[]>()
  before(async () => {
    writeFileSync(path.join(secrets, 'jwt-secret'), SECRET, { mode: 0o440 })
    writeFileSync(path.join(secrets, 'redis-url'), 'redis://127.0.0.1:6379', { mode: 0o440 })
    for (const [place] of ENVIRONMENTS) {
      const found = await renderings(path.join(EXAMPLE, place))
      const [first = []] = found.values()
      for (const [program, manifests] of found)
        assert.deepEqual(sorted(manifests), sorted(first), `${place} by ${program}`)
      rendered.set(place, first)
    }
  })
  after(() => rmSync(secrets, { recursive: true, force: true }))

  for (const [place, wanted] of ENVIRONMENTS) {
    const manifests = (): Manifest[] => rendered.get(place) ?? []

    test(`${place}: replicas, resources and labels are the page's, and every manifest is valid`, async () => {
      for (const manifest of manifests()) assert.deepEqual(await schemaErrors(manifest), [], manifest.kind)
      const deployment = deploymentOf(manifests())
      const [container] = deployment.spec.template.spec.containers
      assert.equal(deployment.metadata.name, 'api-gateway')
      assert.equal(deployment.spec.replicas, wanted.replicas)
      assert.deepEqual(container.resources.requests, { memory: wanted.memory, cpu: wanted.cpu })
      assert.deepEqual(deployment.spec.template.metadata.labels, { app: 'api-gateway' })
      const scaled = one(manifests(), 'HorizontalPodAutoscaler')
      assert.equal((scaled['spec'] as { minReplicas: number }).minReplicas, wanted.replicas)
      for (const kind of ['Service', 'PodDisruptionBudget', 'ConfigMap', 'NetworkPolicy'])
        one(manifests(), kind)
      assert.deepEqual(againstRestricted(deployment.spec.template.spec), [])
      // A file that is mounted alone would stay the old one.
      for (const mount of container.volumeMounts) assert.ok(!('subPath' in mount))
    })

    test(`${place}: the configuration in the ConfigMap passes outrigger check, and has the page's limits and breaker`, async () => {
      const volume = new KubeletVolume(changed(filesOf(manifests()), text => here(text, secrets)))
      try {
        const env = environmentOf(manifests())
        const check = ['check', volume.folder, ...(env === undefined ? [] : ['--env', env])]
        const { stdout } = await run(process.execPath, [programEntry(), ...check])
        assert.match(
          stdout,
          /: ok, 1 listener, 2 routes, 2 upstreams\n {2}0 routes are without authentication\n$/,
        )
        const result = loadConfig([volume.folder], { env, secrets: true })
        assert.ok(result.ok)
        const [listener] = result.config.listeners
        for (const route of listener?.routes ?? [])
          assert.deepEqual(
            route.policies.rateLimit?.outer?.map(limit => limit.quota),
            wanted.limits,
          )
        for (const upstream of Object.values(result.config.upstreams)) {
          const breaker = upstream.circuitBreaker
          const { trip, openFor } = breaker ?? {}
          assert.deepEqual(trip?.kind === 'consecutive' ? [trip.failures, openFor] : null, wanted.breaker)
        }
        const ports = deploymentOf(manifests()).spec.template.spec.containers[0].ports
        for (const { name, containerPort } of ports)
          assert.ok(filesOf(manifests())['edge.yaml']?.includes(`":${containerPort}"`), name)
      } finally {
        volume.remove()
      }
    })
  }

  for (const place of ['overlays/development', 'overlays/production']) {
    test(
      `${place} in a plain process: volumes change under load, and no request is lost`,
      needs('redis-server'),
      async t => {
        const upstream = await HttpUpstream.listen()
        const redis = await startRedis()
        const secret = { 'jwt-secret': SECRET, 'redis-url': `redis://127.0.0.1:${redis.port}` }
        const secretVolume = new KubeletVolume(secret, 0o440)
        const health = await freePort()
        // The number of requests is not what this is about.
        const files = changed(filesOf(rendered.get(place) ?? []), text =>
          here(text, secretVolume.folder, `127.0.0.1:${upstream.port}`)
            .replace('probes: "127.0.0.1:0"', `probes: "127.0.0.1:${health}"`)
            .replaceAll(/requests: \d+/g, 'requests: 100000'),
        )
        const volume = new KubeletVolume(files)
        const env = environmentOf(rendered.get(place) ?? []) ?? ''
        const outrigger = await Outrigger.serve(volume.folder, { env: { OUTRIGGER_ENV: env } })
        t.after(async () => {
          await outrigger.stop('SIGKILL')
          await Promise.all([upstream.close(), redis.stop()])
          secretVolume.remove()
        })
        const port = outrigger.port('public')
        const token = await bearer(SECRET)
        assert.equal(await ask(port, '/api/users/1'), 401)
        assert.equal(await ask(port, '/api/users/1', token), 200)
        assert.equal(await ask(port, '/api/users/1', 'x-api-key: test'), env === 'development' ? 200 : 401)
        assert.equal(await ask(port, '/other', token), 404)
        const [container] = deploymentOf(rendered.get(place) ?? []).spec.template.spec.containers
        const { startupProbe, readinessProbe, livenessProbe } = container
        for (const { httpGet } of [startupProbe, readinessProbe, livenessProbe]) {
          assert.equal(httpGet.port, 'health')
          assert.equal(await ask(health, httpGet.path), 200, httpGet.path)
        }
        assert.equal(await ask(health, '/metrics'), 200)

        const load = new SteadyLoad(port, 100, { path: () => '/api/orders', headers: () => headersOf(token) })
        const reloads = (): number => outrigger.log().filter(({ msg }) => msg === 'reloaded').length
        for (const round of [1, 2, 3]) {
          // Not taken back: a file that is the same as before is no change.
          const text = `${files['edge.yaml'] ?? ''}\n# round ${round}\n`
          volume.write({ ...files, 'edge.yaml': text.replace('timeout: 10s', `timeout: ${round}s`) })
          await until(() => reloads() === round, `reload ${round}`)
        }
        volume.write({
          ...files,
          'edge.yaml': (files['edge.yaml'] ?? '').replace('timeout: 10s', 'timeouts: 10s'),
        })
        await outrigger.logged(line => /timeouts/.test(JSON.stringify(line)))
        assert.equal(await ask(port, '/api/orders', token), 200)
        volume.write(files)
        await until(() => reloads() === 4, 'the reload that takes it back')
        const outcome = await load.stop()
        assert.deepEqual({ failed: outcome.failed, refused: outcome.refused }, { failed: {}, refused: 0 })
        assert.ok(outcome.ok > 20, `${outcome.ok} answers`)

        // A secret is a file as well: the tokens of the old one are refused.
        const next = `${SECRET}-next`
        secretVolume.write({ ...secret, 'jwt-secret': next })
        await until(() => reloads() === 5, 'the reload with another secret')
        assert.equal(await ask(port, '/api/orders', token), 401)
        assert.equal(await ask(port, '/api/orders', await bearer(next)), 200)
      },
    )
  }
})

const sorted = (manifests: readonly Manifest[]): unknown[] =>
  manifests.map(withoutEmpty).toSorted((a, b) => (a.kind < b.kind ? -1 : 1))

/** Some versions of kustomize write `labels: {}` where there are none. */
function withoutEmpty(manifest: Manifest): Manifest {
  const metadata = Object.entries(manifest.metadata).filter(([, value]) => JSON.stringify(value) !== '{}')
  return { ...manifest, metadata: Object.fromEntries(metadata) as unknown as Manifest['metadata'] } // `name` is left
}

function environmentOf(manifests: readonly Manifest[]): string | undefined {
  const [container] = deploymentOf(manifests).spec.template.spec.containers
  assert.deepEqual(container.args, ['run', '-c', '/etc/outrigger'])
  return container.env?.find(({ name }) => name === 'OUTRIGGER_ENV')?.value
}

function changed(
  files: Readonly<Record<string, string>>,
  change: (text: string) => string,
): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([name, text]) => [name, change(text)]))
}

async function bearer(secret: string): Promise<string> {
  const exp = Math.floor(Date.now() / 1000) + 3600
  return `authorization: Bearer ${await sharedToken({ iss: 'shop-partners', exp }, secret)}`
}

function headersOf(line: string): Record<string, string> {
  const [name = '', value = ''] = line.split(': ')
  return { [name]: value }
}

async function ask(port: number, target: string, field = ''): Promise<number> {
  const client = await RawClient.connect(port)
  const { status } = await client.ask(
    `GET ${target} HTTP/1.1\r\nHost: shop.example\r\n${field === '' ? '' : `${field}\r\n`}\r\n`,
  )
  client.destroy()
  return status
}

async function until(check: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 10_000
  while (!check()) {
    assert.ok(performance.now() < end, `waited 10 s for ${what}`)
    await new Promise(done => setTimeout(done, 20))
  }
}

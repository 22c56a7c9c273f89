// The injector as injector/manifests starts it, at an API server that allows what the roles there allow and nothing else: it does its work, and
// no rule is there that it does not need.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { CertificateFolder } from '../harness/certificates.ts'
import { programEntry } from '../harness/entry.ts'
import { FakeCluster } from '../harness/fake-cluster.ts'
import type { ApiRequest } from '../harness/fake-kubernetes-api.ts'
import { type Manifest, renderings } from '../harness/kubernetes.ts'
import { needs } from '../harness/needs.ts'
import { eventually } from '../harness/running-injector.ts'

const MANIFESTS = path.resolve(import.meta.dirname, '..', '..', 'injector', 'manifests')
const CONFIGURATIONS = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations'
const SECRET = '/api/v1/namespaces/outrigger-system/secrets/outrigger-injector-tls'
const POD = {
  metadata: { generateName: 'orders-', labels: { app: 'orders' } },
  spec: { containers: [{ name: 'orders', ports: [{ name: 'http', containerPort: 8080 }] }] },
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string }
}
interface Container {
  readonly args: readonly string[]
  readonly startupProbe: Probe
  readonly readinessProbe: Probe
  readonly livenessProbe: Probe
}

/** What a rule of a role allows, one verb at a time. */
interface Right {
  readonly verb: string
  readonly group: string
  readonly resource: string
  /** Null: any. */
  readonly name: string | null
  /** Null: in all. */
  readonly namespace: string | null
}

function rightsOf(manifests: readonly Manifest[]): Right[] {
  return manifests
    .filter(({ kind }) => kind === 'Role' || kind === 'ClusterRole')
    .flatMap(({ rules, metadata }) =>
      (
        rules as { apiGroups: string[]; resources: string[]; resourceNames?: string[]; verbs: string[] }[]
      ).flatMap(rule =>
        rule.apiGroups.flatMap(group =>
          rule.resources.flatMap(resource =>
            (rule.resourceNames ?? [null]).flatMap(name =>
              rule.verbs.map(verb => ({
                verb,
                group,
                resource,
                name,
                namespace: metadata.namespace ?? null,
              })),
            ),
          ),
        ),
      ),
    )
}

/** What a request asks for; null where it is for everybody, as `/version` is. */
function wantedBy({ method, path: where }: ApiRequest): Right | null {
  const [, group = '', rest = ''] = /^\/(?:api|apis\/([^/]+))\/v\d\w*\/(.*)$/.exec(where) ?? []
  if (rest === '') return null
  const parts = rest.split('/')
  const isInNamespace = parts[0] === 'namespaces' && parts.length > 2
  const [resource = '', name = null] = isInNamespace ? parts.slice(2) : parts
  const verbs: Readonly<Record<string, string>> = {
    POST: 'create',
    PUT: 'update',
    PATCH: 'patch',
    DELETE: 'delete',
  }
  const verb = verbs[method] ?? (name === null ? 'list' : 'get')
  return { verb, group, resource, name, namespace: isInNamespace ? (parts[1] ?? null) : null }
}

const allows = (right: Right, wanted: Right): boolean =>
  right.verb === wanted.verb &&
  right.group === wanted.group &&
  right.resource === wanted.resource &&
  (right.name === null || right.name === wanted.name) &&
  (right.namespace === null || right.namespace === wanted.namespace)

describe('the injector with the rights of its manifests', needs('kubectl-1.20'), () => {
  let cluster: FakeCluster
  let folder: string
  let certificates: CertificateFolder
  const children: ChildProcess[] = []
  const used = new Set<Right>()
  const denied: string[] = []

  beforeEach(async () => {
    cluster = await FakeCluster.create()
    certificates = await CertificateFolder.create()
    folder = mkdtempSync(path.join(os.tmpdir(), 'outrigger-rights-'))
    used.clear()
    denied.length = 0
  })
  afterEach(async () => {
    for (const child of children.splice(0)) {
      if (child.exitCode !== null) continue
      child.kill('SIGKILL')
      await once(child, 'close')
    }
    await cluster.close()
    certificates.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  /** Puts the webhook of a folder into the cluster, and its roles before it. */
  async function install(place: string): Promise<readonly Manifest[]> {
    const [manifests = []] = (await renderings(path.join(MANIFESTS, place))).values()
    const webhook = one(manifests, 'MutatingWebhookConfiguration')
    cluster.api.put(`${CONFIGURATIONS}/${webhook.metadata.name}`, { ...webhook })
    const rights = rightsOf(manifests)
    cluster.api.intercept = (request, response) => {
      const wanted = wantedBy(request)
      if (wanted === null) return false
      const right = rights.find(one => allows(one, wanted))
      if (right !== undefined) {
        used.add(right)
        return false
      }
      denied.push(`${wanted.verb} ${wanted.resource} ${wanted.name}`)
      response.writeHead(403, { 'content-type': 'application/json' }).end('{"kind":"Status","code":403}')
      return true
    }
    return manifests
  }

  /** Starts what the Deployment says, at ports that are free and with files where this machine has them. @returns its port */
  async function start(
    manifests: readonly Manifest[],
    tls: Readonly<Record<string, string>> = {},
  ): Promise<number> {
    const deployment = one(manifests, 'Deployment') as Manifest & {
      spec: { template: { spec: { containers: [Container] } } }
    }
    const settings = path.join(folder, 'settings.yaml')
    writeFileSync(
      settings,
      (one(manifests, 'ConfigMap')['data'] as Record<string, string>)['settings.yaml'] ?? '',
    )
    const files: Readonly<Record<string, string>> = {
      '/etc/outrigger-injector/settings.yaml': settings,
      ...tls,
    }
    const args = deployment.spec.template.spec.containers[0].args.map(argument => files[argument] ?? argument)
    for (const argument of args) assert.doesNotMatch(argument, /^\/etc\//)
    const here = [
      '--port',
      '0',
      '--admin-port',
      '0',
      '--address',
      '127.0.0.1',
      '--service-account',
      cluster.serviceAccount,
    ]
    const env = {
      PATH: process.env['PATH'],
      ...cluster.env,
      POD_NAME: 'a',
      POD_NAMESPACE: 'outrigger-system',
    }
    const child = spawn(process.execPath, [programEntry(), ...args, ...here], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env,
    })
    children.push(child)
    let log = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log += text
    })
    await eventually(() => log.includes('"msg":"ready"')).catch(() =>
      assert.fail(`${denied.join(', ')}\n${log}`),
    )
    const [line = '{}'] = log.split('\n').filter(one => one.includes('"msg":"listening"'))
    const { port, adminPort } = JSON.parse(line) as { port: number; adminPort: number } // fields of the process's log
    const { startupProbe, readinessProbe, livenessProbe } = deployment.spec.template.spec.containers[0]
    for (const { httpGet } of [startupProbe, readinessProbe, livenessProbe]) {
      assert.equal(httpGet.port, 'admin')
      assert.equal((await fetch(`http://127.0.0.1:${adminPort}${httpGet.path}`)).status, 200, httpGet.path)
    }
    return port
  }

  async function injects(port: number): Promise<void> {
    const { object, isPatched, warnings } = await cluster.review(port, POD)
    assert.ok(isPatched, JSON.stringify([object, warnings]))
    await eventually(() => cluster.events.length > 0)
  }

  test('base: it needs every rule, and no more', async () => {
    const manifests = await install('base')
    // A Secret that is no certificate any more is replaced; one that is gone is made.
    cluster.api.put(SECRET, { metadata: { name: 'outrigger-injector-tls' }, data: {} })
    await injects(await start(manifests))
    cluster.api.remove(SECRET)
    await injects(await start(manifests))
    assert.deepEqual(denied, [])
    const idle = rightsOf(manifests).filter(right => ![...used].some(one => allows(right, one)))
    assert.deepEqual(idle, [])
    // The webhooks of the manifests are those that got a caBundle.
    assert.match(cluster.caBundle, /BEGIN CERTIFICATE/)
  })

  test('cert-manager: it touches neither Secrets nor its webhook', async () => {
    const manifests = await install('cert-manager')
    const [dns = ''] = (one(manifests, 'Certificate')['spec'] as { dnsNames: string[] }).dnsNames
    await certificates.write('tls', { dns: [dns] })
    cluster.caBundle = certificates.authority.cert
    const tls = {
      '/etc/outrigger-tls/tls.crt': certificates.file('tls.crt'),
      '/etc/outrigger-tls/tls.key': certificates.file('tls.key'),
    }
    await injects(await start(manifests, tls))
    assert.deepEqual(denied, [])
    assert.deepEqual([...used].map(({ resource }) => resource).toSorted(), [
      'events',
      'namespaces',
      'services',
    ])
  })

  test('a right that is missing is noticed', async () => {
    const manifests = await install('cert-manager')
    await assert.rejects(start(manifests.map(withoutTls)), /get secrets|create secrets/)
  })
})

function one(manifests: readonly Manifest[], kind: string): Manifest {
  const [found, second] = manifests.filter(manifest => manifest.kind === kind)
  assert.ok(found !== undefined && second === undefined, kind)
  return found
}

/** The Deployment without the certificates of cert-manager: the injector then makes its own. */
function withoutTls(manifest: Manifest): Manifest {
  const text = JSON.stringify(manifest).replace(/,"--tls-cert","[^"]*","--tls-key","[^"]*"/, '')
  return JSON.parse(text) as Manifest // as it was
}

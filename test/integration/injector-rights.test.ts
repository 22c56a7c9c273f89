// The injector as its manifests start it: their arguments, their webhook, and no more rights than their roles give.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { isObject, listOf } from '../../sidecar/kubernetes/api-object.ts'
import type { ApiRequest } from '../harness/fake-kubernetes-api.ts'
import { CertificateFolder } from '../harness/certificates.ts'
import { programEntry } from '../harness/entry.ts'
import { FakeCluster } from '../harness/fake-cluster.ts'
import { placeOf, type StoredObject } from '../harness/fake-kubernetes-store.ts'
import { type Manifest, manifestsOf } from '../harness/kubernetes.ts'
import { eventually } from '../harness/running-injector.ts'

const BASE = path.resolve(import.meta.dirname, '..', '..', 'injector', 'manifests', 'base')
const WEBHOOK = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/outrigger-injector'

const read = (file: string): Manifest[] => manifestsOf(readFileSync(path.join(BASE, file), 'utf8'))

/** One rule of a role. */
interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
  readonly resourceNames?: readonly string[]
}

/** A role, and where it holds; everywhere where it has no namespace. */
interface Role {
  readonly namespace: string | null
  readonly rules: readonly Rule[]
}

function rolesOf(): Role[] {
  return read('roles.yaml')
    .filter(({ kind }) => kind === 'ClusterRole' || kind === 'Role')
    .map(manifest => ({
      namespace: manifest.metadata.namespace ?? null,
      rules: manifest['rules'] as Rule[], // the API's own schema is checked elsewhere
    }))
}

const VERBS: Readonly<Record<string, string>> = { GET: 'get', POST: 'create', PUT: 'update', PATCH: 'patch' }

/** Whether roles allow a request, as the API server decides. */
function isAllowed({ method, path: where }: ApiRequest, roles: readonly Role[]): boolean {
  // Everybody may.
  if (where === '/version') return true
  const place = placeOf(where)
  if (place === null) return false
  // A namespace is in itself.
  const namespace = place.resource === 'namespaces' ? place.name : place.namespace
  const group = /^\/apis\/([^/]+)\//.exec(where)?.[1] ?? ''
  const verb = method === 'GET' && place.name === '' ? 'list' : (VERBS[method] ?? method)
  return roles.some(
    role =>
      (role.namespace === null || role.namespace === namespace) &&
      role.rules.some(
        rule =>
          rule.apiGroups.includes(group) &&
          rule.resources.includes(place.resource) &&
          rule.verbs.includes(verb) &&
          (rule.resourceNames === undefined || rule.resourceNames.includes(place.name)),
      ),
  )
}

/** A cluster with the webhook of the manifests, whose API server refuses what the roles do not give. */
async function clusterWith(t: TestContext, roles: readonly Role[]) {
  const cluster = await FakeCluster.create()
  t.after(() => cluster.close())
  const [webhook] = read('webhook.yaml')
  cluster.api.put(WEBHOOK, webhook as unknown as StoredObject) // it is one
  const refused: string[] = []
  const used = new Set<string>()
  cluster.api.intercept = (request, response) => {
    const line = `${request.method} ${request.path}`
    used.add(line)
    if (isAllowed(request, roles)) return false
    refused.push(line)
    response.writeHead(403, { 'content-type': 'application/json' }).end('{"message":"forbidden"}')
    return true
  }
  return { cluster, refused, used }
}

/** Starts what the Deployment starts; only numbers of ports and files of the machine are others. */
async function startDeployment(t: TestContext, cluster: FakeCluster, more: readonly string[] = []) {
  const [deployment] = read('deployment.yaml')
  const template = isObject(deployment?.['spec']) ? deployment['spec']['template'] : null
  const spec = isObject(template) && isObject(template['spec']) ? template['spec'] : {}
  const [container] = listOf(spec['containers'])
  const args = isObject(container) ? listOf(container['args']).map(String) : []
  assert.equal(args[0], 'injector')
  const here = args.map(one =>
    /^\d+$/.test(one)
      ? '0'
      : one.replace(/^\/etc\/outrigger-injector\/settings\.yaml$/, path.join(BASE, 'settings.yaml')),
  )
  const own = ['--address', '127.0.0.1', '--service-account', cluster.serviceAccount]
  const child = spawn(process.execPath, [programEntry(), ...here, ...own, ...more], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
      ...cluster.env,
      POD_NAMESPACE: 'outrigger-system',
      POD_NAME: 'injector-1',
    },
  })
  const closed = once(child, 'close')
  t.after(async () => {
    child.kill('SIGINT')
    await closed
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  await eventually(() => stderr.includes('"msg":"listening"') || child.exitCode !== null)
  const line = stderr.split('\n').find(one => one.includes('"msg":"listening"'))
  assert.ok(line !== undefined, stderr)
  const { port, adminPort } = JSON.parse(line) as { port: number; adminPort: number } // our own line
  const ready = async (): Promise<boolean> => (await fetch(`http://127.0.0.1:${adminPort}/readyz`)).ok
  return { port, ready, log: () => stderr }
}

const POD = {
  metadata: { generateName: 'orders-', labels: { app: 'orders' } },
  spec: { containers: [{ name: 'orders', ports: [{ name: 'http', containerPort: 8080 }] }] },
}

test('the rights of the manifests are enough, and each is used', async t => {
  const roles = rolesOf()
  const { cluster, refused, used } = await clusterWith(t, roles)
  const one = await startDeployment(t, cluster)
  await eventually(one.ready)
  assert.ok((await cluster.review(one.port, POD)).isPatched)
  await eventually(() => cluster.events.length > 0)
  // One that cannot be used is replaced, by whoever starts and has no other.
  const secret = '/api/v1/namespaces/outrigger-system/secrets/outrigger-injector-tls'
  cluster.api.put(secret, { ...cluster.api.get(secret), data: {} })
  const other = await startDeployment(t, cluster)
  await eventually(other.ready)
  assert.ok(used.has(`PUT ${secret}`))
  assert.deepEqual(refused, [])
  for (const { rules } of roles)
    for (const [index] of rules.entries())
      for (const verb of rules[index]?.verbs ?? []) {
        const less = roles.map(role => ({
          ...role,
          rules: role.rules.map((rule, at) =>
            role.rules === rules && at === index
              ? { ...rule, verbs: rule.verbs.filter(each => each !== verb) }
              : rule,
          ),
        }))
        const lacking = cluster.api.requests.filter(request => !isAllowed(request, less))
        assert.ok(lacking.length > 0, `${verb} of ${rules[index]?.resources.join()} is not used`)
      }
})

test('with a certificate from files it needs no right to a Secret, nor to its webhook', async t => {
  const [everywhere] = rolesOf()
  const roles = [
    {
      namespace: null,
      rules: (everywhere?.rules ?? []).filter(
        ({ apiGroups }) => !apiGroups.includes('admissionregistration.k8s.io'),
      ),
    },
  ]
  const { cluster, refused } = await clusterWith(t, roles)
  const files = await CertificateFolder.create()
  t.after(() => files.remove())
  await files.write('tls', { dns: ['outrigger-injector.outrigger-system.svc'] })
  cluster.caBundle = files.authority.cert
  const { port, ready } = await startDeployment(t, cluster, [
    '--tls-cert',
    files.file('tls.crt'),
    '--tls-key',
    files.file('tls.key'),
  ])
  await eventually(ready)
  assert.ok((await cluster.review(port, POD)).isPatched)
  assert.deepEqual(refused, [])
})

// The certificates of the webhook: shared by replicas, renewed under load, known to the API server whatever happens to them.
import assert from 'node:assert/strict'
import { copyFileSync } from 'node:fs'
import https from 'node:https'
import { test, type TestContext } from 'node:test'
import { metaOf } from '../../sidecar/kubernetes/api-object.ts'
import type { InjectorOptions } from '../../injector/webhook/injector.ts'
import { CertificateFolder } from '../harness/certificates.ts'
import { FakeCluster } from '../harness/fake-cluster.ts'
import { eventually, RunningInjector } from '../harness/running-injector.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'

const DAY = 86_400_000
const SECRET = '/api/v1/namespaces/outrigger-system/secrets/outrigger-injector-tls'
/** Nobody looks but the test. */
const NEVER = 3_600_000
/** What is made 300 days ago by the clock of a test is good today for OpenSSL, whose clock cannot be stepped. */
const LIVES = { authority: 400 * DAY, serving: 380 * DAY, overlap: 5 * DAY }

const POD = {
  metadata: { generateName: 'orders-', labels: { app: 'orders' } },
  spec: { containers: [{ name: 'orders', ports: [{ name: 'http', containerPort: 8080 }] }] },
}

async function setUp(t: TestContext, replicas = 1, more: Partial<InjectorOptions> = {}) {
  const cluster = await FakeCluster.create()
  const clock = new SteppedClock(0, Date.now() - 300 * DAY)
  const options = { lives: LIVES, lookMs: NEVER, ...more }
  const injectors = await Promise.all(
    Array.from({ length: replicas }, () => RunningInjector.start(cluster, options, clock)),
  )
  t.after(async () => {
    await Promise.all(injectors.map(one => one.close()))
    await cluster.close()
  })
  return { cluster, clock, injectors, first: injectors[0] as RunningInjector } // there is one at least
}

const count = (bundle: string): number => bundle.split('BEGIN CERTIFICATE').length - 1

test('replicas that start at one time share one authority and one certificate', async t => {
  const { cluster, injectors } = await setUp(t, 3)
  assert.equal(count(cluster.caBundle), 1)
  const serials = await Promise.all(injectors.map(({ port }) => cluster.handshake(port)))
  assert.equal(new Set(serials).size, 1)
  for (const one of injectors) assert.equal((await one.get('/readyz')).status, 200)
  const made = cluster.api.requests.filter(
    ({ method, path }) => method === 'POST' && path.endsWith('/secrets'),
  )
  assert.ok(made.length >= 1)
  const secret = cluster.api.get(SECRET)
  assert.equal(secret?.['type'], 'Opaque')
  // The key of the authority stays in the Secret: neither the bundle nor a log has one.
  assert.ok(!cluster.caBundle.includes('PRIVATE'))
  for (const { log } of injectors) assert.ok(!log.join('').includes('PRIVATE'))
})

test('everything is renewed under load, and no handshake and no review fails', async t => {
  const { cluster, clock, injectors } = await setUp(t, 2)
  const agents = injectors.map(() => new https.Agent({ keepAlive: true }))
  t.after(() => agents.forEach(agent => agent.destroy()))
  const failures: string[] = []
  const serials = new Set<string>()
  let handshakes = 0
  let reviews = 0
  const over = new AbortController()
  const drive = async (index: number): Promise<void> => {
    const port = injectors[index]?.port ?? 0
    while (!over.signal.aborted) {
      try {
        serials.add(await cluster.handshake(port))
        handshakes++
        // One connection that stays, and one of its own.
        assert.ok((await cluster.review(port, POD, {}, agents[index])).isPatched)
        assert.ok((await cluster.review(port, POD)).isPatched)
        reviews += 2
      } catch (error) {
        failures.push(String(error))
      }
    }
  }
  const load = [0, 1].map(drive)
  const [one, other] = injectors
  const bundles = new Set([cluster.caBundle])
  const wait = async (): Promise<void> => {
    const goal = handshakes + 4
    await eventually(() => handshakes >= goal)
  }
  for (let day = 0; day < 295; day += 5) {
    clock.jump(5 * DAY)
    // The first looks always, the other one a little later; each in its turn, so that both renew.
    await (day % 10 === 0 ? one : other)?.injector.look()
    bundles.add(cluster.caBundle)
    if (day % 30 === 0) await wait()
    await (day % 10 === 0 ? other : one)?.injector.look()
  }
  await wait()
  over.abort()
  await Promise.all(load)
  assert.deepEqual(failures, [])
  assert.ok(serials.size >= 2, `${serials.size} certificates`)
  assert.ok(bundles.size >= 3, `${bundles.size} bundles`)
  assert.ok(reviews > 20, `${reviews} reviews`)
})

test('who comes late is trusted: a replica with the old certificate, an API server with the old bundle', async t => {
  const { cluster, clock, injectors } = await setUp(t, 2)
  const [one, other] = injectors
  assert.ok(one !== undefined && other !== undefined)
  const before = await cluster.handshake(one.port)
  clock.jump(201 * DAY)
  await one.injector.look()
  assert.equal(count(cluster.caBundle), 2, 'the next is announced')
  const announced = cluster.caBundle
  const renewed = await cluster.handshake(one.port)
  assert.notEqual(renewed, before, 'the certificate is older than half of its life as well')
  assert.equal(await cluster.handshake(other.port), before)
  clock.jump(6 * DAY)
  await one.injector.look()
  const switched = await cluster.handshake(one.port)
  assert.notEqual(switched, renewed)
  assert.equal(await cluster.handshake(other.port), before, 'by the old authority')
  assert.equal(await cluster.handshake(one.port, announced), switched, 'by the old bundle')
  await other.injector.look()
  assert.equal(await cluster.handshake(other.port), switched)
})

test('a caBundle that somebody overwrites is written back, and what is not ours stays', async t => {
  const { cluster, first } = await setUp(t)
  const wanted = cluster.caBundle
  const patches = await first.metric('outrigger_injector_ca_bundle_patches_total')
  for (const text of ['', 'garbage', wanted + wanted]) {
    cluster.caBundle = text
    await first.injector.look()
    assert.equal(cluster.caBundle, wanted)
  }
  assert.equal(await first.metric('outrigger_injector_ca_bundle_patches_total'), patches + 3)
  cluster.register()
  await first.injector.look()
  assert.equal(cluster.caBundle, wanted)
  await first.injector.look()
  assert.equal(await first.metric('outrigger_injector_ca_bundle_patches_total'), patches + 4)
})

test('it looks by itself', async t => {
  const { cluster, first } = await setUp(t, 1, { lookMs: 10 })
  const wanted = cluster.caBundle
  cluster.caBundle = ''
  await eventually(() => cluster.caBundle === wanted)
  assert.equal((await first.get('/readyz')).status, 200)
})

test('a configuration that changes between reading and writing is read again before it is written', async t => {
  const { cluster, first } = await setUp(t)
  const wanted = cluster.caBundle
  cluster.caBundle = 'old'
  const asked: string[] = []
  cluster.api.intercept = ({ method, path }) => {
    asked.push(`${method} ${path.split('/').at(-2) ?? ''}`)
    if (asked.filter(one => one.startsWith('PATCH')).length === 1 && method === 'PATCH')
      cluster.caBundle = 'newer'
    return false
  }
  await first.injector.look()
  // The second try has read both again: what a replica wrote that knows more would be kept.
  const once = ['GET mutatingwebhookconfigurations', 'GET secrets', 'PATCH mutatingwebhookconfigurations']
  assert.deepEqual(asked, [...once, ...once])
  assert.equal(cluster.caBundle, wanted)
  assert.equal((await first.get('/readyz')).status, 200)
})

test('a Secret that is removed or broken is written again as it was, with what others put there', async t => {
  const { cluster, clock, first } = await setUp(t)
  const serial = await cluster.handshake(first.port)
  const secret = cluster.api.get(SECRET)
  assert.ok(secret !== undefined)
  cluster.api.remove(SECRET)
  await first.injector.look()
  assert.deepEqual(cluster.api.get(SECRET)?.['data'], secret['data'])
  const labels = { owner: 'somebody' }
  cluster.api.put(SECRET, { metadata: { name: metaOf(secret).name, labels }, data: { 'ca.crt': '!' } })
  await first.injector.look()
  assert.deepEqual(cluster.api.get(SECRET)?.['data'], secret['data'])
  assert.deepEqual(cluster.api.get(SECRET)?.metadata?.labels, labels)
  assert.equal(await cluster.handshake(first.port), serial)
  const again = await RunningInjector.start(cluster, { lives: LIVES, lookMs: NEVER }, clock)
  t.after(() => again.close())
  assert.equal(await cluster.handshake(again.port), serial, 'a replica that starts has the same')
})

test('replicas that renew at one time agree', async t => {
  const { cluster, clock, injectors } = await setUp(t, 3)
  const before = cluster.caBundle
  for (const days of [201, 6]) {
    clock.jump(days * DAY)
    await Promise.all(injectors.map(({ injector }) => injector.look()))
    // Who lost has read what the winner wrote; what it could not write in time it writes the next time.
    await Promise.all(injectors.map(({ injector }) => injector.look()))
    const serials = await Promise.all(injectors.map(({ port }) => cluster.handshake(port)))
    assert.equal(new Set(serials).size, 1)
    assert.equal(count(cluster.caBundle), 2)
  }
  assert.ok(cluster.caBundle.includes(before.trim()))
})

test('an API server that is away at the start: not ready, and it keeps trying', async t => {
  const cluster = await FakeCluster.create()
  t.after(() => cluster.close())
  await cluster.api.down()
  const injector = await RunningInjector.start(cluster, { lookMs: 20 })
  t.after(() => injector.close())
  assert.equal((await injector.get('/healthz')).status, 200)
  const { status, text } = await injector.get('/readyz')
  assert.equal(status, 503)
  assert.match(text, /^the version of the cluster is not known: ECONNREFUSED\n$/)
  assert.equal(await injector.metric('outrigger_injector_ready'), 0)
  await assert.rejects(cluster.handshake(injector.port), 'there is no certificate yet')
  await cluster.api.up()
  await eventually(async () => (await injector.get('/readyz')).status === 200)
  assert.ok((await cluster.review(injector.port, POD)).isPatched)
  // From now on what it has is enough.
  await cluster.api.down()
  await injector.injector.look()
  assert.equal((await injector.get('/readyz')).status, 200)
  await cluster.api.up()
})

for (const [what, forbid, why] of [
  [
    'no right to write the Secret',
    { method: 'POST', path: '/secrets' },
    /^the Secret cannot be written: 403/,
  ],
  ['no right to read the Secret', { method: 'GET', path: '/secrets/' }, /^the Secret cannot be read: 403/],
  [
    'no right to patch the webhook',
    { method: 'PATCH', path: '/mutating' },
    /^caBundle cannot be written: 403/,
  ],
] as const) {
  test(`${what}: not ready, and it says why`, async t => {
    const cluster = await FakeCluster.create()
    t.after(() => cluster.close())
    cluster.api.intercept = ({ method, path }, response) => {
      if (method !== forbid.method || !path.includes(forbid.path)) return false
      response.writeHead(403, { 'content-type': 'application/json' }).end('{"message":"forbidden"}')
      return true
    }
    const injector = await RunningInjector.start(cluster, { lookMs: NEVER })
    t.after(() => injector.close())
    const { status, text } = await injector.get('/readyz')
    assert.equal(status, 503)
    assert.match(text, why)
    assert.ok(injector.log.some(line => line.includes('not all is in place')))
    cluster.api.intercept = () => false
    await injector.injector.look()
    assert.equal((await injector.get('/readyz')).status, 200)
  })
}

test('without its MutatingWebhookConfiguration it is not ready', async t => {
  const cluster = await FakeCluster.create()
  t.after(() => cluster.close())
  cluster.unregister()
  const injector = await RunningInjector.start(cluster, { lookMs: NEVER })
  t.after(() => injector.close())
  assert.match(
    (await injector.get('/readyz')).text,
    /^there is no MutatingWebhookConfiguration outrigger-injector\n$/,
  )
  cluster.register()
  await injector.injector.look()
  assert.equal((await injector.get('/readyz')).status, 200)
})

test('certificates that are over: not ready, until there are others', async t => {
  const { cluster, clock, first } = await setUp(t)
  const ends = await first.metric(
    'outrigger_injector_certificate_expiry_timestamp_seconds{certificate="serving"}',
  )
  assert.equal(ends, Math.floor((clock.wall() + LIVES.serving) / 1000))
  clock.jump(381 * DAY)
  assert.equal((await first.get('/readyz')).status, 503)
  await first.injector.look()
  assert.equal((await first.get('/readyz')).status, 200)
  assert.equal(count(cluster.caBundle), 2)
})

test('the version of the cluster is asked again', async t => {
  const { cluster, clock, first } = await setUp(t)
  assert.equal((await cluster.review(first.port, POD)).audit['mode'], 'native')
  cluster.api.gitVersion = 'v1.31.0-eks-5e0fdde'
  clock.jump(600_000)
  await first.injector.look()
  assert.equal((await cluster.review(first.port, POD)).audit['mode'], 'classic')
})

test('files of somebody else: taken as they come, and neither Secret nor webhook is touched', async t => {
  const cluster = await FakeCluster.create()
  const files = await CertificateFolder.create()
  t.after(async () => {
    files.remove()
    await cluster.close()
  })
  const names = { dns: ['outrigger-injector.outrigger-system.svc'] }
  const certificate = { cert: files.file('tls.crt'), key: files.file('tls.key') }
  const injector = await RunningInjector.start(cluster, { certificate, lookMs: NEVER })
  t.after(() => injector.close())
  assert.match((await injector.get('/readyz')).text, /ENOENT/)
  await files.write('tls', names)
  cluster.caBundle = files.authority.cert
  await injector.injector.look()
  assert.equal((await injector.get('/readyz')).status, 200)
  const first = await cluster.handshake(injector.port)
  assert.ok((await cluster.review(injector.port, POD)).isPatched)
  await files.write('tls', names)
  await injector.injector.look()
  const second = await cluster.handshake(injector.port)
  assert.notEqual(second, first)
  // A key of another certificate, as between two renames: what is in use stays.
  await files.write('other', names)
  copyFileSync(files.file('other.key'), certificate.key)
  await injector.injector.look()
  assert.equal(await cluster.handshake(injector.port), second)
  assert.equal((await injector.get('/readyz')).status, 200)
  assert.equal(cluster.api.requests.filter(({ path }) => /secrets|mutating/.test(path)).length, 0)
})

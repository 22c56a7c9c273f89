// `discovery: kubernetes` against an API server that speaks the real protocol, with pods that really serve.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test, type TestContext } from 'node:test'
import { CertificateFolder } from '../harness/certificates.ts'
import { InProcess, turns } from '../harness/in-process.ts'
import { Cluster } from '../harness/pods.ts'

function config(api: string, more = '', kubernetes = 'port: http'): string {
  return `version: 1
service: test
listeners:
  - { name: in, role: inbound, address: "127.0.0.1:0", upstream: orders, retry: off, timeout: 5s }
upstreams:
  orders:
    discovery: { kubernetes: { service: orders, namespace: shop, ${kubernetes}, api: ${api} } }
    loadBalance: round-robin
${more}telemetry: { accessLog: on }
`
}

const GET = 'GET /x HTTP/1.1\r\nhost: x\r\n\r\n'

async function run(t: TestContext, yaml: string): Promise<InProcess> {
  const outrigger = await InProcess.start(yaml)
  t.after(() => outrigger.stop())
  return outrigger
}

async function who(outrigger: InProcess): Promise<string> {
  const response = await outrigger.ask(GET)
  assert.equal(response.status, 200, response.body.toString())
  return response.body.toString()
}

/** Asks on a few kept connections without a pause, until it is ended. */
function load(outrigger: InProcess): { end(): Promise<{ asked: number; lost: string[]; by: Set<string> }> } {
  const seen = { asked: 0, lost: [] as string[], by: new Set<string>() }
  const work = { over: false }
  const workers = Array.from({ length: 4 }, async () => {
    const client = await outrigger.connect()
    while (!work.over) {
      const response = await client.ask(GET)
      seen.asked++
      if (response.status === 200) seen.by.add(response.body.toString())
      else seen.lost.push(`${response.status} ${response.body.toString()}`)
    }
    client.destroy()
  })
  return {
    end: async () => {
      work.over = true
      await Promise.all(workers)
      return seen
    },
  }
}

test('pods come and go under load, in every order: no request is lost', async t => {
  const cluster = await Cluster.start(t)
  let oldest = await cluster.pod('p0')
  const outrigger = await run(t, config(cluster.api.url))
  await cluster.settled(outrigger, 'p0')
  const asking = load(outrigger)
  for (let i = 1; i <= 8; i++) {
    const next = await cluster.pod(`p${i}`, { state: 'not-ready' })
    cluster.mark(next.name, { state: 'ready' })
    await cluster.settled(outrigger, `${oldest.name} ${next.name}`)
    while (oldest.asked === 0 || next.asked === 0) await turns(1)
    if (i % 3 === 0) cluster.api.endWatches(i % 2 === 0 ? 'close' : 'cut')
    // As Kubernetes does: it terminates, and is gone when it has ended. It has time to: nobody keeps a connection to it.
    cluster.mark(oldest.name, { state: 'terminating' })
    await cluster.settled(outrigger, next.name)
    while ((await oldest.connections()) > 0) await turns(1)
    oldest.server.close()
    cluster.drop(oldest.name)
    oldest = next
  }
  const { asked, lost, by } = await asking.end()
  assert.deepEqual(lost, [])
  assert.equal(by.size, 9, [...by].join())
  t.diagnostic(`${asked} requests`)
})

test('a pod that terminates gets nothing new, and what it works on is finished', async t => {
  const cluster = await Cluster.start(t)
  const slow = await cluster.pod('slow')
  await cluster.pod('other')
  const outrigger = await run(t, config(cluster.api.url))
  await cluster.settled(outrigger, 'other slow')
  slow.holds = true
  const pending = [who(outrigger), who(outrigger)]
  await outrigger.until('it holds one', () => slow.held.length === 1)
  cluster.mark('slow', { state: 'terminating' })
  await cluster.settled(outrigger, 'other')
  for (let i = 0; i < 6; i++) assert.equal(await who(outrigger), 'other')
  // Gone from the API altogether: the request is still its own.
  cluster.drop('slow')
  slow.release()
  assert.deepEqual((await Promise.all(pending)).toSorted(), ['other', 'slow'])
})

test('all terminate: those that serve are used; nobody is left: 503, and the pod that comes then is used', async t => {
  const cluster = await Cluster.start(t)
  await cluster.pod('a')
  await cluster.pod('b')
  const outrigger = await run(t, config(cluster.api.url))
  await cluster.settled(outrigger, 'a b')
  cluster.mark('a', { state: 'terminating' })
  await cluster.settled(outrigger, 'b')
  cluster.mark('b', { state: 'terminating' })
  await cluster.settled(outrigger, 'a b')
  assert.match(await who(outrigger), /^[ab]$/)
  cluster.mark('a', { state: 'gone' })
  cluster.mark('b', { state: 'gone' })
  await cluster.settled(outrigger, '')
  const none = await outrigger.ask(GET)
  assert.equal(none.status, 503)
  assert.equal((await outrigger.accessLine(line => line.status === 503)).reason, 'no_endpoint')
  await cluster.pod('c')
  await cluster.settled(outrigger, 'c')
  assert.equal(await who(outrigger), 'c')
})

test('the API server goes away and has forgotten all when it is back: what is known serves on, then what is new', async t => {
  const cluster = await Cluster.start(t)
  await cluster.pod('old')
  await cluster.pod('stays')
  const outrigger = await run(t, config(cluster.api.url))
  await cluster.settled(outrigger, 'old stays')
  const asking = load(outrigger)
  await cluster.api.down()
  await outrigger.until('it is noticed', () =>
    outrigger.errors.some(line => line['service'] === 'orders.shop'),
  )
  cluster.mark('old', { state: 'terminating' })
  await cluster.pod('new')
  cluster.api.compact()
  await cluster.api.up()
  await cluster.settled(outrigger, 'new stays')
  const { lost } = await asking.end()
  assert.deepEqual(lost, [])
  const lines = outrigger.errors.filter(line => line['service'] === 'orders.shop').map(line => line['msg'])
  assert.equal(lines[0], 'a service cannot be watched: its last endpoints stay')
  assert.equal(lines.at(-1), 'a service is watched again')
  const metrics = await outrigger.metrics()
  assert.match(
    metrics,
    /outrigger_discovery_watch_restarts_total\{service="orders.shop",cause="expired"\} 1\n/,
  )
  assert.match(metrics, /outrigger_discovery_watching\{service="orders.shop"\} 1\n/)
  assert.match(metrics, /outrigger_discovery_slices\{service="orders.shop"\} 3\n/)
  assert.match(metrics, /outrigger_discovery_last_event_age_seconds\{service="orders.shop"\} \d/)
})

test('requests wait for the first list; one that says rubbish is an error with its cause, until it does not', async t => {
  const cluster = await Cluster.start(t)
  await cluster.pod('a')
  let release = (): void => {}
  cluster.api.intercept = (_request, response) => {
    cluster.api.intercept = () => false
    release = () => response.end('{"kind":"List","metadata":{"resourceVersion":"1"},"items":[]}')
    return true
  }
  const outrigger = await run(t, config(cluster.api.url))
  const early = outrigger.ask(GET)
  await outrigger.until(
    'it waits',
    () => outrigger.service.holder.current.snapshot.upstreams.get('orders')?.load.waiting.length === 1,
  )
  release()
  // Nothing was there then; the watch behind version 1 is too old, and all is listed anew.
  assert.equal((await early).status, 503)
  await cluster.settled(outrigger, 'a')
  assert.equal(await who(outrigger), 'a')

  const other = await Cluster.start(t)
  other.api.mode = 'garbage'
  const second = await run(t, config(other.api.url))
  await other.pod('b')
  assert.equal((await second.ask(GET)).status, 503)
  const line = await second.accessLine(one => one.status === 503)
  assert.equal(line.reason, 'upstream_unresolved')
  assert.equal(line['cause'], 'kubernetes orders.shop:http: the answer is no JSON')
  other.api.mode = 'up'
  await other.settled(second, 'b')
})

test('TLS and tokens: a renewed one is taken with the next watch, without a change of endpoints', async t => {
  const certificates = await CertificateFolder.create()
  t.after(() => certificates.remove())
  const tls = await certificates.issue({ addresses: ['127.0.0.1'] })
  const cluster = await Cluster.start(t, { tls, tokens: ['one'] })
  await cluster.pod('a')
  const token = certificates.file('token')
  writeFileSync(token, 'one')
  const outrigger = await run(
    t,
    config(`{ url: "${cluster.api.url}", ca: "${certificates.ca}", token: "${token}" }`),
  )
  await cluster.settled(outrigger, 'a')
  const asking = load(outrigger)
  writeFileSync(token, 'two')
  cluster.api.tokens.clear()
  cluster.api.tokens.add('two')
  cluster.api.endWatches()
  await cluster.pod('b')
  await cluster.settled(outrigger, 'a b')
  assert.equal(cluster.api.requests.at(-1)?.token, 'two')
  // One that nobody knows: what is known stays.
  writeFileSync(token, 'three')
  cluster.api.endWatches()
  await outrigger.until('it is refused', () =>
    outrigger.errors.some(line => line['why'] === '401 Unauthorized'),
  )
  assert.deepEqual((await asking.end()).lost, [])
})

test('an encrypted pod proves to be the Service', async t => {
  const certificates = await CertificateFolder.create()
  t.after(() => certificates.remove())
  const cluster = await Cluster.start(t)
  await cluster.pod('a', {}, await certificates.issue({ dns: ['orders.shop.svc'] }))
  const tls = `    tls: { ca: "${certificates.ca}" }\n`
  const outrigger = await run(t, config(cluster.api.url, tls))
  assert.equal(await who(outrigger), 'a')
  cluster.drop('a')
  await cluster.pod('b', {}, await certificates.issue({ dns: ['users.shop.svc'] }))
  await cluster.settled(outrigger, 'b')
  assert.equal((await outrigger.ask(GET)).status, 502)
})

test('upstreams and generations that name one Service share one watch; the last one ends it', async t => {
  const cluster = await Cluster.start(t)
  await cluster.pod('near', { zone: 'a' })
  await cluster.pod('far', { zone: 'b' })
  const other = `  local:
    discovery: { kubernetes: { service: orders, namespace: shop, port: http, api: "${cluster.api.url}" } }
    loadBalance: { policy: round-robin, zone: a }
`
  const yaml = config(cluster.api.url, other).replace(
    'upstream: orders, ',
    'routes: [{ name: local, match: { path: /local }, upstream: local }, { name: all, upstream: orders }], ',
  )
  const outrigger = await run(t, yaml)
  await cluster.settled(outrigger, 'far near')
  for (let i = 0; i < 4; i++)
    assert.equal((await outrigger.ask(GET.replace('/x', '/local/x'))).body.toString(), 'near')
  const lists = (): number => cluster.api.requests.filter(({ query }) => query['watch'] === undefined).length
  assert.equal(lists(), 1)
  assert.equal(cluster.api.watches, 1)
  await outrigger.apply(yaml.replace('timeout: 5s', 'timeout: 6s'))
  assert.equal(await who(outrigger).then(name => /near|far/.test(name)), true)
  assert.equal(lists(), 1)
  assert.equal(cluster.api.watches, 1)
  await outrigger.apply(yaml.replaceAll(/discovery: .*/g, `url: "http://127.0.0.1:1"`))
  await outrigger.until('the watch ends', () => cluster.api.watches === 0)
})

test('a port that no pod has is said, with those there are', async t => {
  const cluster = await Cluster.start(t)
  await cluster.pod('a')
  const outrigger = await run(t, config(cluster.api.url, '', 'port: web'))
  assert.equal((await outrigger.ask(GET)).status, 503)
  const line = await outrigger.accessLine(one => one.status === 503)
  assert.match(String(line['cause']), /no port is called `web`: its ports are http, metrics$/)
})

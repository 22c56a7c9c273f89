// The admission webhook asked for what it cannot answer: what is no review, too much, too slow, and what it does not know.
import assert from 'node:assert/strict'
import https from 'node:https'
import { connect, type TLSSocket } from 'node:tls'
import { after, before, describe, test } from 'node:test'
import { FakeCluster, reviewOf } from '../harness/fake-cluster.ts'
import { eventually, podOf, RunningInjector } from '../harness/running-injector.ts'

const UID = '705ab4f5-6393-11e8-b7cc-42010a800002'

describe('what is no review', () => {
  let cluster: FakeCluster
  let running: RunningInjector
  before(async () => {
    cluster = await FakeCluster.create()
    running = await RunningInjector.start(cluster, { bounds: { headMs: 500, requestMs: 1_000 } })
  })
  after(async () => {
    await running.close()
    await cluster.close()
  })

  const good = JSON.stringify(reviewOf(podOf()))
  const deep = (depth: number): string =>
    good.replace('"spec":{', `"spec":{"x":${'['.repeat(depth)}${']'.repeat(depth)},`)

  for (const [what, ask, status, reason] of [
    ['no JSON', { body: '{"kind":' }, 400, 'malformed'],
    ['nothing', { body: '' }, 400, 'malformed'],
    ['a list', { body: '[]' }, 400, 'malformed'],
    ['null', { body: 'null' }, 400, 'malformed'],
    ['no UTF-8', { body: Buffer.from([0x7b, 0xff, 0x7d]) }, 400, 'malformed'],
    ['another object', { body: '{"kind":"Pod","apiVersion":"v1"}' }, 400, 'malformed'],
    ['no request', { body: good.replace('"request":', '"response":') }, 400, 'malformed'],
    ['no uid', { body: good.replace(UID, '') }, 400, 'malformed'],
    ['a uid that is no text', { body: good.replace(`"${UID}"`, '{}') }, 400, 'malformed'],
    [
      'no kind',
      { body: good.replace('"kind":"Pod","', '"kind":7,"').replace('"kind":"Pod"}', '"x":1}') },
      400,
      'malformed',
    ],
    ['an older version', { body: good.replace('k8s.io/v1"', 'k8s.io/v1beta1"') }, 400, 'unsupported_version'],
    ['deeper than any pod', { body: deep(500) }, 400, 'too_deep'],
    ['deeper than any stack', { body: deep(1_000_000) }, 400, 'too_deep'],
    ['another method', { method: 'PUT', body: good }, 405, 'wrong_method'],
    ['GET', { method: 'GET' }, 405, 'wrong_method'],
    ['another path', { path: '/mutate', body: good }, 404, 'no_such_path'],
    ['another type', { headers: { 'content-type': 'application/yaml' }, body: good }, 415, 'wrong_type'],
    ['compressed', { headers: { 'content-encoding': 'gzip' }, body: good }, 415, 'wrong_type'],
    ['too much, and it says so', { body: ' '.repeat(5_000_000) }, 413, 'too_large'],
    [
      'too much, and it does not say so',
      { headers: { 'transfer-encoding': 'chunked' }, body: ' '.repeat(5_000_000) },
      413,
      'too_large',
    ],
  ] as const) {
    test(`${what}: ${status} ${reason}`, async () => {
      const answer = await cluster.ask(running.port, ask)
      assert.equal(answer.status, status, JSON.stringify(answer.body).slice(0, 300))
      assert.equal((answer.body as { reason: string }).reason, reason)
      assert.match(
        (await running.get('/metrics')).text,
        new RegExp(`refused_total\\{reason="${reason}"\\} [1-9]`),
      )
    })
  }

  test('a large pod is none of these', async () => {
    const env = Array.from({ length: 30_000 }, (_, index) => ({ name: `V${index}`, value: 'x'.repeat(50) }))
    const pod = podOf({
      spec: { containers: [{ name: 'orders', env, ports: [{ name: 'http', containerPort: 80 }] }] },
    })
    const { isPatched, object } = await cluster.review(running.port, pod)
    assert.ok(isPatched)
    assert.ok(JSON.stringify(object).length > 2_000_000)
  })

  test('one that comes too slowly is cut, and others are answered meanwhile', async () => {
    const socket = connect({ host: '127.0.0.1', port: running.port, rejectUnauthorized: false })
    let text = ''
    socket.on('error', () => {})
    socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk))
    const closed = new Promise(resolve => socket.once('close', resolve))
    socket.write(
      'POST /inject HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"kind"',
    )
    const drip = setInterval(() => socket.write(' '), 50)
    assert.ok((await cluster.review(running.port, podOf())).allowed)
    await closed
    clearInterval(drip)
    assert.match(text, /^HTTP\/1\.1 408 /)
  })

  test('who goes away in the middle harms nobody', async () => {
    for (let round = 0; round < 5; round++) {
      const socket = connect({ host: '127.0.0.1', port: running.port, rejectUnauthorized: false })
      socket.on('error', () => {})
      await new Promise<void>(resolve => socket.once('secureConnect', resolve))
      socket.write(
        'POST /inject HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{',
        () => socket.destroy(),
      )
      await new Promise(resolve => socket.once('close', resolve))
    }
    assert.ok((await cluster.review(running.port, podOf())).allowed)
  })

  test('many large ones at one time are bounded', async t => {
    const small = await RunningInjector.start(cluster, { bounds: { maxBodies: 2_950_000 } })
    t.after(() => small.close())
    const body = good.replace('"request":{', `"request":{"pad":"${'x'.repeat(1_400_000)}",`)
    const answers = await Promise.all(Array.from({ length: 12 }, () => cluster.ask(small.port, { body })))
    const statuses = answers.map(({ status }) => status)
    assert.ok(statuses.every(status => status === 200 || status === 503))
    assert.equal((await cluster.ask(small.port, { body })).status, 200, 'and the bound is free again')
    // Two that do not end leave no room for a third, but for those of usual size.
    const held = await Promise.all([1, 2].map(() => holdOpen(small.port, 1_480_000)))
    await eventually(async () => (await cluster.ask(small.port, { body })).status === 503)
    assert.ok((await cluster.review(small.port, podOf())).isPatched)
    for (const socket of held) socket.destroy()
    await eventually(async () => (await cluster.ask(small.port, { body })).status === 200)
  })

  test('the admin port has health, metrics, and nothing else', async () => {
    assert.deepEqual(await running.get('/healthz'), { status: 200, text: 'ok\n' })
    assert.deepEqual(await running.get('/readyz'), { status: 200, text: 'ready\n' })
    assert.equal((await running.get('/inject')).status, 404)
    assert.equal((await running.get('/metrics', 'POST')).status, 405)
    const { text } = await running.get('/metrics')
    assert.match(text, /^outrigger_injector_ready 1$/m)
    assert.match(text, /^outrigger_injector_pods_total\{result="injected",reason="native"\} [1-9]/m)
    assert.match(text, /^outrigger_injector_duration_seconds_count [1-9]/m)
  })
})

describe('where it cannot be decided, there is an error for the failurePolicy', () => {
  test('labels that are not known; those of a moment ago are', async t => {
    const cluster = await FakeCluster.create()
    const injector = await RunningInjector.start(cluster)
    t.after(async () => {
      await injector.close()
      await cluster.close()
    })
    const missing = await cluster.ask(injector.port, {
      body: JSON.stringify(reviewOf(podOf(), { namespace: 'nosuch' })),
    })
    assert.deepEqual([missing.status, (missing.body as { reason: string }).reason], [503, 'not_known'])
    const odd = await cluster.ask(injector.port, {
      body: JSON.stringify(reviewOf(podOf(), { namespace: '../secrets/x' })),
    })
    assert.equal(odd.status, 503)
    assert.ok(!cluster.api.requests.some(({ path }) => path.includes('secrets/x')))
    assert.ok((await cluster.review(injector.port, podOf())).isPatched)
    cluster.api.mode = 'failing'
    const more = await cluster.ask(injector.port, {
      body: JSON.stringify(reviewOf(podOf(), { namespace: 'default' })),
    })
    assert.equal(more.status, 503)
    assert.ok((await cluster.review(injector.port, podOf())).isPatched, 'what was known is used')
    cluster.api.mode = 'up'
    assert.equal(
      (await cluster.review(injector.port, podOf(), { namespace: 'default' })).audit['reason'],
      'not_selected',
    )
  })

  test('events that fail, and a Service list that is silent, cost the pod nothing', async t => {
    const cluster = await FakeCluster.create()
    const injector = await RunningInjector.start(cluster)
    t.after(async () => {
      await injector.close()
      await cluster.close()
    })
    cluster.api.intercept = ({ path }, response) => {
      if (path.endsWith('/events')) response.writeHead(403).end('{}')
      return path.endsWith('/events') || path.endsWith('/services')
    }
    assert.ok((await cluster.review(injector.port, podOf())).isPatched)
    await eventually(async () =>
      /events_total\{result="failed"\} 1/.test((await injector.get('/metrics')).text),
    )
  })

  test('a flood of different events is bounded', async t => {
    const cluster = await FakeCluster.create()
    const injector = await RunningInjector.start(cluster)
    const agent = new https.Agent({ keepAlive: true })
    t.after(async () => {
      agent.destroy()
      await injector.close()
      await cluster.close()
    })
    for (let number = 0; number < 120; number++) {
      const pod = podOf()
      const [owner] = pod.metadata.ownerReferences
      if (owner !== undefined) owner.uid = `u-${number}`
      await cluster.review(injector.port, pod, {}, agent)
    }
    const { text } = await injector.get('/metrics')
    const dropped = Number(/events_total\{result="dropped"\} (\d+)/.exec(text)?.[1] ?? 0)
    assert.ok(dropped > 20, `${dropped} dropped`)
    await eventually(() => cluster.events.length + dropped === 120)
  })
})

/** Sends so many bytes of a longer review, and no more. */
async function holdOpen(port: number, bytes: number): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false })
  socket.on('error', () => {})
  await new Promise<void>(resolve => socket.once('secureConnect', resolve))
  const head = `POST /inject HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${bytes + 9}\r\n\r\n`
  await new Promise<void>(resolve => socket.write(head + ' '.repeat(bytes), () => resolve()))
  return socket
}

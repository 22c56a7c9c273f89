// The admission webhook over real TLS, asked as the API server asks: what it answers to reviews, and to all else.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import https from 'node:https'
import { connect, type TLSSocket } from 'node:tls'
import { after, before, describe, test } from 'node:test'
import { parse } from 'yaml'
import { mutate } from '../../injector/mutate.ts'
import { readSettings } from '../../injector/settings.ts'
import { FakeCluster, readResponse, reviewOf } from '../harness/fake-cluster.ts'
import { eventually, injectorSettings, RunningInjector } from '../harness/running-injector.ts'

const UID = '705ab4f5-6393-11e8-b7cc-42010a800002'
const CASES = new URL('../golden/injector/cases/', import.meta.url)

/** A pod as a ReplicaSet makes it: without a name, and without a namespace. */
function podOf(more: { labels?: object; annotations?: object; spec?: object } = {}) {
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

describe('reviews', () => {
  let cluster: FakeCluster
  let running: RunningInjector
  before(async () => {
    cluster = await FakeCluster.create()
    running = await RunningInjector.start(cluster)
  })
  after(async () => {
    await running.close()
    await cluster.close()
  })

  test('a pod of a namespace that says so gets the sidecar, and its owner an event', async () => {
    const pod = podOf()
    const { uid, allowed, object, audit, warnings } = await cluster.review(running.port, pod)
    assert.equal(uid, UID)
    assert.ok(allowed)
    const { pod: wanted, report } = mutate(
      pod,
      injectorSettings({
        kubernetesVersion: 'v1.32.4',
        namespace: { name: 'shop', labels: { 'outrigger.dev/inject': 'enabled' } },
      }),
    )
    assert.deepEqual(object, JSON.parse(JSON.stringify(wanted)))
    assert.deepEqual(audit, { outcome: 'injected', mode: 'native' })
    assert.deepEqual(
      warnings,
      report.notes.map(note => `outrigger: ${note}`),
    )
    await eventually(() => cluster.events.length > 0)
    const [event] = cluster.events
    assert.deepEqual(event?.['regarding'], {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      namespace: 'shop',
      name: 'orders-7d4f8',
      uid: 'u-1',
    })
    assert.equal(event['reason'], 'Injected')
    assert.match(String(event['note']), /port 8080 passes the sidecar/)
    assert.match(String(event['eventTime']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
  })

  test('the same again is no other event; a dry run is none', async () => {
    const before = cluster.events.length
    await cluster.review(running.port, podOf())
    const dry = await cluster.review(
      running.port,
      podOf({ annotations: { 'outrigger.dev/app-port': '1' } }),
      {
        dryRun: true,
      },
    )
    assert.ok(dry.isPatched)
    // An event that is another one comes after whatever the two would have sent.
    await cluster.review(running.port, podOf({ spec: { hostNetwork: true } }))
    await eventually(() => cluster.events.length > before)
    assert.deepEqual(
      cluster.events.slice(before).map(({ reason, note }) => [reason, String(note).split(':')[0]]),
      [['InjectionSkipped', 'host_network']],
    )
  })

  test('a pod that is injected already, and what the pod itself says', async () => {
    const first = await cluster.review(running.port, podOf())
    const again = await cluster.review(running.port, first.object)
    assert.ok(!again.isPatched)
    assert.deepEqual([again.audit, again.warnings], [{ outcome: 'skipped', reason: 'already_injected' }, []])
    const not = podOf({ labels: { 'outrigger.dev/inject': 'disabled' } })
    assert.equal((await cluster.review(running.port, not)).audit['reason'], 'disabled')
    const elsewhere = { namespace: 'default' }
    assert.equal((await cluster.review(running.port, podOf(), elsewhere)).audit['reason'], 'not_selected')
    const itself = podOf({ labels: { 'outrigger.dev/inject': 'enabled' } })
    assert.ok((await cluster.review(running.port, itself, elsewhere)).isPatched)
  })

  test('its own namespace and those of the cluster are never changed', async () => {
    for (const namespace of ['outrigger-system', 'kube-system']) {
      cluster.namespace(namespace, { 'outrigger.dev/inject': 'enabled' })
      const { audit, isPatched } = await cluster.review(running.port, podOf(), { namespace })
      assert.ok(!isPatched)
      assert.equal(audit['reason'], 'ignored_namespace')
    }
  })

  test('a reason that the user did not give is a warning, in words that a header can carry', async () => {
    const { warnings, isPatched } = await cluster.review(
      running.port,
      podOf({ annotations: { 'outrigger.dev/nosuch\n\u{1F6A3}': 'x' } }),
    )
    assert.ok(!isPatched)
    assert.equal(warnings.length, 1)
    assert.match(warnings[0] ?? '', /^outrigger: not injected, invalid_annotation: [\x20-\x7e]+$/)
  })

  test('a Service that passes the sidecar by is a warning', async () => {
    cluster.api.put('/api/v1/namespaces/past/services/orders', {
      metadata: { name: 'orders', namespace: 'past' },
      spec: {
        selector: { app: 'orders' },
        ports: [
          { port: 80, targetPort: 8080 },
          { port: 81, targetPort: 'http' },
        ],
      },
    })
    cluster.api.put('/api/v1/namespaces/past/services/other', {
      metadata: { name: 'other', namespace: 'past' },
      spec: { selector: { app: 'other' }, ports: [{ port: 80, targetPort: 8080 }] },
    })
    cluster.namespace('past', { 'outrigger.dev/inject': 'enabled' })
    const { warnings } = await cluster.review(running.port, podOf(), { namespace: 'past' })
    const about = warnings.filter(warning => warning.includes('Service/'))
    assert.deepEqual(about, [
      'outrigger: Service/orders port 80: does not pass, 8080 reaches the pod directly, past the sidecar',
    ])
  })

  test('what is no new pod passes unchanged', async () => {
    for (const more of [
      { kind: { group: 'apps', version: 'v1', kind: 'Deployment' } },
      { kind: { group: 'metrics.example', version: 'v1', kind: 'Pod' } },
      { operation: 'UPDATE' },
      { operation: 'DELETE', object: null },
      { subResource: 'ephemeralcontainers', operation: 'UPDATE' },
    ]) {
      const { allowed, isPatched, audit } = await cluster.review(running.port, podOf(), more)
      assert.ok(allowed && !isPatched, JSON.stringify(more))
      assert.deepEqual(audit, { reason: 'not_a_new_pod' })
    }
    const odd = await cluster.review(running.port, { metadata: {}, spec: { containers: 'none' } })
    assert.ok(odd.allowed && !odd.isPatched)
    assert.equal(odd.audit['reason'], 'not_a_pod')
  })

  test('keys of a pointer, keys of objects by birth, and nothing of them reaches other objects', async () => {
    const text = JSON.stringify(
      reviewOf(podOf({ annotations: { 'a/b~c': 'x', 'outrigger.dev/app-port': '3000' } })),
    ).replace('"a/b~c":"x"', '"a/b~c":"x","~1":"y","":"z"')
    const nasty = text
      .replace(
        '"spec":{',
        '"spec":{"__proto__":{"hostNetwork":true,"polluted":1},"constructor":{"prototype":{"polluted":1}},',
      )
      .replace('"object":{', '"__proto__":{"dryRun":true,"polluted":1},"object":{')
    const sent = (JSON.parse(nasty) as { request: { object: unknown } }).request.object
    const { status, body } = await cluster.ask(running.port, { body: nasty })
    assert.equal(status, 200)
    const { object, isPatched } = readResponse(body, sent)
    assert.ok(isPatched)
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined)
    // All that was sent is there, under its own name.
    const spec = Reflect.get(object as object, 'spec') as object
    assert.ok(Object.hasOwn(spec, '__proto__') && Object.hasOwn(spec, 'constructor'))
    const annotations = Reflect.get(
      Reflect.get(object as object, 'metadata') as object,
      'annotations',
    ) as object
    for (const key of ['a/b~c', '~1', '']) assert.ok(Object.hasOwn(annotations, key), key)
  })

  test('an annotation and a label called __proto__ are kept', async () => {
    const text = JSON.stringify(reviewOf(podOf()))
      .replace('"annotations":{', '"annotations":{"__proto__":"a","constructor":"b"')
      .replace('"app":"orders"', '"app":"orders","__proto__":"c"')
    const sent = (JSON.parse(text) as { request: { object: unknown } }).request.object
    const { body } = await cluster.ask(running.port, { body: text })
    const { object } = readResponse(body, sent)
    const metadata = Reflect.get(object as object, 'metadata') as Record<string, object>
    for (const place of ['annotations', 'labels'])
      assert.ok(Object.hasOwn(metadata[place] ?? {}, '__proto__'), place)
  })
})

describe('the golden cases of the injector', () => {
  test('each, sent through the webhook, is what the pure function says', async t => {
    const cluster = await FakeCluster.create()
    t.after(() => cluster.close())
    const agent = new https.Agent({ keepAlive: true })
    t.after(() => agent.destroy())
    let injected = 0
    const names = readdirSync(CASES).filter(name => name.endsWith('.yaml'))
    for (const name of names) {
      const { settings: given, pod } = parse(readFileSync(new URL(name, CASES), 'utf8')) as Record<
        string,
        unknown
      >
      const settings = readSettings(given)
      assert.ok(typeof settings !== 'string')
      // What the API server knows goes before the settings: so it knows what the case says.
      const namespace = settings.namespace.name ?? 'default'
      cluster.namespace(namespace, settings.namespace.labels)
      const injector = await RunningInjector.start(cluster, {
        settings,
        kubernetesVersion: settings.kubernetesVersion,
        namespace: settings.ownNamespace,
      })
      try {
        const sent: unknown = JSON.parse(JSON.stringify(pod))
        const { object, audit, isPatched } = await cluster.review(injector.port, sent, { namespace })
        const wanted = mutate(sent, { ...settings, namespace: { ...settings.namespace, name: namespace } })
        assert.deepEqual(object, JSON.parse(JSON.stringify(wanted.pod)), name)
        assert.equal(audit['reason'] ?? null, wanted.report.reason, name)
        assert.equal(isPatched, wanted.report.outcome === 'injected', name)
        if (isPatched) injected++
      } finally {
        await injector.close()
      }
    }
    assert.ok(names.length >= 60 && injected > 30, `${injected} of ${names.length}`)
  })
})

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
    const held = await Promise.all([1, 2].map(() => holdOpen(small.port, 1_450_000)))
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

// The admission webhook over real TLS, asked as the API server asks: what it answers to reviews, and to all else.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import https from 'node:https'
import { after, before, describe, test } from 'node:test'
import { parse } from 'yaml'
import { mutate } from '../../injector/mutate.ts'
import { readSettings } from '../../injector/settings.ts'
import { FakeCluster, readResponse, reviewOf } from '../harness/fake-cluster.ts'
import { eventually, injectorSettings, podOf, RunningInjector } from '../harness/running-injector.ts'

const UID = '705ab4f5-6393-11e8-b7cc-42010a800002'
const CASES = new URL('../golden/injector/cases/', import.meta.url)

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

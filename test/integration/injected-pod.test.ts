import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { mutate } from '../../injector/mutate.ts'
import { readPod } from '../../injector/pod.ts'
import { readSettings } from '../../injector/settings.ts'
import { HttpUpstream, seenBy } from '../harness/http-upstream.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { RawClient } from '../harness/raw-client.ts'

// What a pod becomes, run without a cluster: the app, and the sidecar with what the pod mounts.

const KEY = 'a-key-that-only-partners-have-0123456789'

/** What a ConfigMap brings: everybody needs a key. */
const POLICIES = `version: 1
authentication:
  apiKey:
    clients: { header: x-api-key }
consumers:
  - { name: partner, apiKeys: { sha256: ${createHash('sha256').update(KEY).digest('hex')} } }
defaults:
  authenticate: { apiKey: clients }
`

describe('an injected pod', () => {
  let app: HttpUpstream
  let users: HttpUpstream
  let outrigger: Outrigger
  let pod: NonNullable<Exclude<ReturnType<typeof readPod>, string>>

  before(async () => {
    app = await HttpUpstream.listen()
    users = await HttpUpstream.listen()
    const settings = readSettings({ image: 'outrigger:1', inject: 'enabled', configMap: 'policies' })
    assert.ok(typeof settings !== 'string')
    const given = {
      metadata: {
        annotations: {
          'outrigger.dev/app-port': `8080=${app.port}`,
          'outrigger.dev/upstreams': `users=http://localhost:${users.port}`,
        },
      },
      spec: {
        terminationGracePeriodSeconds: 10,
        containers: [
          {
            name: 'orders',
            ports: [{ containerPort: 8080 }, { name: 'admin', containerPort: app.port + 1 }],
            readinessProbe: { httpGet: { path: '/ready?full=1', port: 8080 } },
          },
        ],
      },
    }
    const { pod: changed, report } = mutate(given, settings)
    assert.equal(report.outcome, 'injected', report.detail)
    const read = readPod(changed)
    assert.ok(typeof read !== 'string')
    pod = read
    const text = pod.metadata?.annotations?.['outrigger.dev/generated-config'] ?? ''
    // Only the numbers of ports are others: the machine of the test has its own.
    const here = text.replaceAll(/(address|probes): (?:127\.0\.0\.1)?:\d+/g, '$1: 127.0.0.1:0')
    outrigger = await Outrigger.start(here, { files: { 'policies.yaml': POLICIES } })
  })
  after(async () => {
    await outrigger.stop('SIGKILL')
    await Promise.all([app.close(), users.close()])
  })

  async function ask(
    listener: string,
    target: string,
    header = '',
  ): Promise<{ status: number; body: string }> {
    const client = await RawClient.connect(outrigger.port(listener))
    const { status, body } = await client.ask(`GET ${target} HTTP/1.1\r\nHost: orders\r\n${header}\r\n`)
    client.destroy()
    return { status, body: body.toString() }
  }

  test('every declared port asks for the key, and passes with it', async () => {
    for (const listener of ['in-8080', `in-${app.port + 1}`])
      assert.equal((await ask(listener, '/ready')).status, 401, listener)
    const passed = await ask('in-8080', '/orders/1', `x-api-key: ${KEY}\r\n`)
    assert.equal(passed.status, 200)
    assert.equal(seenBy(passed.body).target, '/orders/1')
  })

  test('the kubelet needs no key, and no other path of that listener leads anywhere', async () => {
    const probe = pod.spec.containers[0]?.readinessProbe?.httpGet
    assert.deepEqual(probe, { path: '/orders/readiness?full=1', port: 9903 })
    const ready = await ask('app-probes', probe.path ?? '')
    assert.equal(ready.status, 200)
    assert.equal(seenBy(ready.body).target, '/ready?full=1')
    for (const target of [
      '/ready',
      '/',
      '/orders/readiness/x',
      '/orders/readiness/../../admin',
      '/orders/liveness',
    ])
      assert.notEqual((await ask('app-probes', target)).status, 200, target)
  })

  test('its own calls need no key', async () => {
    const { status, body } = await ask('to-users', '/users/7')
    assert.equal(status, 200)
    assert.equal(seenBy(body).target, '/users/7')
  })
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Outrigger } from '../harness/outrigger.ts'
import { askOnce } from '../harness/raw-client.ts'
import { RawUpstream, RecordingSink } from '../harness/raw-upstream.ts'

test('idle upstream connections do not keep a stopped process', async () => {
  // It never closes a connection by itself.
  const sink = await RecordingSink.listen()
  const outrigger = await Outrigger.start(`version: 1
service: stop
admin: { address: "127.0.0.1:0" }
upstreams: { app: { url: "http://127.0.0.1:${sink.port}", connection: { keepAlive: 60s } } }
listeners:
  - { name: in, role: inbound, address: "127.0.0.1:0", upstream: app }
`)
  try {
    const response = await askOnce(
      outrigger.port('in'),
      'GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n',
    )
    assert.equal(response.status, 200)
    const stopped = performance.now()
    // One that hangs is killed by the harness after 15 s.
    assert.deepEqual(await outrigger.stop('SIGINT'), { code: 0, signal: null })
    assert.ok(performance.now() - stopped < 10_000)
  } finally {
    await outrigger.stop('SIGKILL')
    await sink.close()
  }
})

test('nor does a mirror that is silent', async () => {
  const app = await RecordingSink.listen()
  const shadow = await RawUpstream.listen()
  const outrigger = await Outrigger.start(`version: 1
service: stop
admin: { address: "127.0.0.1:0" }
upstreams:
  app: { url: "http://127.0.0.1:${app.port}" }
  shadow: { url: "http://127.0.0.1:${shadow.port}" }
listeners:
  - { name: in, role: inbound, address: "127.0.0.1:0", upstream: app, mirror: shadow }
`)
  try {
    const request = 'GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n'
    assert.equal((await askOnce(outrigger.port('in'), request)).status, 200)
    await (await shadow.accept()).readUntil('\r\n\r\n')
    const stopped = performance.now()
    assert.deepEqual(await outrigger.stop('SIGINT'), { code: 0, signal: null })
    assert.ok(performance.now() - stopped < 10_000)
  } finally {
    await outrigger.stop('SIGKILL')
    await app.close()
    await shadow.close()
  }
})

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { HttpUpstream } from '../../../test/harness/http-upstream.ts'
import { Http2Upstream } from '../../../test/harness/http2-upstream.ts'
import { watchLeaks } from '../../../test/harness/leaks.ts'
import { RawH2Server } from '../../../test/harness/raw-h2-server.ts'
import { SteppedClock } from '../../../test/harness/stepped-clock.ts'
import { checkBench, nextCheck, until } from '../check-fixture.ts'

let checkLeaks: () => Promise<void>
before(() => {
  checkLeaks = watchLeaks()
})
after(() => checkLeaks())

test('asks over HTTP/2, on a session of its own that ends with the answer', async t => {
  const on = checkBench(t, new SteppedClock())
  const asked: string[] = []
  let status = 200
  const app = await Http2Upstream.listen((stream, headers) => {
    asked.push(`${headers[':method']} ${headers[':authority']}${headers[':path']}`)
    stream.respond({ ':status': status })
    stream.end('x'.repeat(1000))
  })
  t.after(() => app.close())
  const health = on.check(app.port, { unhealthyAfter: 1, healthyAfter: 1 }, 'http2')
  for (const [answer, fault] of [
    [200, ''],
    [204, ''],
    [503, 'status 503'],
    [200, ''],
  ] as const) {
    status = answer
    await nextCheck(on, health)
    assert.equal(health.fault, fault)
  }
  assert.deepEqual(new Set(asked), new Set(['GET app.example/healthz']))
  assert.equal(app.opened, 4)
  await until('no session', () => app.sessions.size === 0)
})

test('what does not answer in HTTP/2 is not well, and says why', async t => {
  const on = checkBench(t, new SteppedClock())
  const faults: string[] = []
  const old = await HttpUpstream.listen()
  t.after(() => old.close())
  const silent = await RawH2Server.listen({ settings: null, mute: true })
  t.after(() => silent.close())
  const breaking = await RawH2Server.listen({ onRequest: peer => peer.socket.destroy() })
  t.after(() => breaking.close())
  const wrong = await RawH2Server.listen({ onRequest: (peer, stream) => peer.head(stream, ['x', 'y'], true) })
  t.after(() => wrong.close())
  for (const { port } of [old, breaking, wrong]) {
    const health = on.check(port, {}, 'http2')
    await nextCheck(on, health)
    faults.push(health.fault)
    assert.equal(health.healthy, false)
    health.close()
  }
  assert.match(faults[0] ?? '', /^bad response: no HTTP\/2/)
  assert.match(faults[1] ?? '', /closed|ECONNRESET|ended/)
  assert.match(faults[2] ?? '', /^bad response: .*:status/)
  const health = on.check(silent.port, {}, 'http2')
  const before = health.checkedAt
  while (on.slots.running === 0) on.clock.step(100)
  on.clock.step(1100)
  await until('the timeout', () => health.checkedAt !== before)
  assert.equal(health.fault, 'timeout after 1s')
})

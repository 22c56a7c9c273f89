import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { routeTo } from '../harness/configs.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { RawClient } from '../harness/raw-client.ts'
import { SlowService, SteadyLoad } from './steady-load.ts'

const ADMIN = 'admin: { address: 127.0.0.1:0 }\n'

// Each mostly waits for the notice of five seconds.
describe('the end of a process', { concurrency: true }, () => {
  test('SIGTERM under 500 requests a second: none fails, those under way end, and the exit code is 0', async () => {
    // Most answers come soon, one of fifty after two seconds.
    let count = 0
    const service = await SlowService.listen(() => (++count % 50 === 0 ? 2000 : 5))
    const outrigger = await Outrigger.start(routeTo(service.port) + ADMIN + 'drain: { timeout: 15s }\n')
    const load = new SteadyLoad(outrigger.port('in'), 500, { sockets: 200 })
    try {
      await pause(1500)
      const begun = performance.now()
      outrigger.signal('SIGTERM')
      // A load balancer that never hears of it: it sends until it is refused.
      while (!load.refusing && performance.now() - begun < 10_000) await pause(20)
      const closed = performance.now() - begun
      const outcome = await load.stop()
      const exit = await outrigger.exit()
      const ended = performance.now() - begun
      assert.deepEqual(outcome.failed, {}, JSON.stringify(outcome))
      assert.ok(outcome.ok > 2500, JSON.stringify(outcome))
      // The notice is given, and the end comes with the last answer and not with the deadline.
      assert.ok(closed > 4900 && closed < 9000, `listeners closed after ${closed} ms`)
      assert.ok(ended < closed + 6000, `ended after ${ended} ms`)
      assert.deepEqual(exit, { code: 0, signal: null })
      assert.match(outrigger.stderr, /"stopped".*"cut":0/)
    } finally {
      await load.stop()
      await outrigger.stop('SIGKILL')
      await service.close()
    }
  })

  test('what is under way at the deadline is cut, and the exit code says so', async () => {
    const service = await SlowService.listen(() => 30_000)
    const outrigger = await Outrigger.start(routeTo(service.port) + ADMIN + 'drain: { timeout: 1s }\n')
    const load = new SteadyLoad(outrigger.port('in'), 20)
    try {
      await pause(300)
      const begun = performance.now()
      outrigger.signal('SIGTERM')
      const exit = await outrigger.exit()
      assert.ok(performance.now() - begun < 5000)
      assert.deepEqual(exit, { code: 4, signal: null })
    } finally {
      await load.stop()
      await outrigger.stop('SIGKILL')
      await service.close()
    }
  })

  test('a connection that was accepted just before the listener closed has its first request answered', async () => {
    const service = await SlowService.listen(() => 1)
    const outrigger = await Outrigger.start(routeTo(service.port) + ADMIN + 'drain: { timeout: 15s }\n')
    try {
      const kept = await RawClient.connect(outrigger.port('in'))
      await kept.ask('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
      const young = await RawClient.connect(outrigger.port('in'))
      outrigger.signal('SIGTERM')
      // The kept connection is closed when the listener is.
      await kept.readToEnd(8000)
      const answer = await young.ask('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
      assert.equal(answer.status, 200)
      assert.equal(answer.headers['connection'], 'close')
      assert.equal(await young.readToEnd(), '')
      young.destroy()
      kept.destroy()
      assert.equal((await outrigger.exit()).code, 0)
    } finally {
      await outrigger.stop('SIGKILL')
      await service.close()
    }
  })
})

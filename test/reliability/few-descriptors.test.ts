import assert from 'node:assert/strict'
import { test } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { askOnce, RawClient } from '../harness/raw-client.ts'
import { SlowService } from './steady-load.ts'

const GET = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'

test('with 256 descriptors and 400 clients at once it goes on, its admin listener answers, and it recovers', async t => {
  if (process.platform === 'win32') return t.skip('needs ulimit')
  const service = await SlowService.listen(() => 300)
  const outrigger = await Outrigger.start(routeTo(service.port) + 'admin: { address: 127.0.0.1:0 }\n', {
    descriptors: 256,
  })
  const clients: RawClient[] = []
  try {
    const admin = async (): Promise<number> =>
      (
        await askOnce(
          outrigger.adminPort,
          'GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n',
        )
      ).status
    const statuses = new Map<string, number>()
    const asked = Array.from({ length: 400 }, async () => {
      let status = 'reset'
      try {
        const client = await RawClient.connect(outrigger.port('in'))
        clients.push(client)
        status = String((await client.ask(GET)).status)
      } catch {
        // refused for want of room
      }
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    })
    // In the middle of it, on connections of its own.
    for (let i = 0; i < 10; i++) {
      assert.equal(await admin(), 200)
      await new Promise(done => setTimeout(done, 50))
    }
    await Promise.all(asked)
    const shown = JSON.stringify([...statuses])
    assert.ok((statuses.get('200') ?? 0) >= 80, shown)
    // No room is said by a reset or by a status that says so; nobody is left without an answer.
    for (const status of statuses.keys()) assert.match(status, /^(200|503|reset)$/, shown)
    assert.ok((statuses.get('reset') ?? 0) > 0, shown)
    assert.equal(outrigger.exited, null)

    for (const client of clients) client.destroy()
    const begun = performance.now()
    for (;;) {
      const client = await RawClient.connect(outrigger.port('in'))
      const status = await client.ask(GET).then(
        answer => answer.status,
        () => 0,
      )
      client.destroy()
      if (status === 200) break
      assert.ok(performance.now() - begun < 5000, 'did not recover in 5 s')
    }
    assert.equal(await admin(), 200)
  } finally {
    for (const client of clients) client.destroy()
    await outrigger.stop('SIGKILL')
    await service.close()
  }
})

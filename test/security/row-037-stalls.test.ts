// Row 37 of docs/security.md: clients that open a window of nothing, or read a byte now and then, while we hold for them
// what they asked for.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { HttpUpstream } from '../harness/http-upstream.ts'
import { InProcess } from '../harness/in-process.ts'
import { CODE, RawH2 } from '../harness/raw-h2.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'

const LARGE = Buffer.alloc(1_000_000, 'l')

test('100 streams without a window: others of the session go on, memory is bounded, and they are reset in time', async () => {
  const upstream = await HttpUpstream.listen((request, response) =>
    response.end(request.url === '/small' ? 'small' : LARGE),
  )
  const proxy = await InProcess.start(routeTo(upstream.port, { upstream: 'limits: { connections: 200 }' }), {
    clock: new SteppedClock(),
  })
  const client = await RawH2.connect(proxy.port(), { settings: [4, 0] })
  const ids = Array.from({ length: 99 }, (_, i) => client.get(`/large${i}`))
  await client.until('all heads', () => ids.every(id => client.answer(id).status === 200), 10_000)
  const small = client.get('/small')
  client.window(small, 100)
  assert.equal((await client.over(small)).body.toString(), 'small')
  assert.ok(
    proxy.service.budget.used <= 99 * 2 * 65_536 + 2_000_000,
    `${proxy.service.budget.used} bytes held`,
  )
  await proxy.step(62_000)
  for (const id of ids) assert.ok((await client.over(id)).reset >= 0)
  assert.equal(client.answer(ids[0] ?? 0).reset, CODE.cancel)
  client.destroy()
  await proxy.stop()
  await upstream.close()
})

test('a session whose socket takes nothing is ended in time', async () => {
  const upstream = await HttpUpstream.listen((_request, response) => response.end(Buffer.alloc(20_000_000)))
  const proxy = await InProcess.start(routeTo(upstream.port), { clock: new SteppedClock() })
  const client = await RawH2.connect(proxy.port(), { settings: [4, 2 ** 31 - 1] })
  client.window(0, 2 ** 31 - 1 - 65_535)
  const id = client.get('/large')
  await client.until('the head', () => client.answer(id).status === 200)
  client.socket.pause()
  await proxy.step(1000)
  assert.ok(proxy.service.budget.used < 2_000_000, `${proxy.service.budget.used} bytes held`)
  await proxy.step(125_000)
  await proxy.until('the end', () => proxy.service.proxy.active === 0)
  client.destroy()
  await proxy.stop()
  await upstream.close()
})

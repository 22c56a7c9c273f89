// Row 37 of docs/security.md: readers that take a byte now and then have us hold two windows for each stream, and a few
// such connections all the memory that there is for buffers. They are left alone while there is room.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { HttpUpstream } from '../harness/http-upstream.ts'
import { InProcess } from '../harness/in-process.ts'
import { CODE, RawH2 } from '../harness/raw-h2.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'

const INITIAL_WINDOW = 4
const STREAMS = 20
const SECONDS = 20
const LARGE = Buffer.alloc(1_000_000, 'l')

test('streams that drip are reset when memory is short, and not before; those that read go on', async () => {
  const upstream = await HttpUpstream.listen((_request, response) => response.end(LARGE))
  const proxy = await InProcess.start(routeTo(upstream.port), { clock: new SteppedClock() })
  const { budget } = proxy.service
  const client = await RawH2.connect(proxy.port(), { settings: [INITIAL_WINDOW, 0], stingy: true })
  client.window(0, 2 ** 30)
  const ids = Array.from({ length: STREAMS }, (_, i) => client.get(`/${i}`))
  const [reading = 0, ...dripping] = ids
  await client.until('all heads', () => ids.every(id => client.answer(id).status === 200))
  const seconds = async (): Promise<void> => {
    for (let second = 0; second < SECONDS; second++) {
      if (second % 5 === 0) for (const id of dripping) client.window(id, 1)
      client.window(reading, 2000)
      await client.roundTrip()
      await proxy.step(1000)
    }
  }
  await seconds()
  assert.deepEqual(
    ids.map(id => client.answer(id).reset),
    ids.map(() => -1),
  )
  const held = budget.used

  budget.take(budget.limit)
  await seconds()
  for (const id of dripping) assert.equal((await client.over(id)).reset, CODE.cancel)
  assert.equal(client.answer(reading).reset, -1)
  budget.give(budget.limit)
  assert.ok(budget.used < held / 5, `${budget.used} of ${held} bytes are still held`)
  client.destroy()
  await proxy.stop()
  await upstream.close()
})

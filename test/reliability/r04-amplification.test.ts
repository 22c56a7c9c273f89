// R4: a service that fails everything is asked at most a fifth more than it would be without retries.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Answer, CountingService, withServices } from '../harness/services.ts'

const CLIENTS = 64
const REQUESTS = 1500
const GET = 'GET /x HTTP/1.1\r\nhost: a\r\n\r\n'

/** Requests of so many clients, each as soon as its last is answered. */
async function amplification(
  t: Parameters<typeof withServices>[0],
  route: string,
  answer: () => Answer | Promise<Answer>,
): Promise<number> {
  const service = await CountingService.listen(answer)
  const proxy = await withServices(
    t,
    { app: [service] },
    { route, upstream: 'outlierDetection: off\nlimits: { inFlight: 1000 }' },
  )
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => proxy.connect()))
  let sent = 0
  await Promise.all(
    clients.map(async client => {
      while (sent < REQUESTS) {
        sent++
        await client.ask(GET)
      }
      client.destroy()
    }),
  )
  const { budget } = [...proxy.service.holder.current.snapshot.upstreams.values()][0]?.load ?? {}
  assert.deepEqual([budget?.firsts, budget?.retries], [0, 0])
  assert.match(await proxy.metrics(), /outrigger_upstream_retries_refused_total\{upstream="app"\} [1-9]/)
  return service.came.length / sent
}

const later = (): Promise<number> => new Promise(resolve => setTimeout(() => resolve(503), 5))
for (const [what, answer] of [
  ['503 at once', () => 503],
  ['503 after 5 ms', later],
  ['connections cut', () => 'cut'],
] satisfies [string, () => Answer | Promise<Answer>][]) {
  for (const count of [1, 5]) {
    test(`R4: 100 % ${what}, 64 in flight, up to ${count} retries each`, async t => {
      const factor = await amplification(t, `retry: { count: ${count} }`, answer)
      t.diagnostic(`amplification ${factor.toFixed(3)}`)
      assert.ok(factor > 1, `no retry at all: ${factor}`)
      assert.ok(factor <= 1.2, `amplification ${factor}`)
    })
  }
}

test('R4: without a pause between the tries it is the same', async t => {
  const factor = await amplification(t, 'retry: { count: 3, backoff: { from: 1ms, to: 1ms } }', later)
  t.diagnostic(`amplification ${factor.toFixed(3)}`)
  assert.ok(factor <= 1.2, `amplification ${factor}`)
})

import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { reasonOf } from '../harness/problem.ts'
import { withSink } from '../harness/proxied.ts'
import type { RawClient } from '../harness/raw-client.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'

/** Row 42: so many clients send a head, a byte a second. They are gone after its 10 s; others are served meanwhile. */
export async function slowHeads(t: TestContext, count: number): Promise<void> {
  const { sink, proxy } = await withSink(t, {}, { clock: new SteppedClock() })
  const slow: RawClient[] = []
  while (slow.length < count)
    slow.push(...(await Promise.all(Array.from({ length: Math.min(200, count) }, () => proxy.connect()))))
  await proxy.until('all connections', () => proxy.connections === count)
  const head = 'GET /x HTTP/1.1\r\nhost: a\r\n'
  for (let second = 0; second < 9; second++) {
    for (const client of slow) client.send(head.charAt(second))
    await proxy.step(1000, 500)
    if (second === 5) await proxy.serves()
  }
  assert.equal(proxy.connections, count)
  await proxy.serves()
  await proxy.step(2500, 500)
  for (const client of slow) {
    const response = await client.readResponse()
    assert.equal(response.status, 408)
    assert.equal(reasonOf(response), 'request_timeout')
    assert.equal(response.headers['connection'], 'close')
    assert.equal(await client.readToEnd(), '')
    client.destroy()
  }
  assert.equal(sink.connections.length, 0)
  await proxy.serves()
}

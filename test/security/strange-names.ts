import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { withSink } from '../harness/proxied.ts'

const BATCH = 100

/** Row 82: so many random methods, paths, hosts and fields. They make no series, and nothing of them is a label. */
export async function strangeNames(t: TestContext, count: number): Promise<void> {
  const { proxy } = await withSink(t)
  await proxy.ask('GET /a HTTP/1.1\r\nhost: a\r\n\r\n')
  await proxy.ask('BREW /a HTTP/1.1\r\nhost: a\r\n\r\n')
  await proxy.ask('\0')
  const before = (await proxy.metrics()).split('\n').length
  // On a connection of their own, each of which keeps what it received.
  for (let sent = 0; sent < count; sent += 10 * BATCH) {
    const client = await proxy.connect()
    for (let batch = 0; batch < 10 && sent + batch * BATCH < count; batch++) {
      let requests = ''
      for (let i = 0; i < BATCH; i++) {
        const name = `M${sent + batch * BATCH + i}`
        requests += `${name} /${name} HTTP/1.1\r\nhost: ${name}.example\r\nx-${name}: 1\r\n\r\n`
      }
      client.send(requests)
      const { status, length } = await client.readResponse()
      assert.equal(status, 501)
      // All are of one length: reading each as a response would take longer than answering it.
      const rest = (await client.read(length * (BATCH - 1))).toString('latin1')
      assert.equal(rest.match(/^HTTP\/1\.1 501 /gm)?.length, BATCH - 1)
    }
    client.destroy()
  }
  const text = await proxy.metrics()
  assert.ok(!/M\d+/.test(text), 'nothing of a client is a label')
  assert.ok(text.split('\n').length <= before, `${before} lines became ${text.split('\n').length}`)
  assert.match(text, /method="_OTHER"/)
}

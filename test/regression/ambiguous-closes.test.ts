import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { InProcess } from '../harness/in-process.ts'
import { RawClient } from '../harness/raw-client.ts'
import { RawUpstream } from '../harness/raw-upstream.ts'

// A request that can be read in two ways may hide another one: whatever stands behind it on its connection must not be
// served. Only what the parser itself refused closed the connection once; a path or host in doubt left it open.

let upstream: RawUpstream
let outrigger: InProcess
before(async () => {
  const refusal = 'HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n'
  upstream = await RawUpstream.playing([[{ expect: '\r\n\r\n' }, refusal]])
  outrigger = await InProcess.start(routeTo(upstream.port))
})
after(async () => {
  await outrigger.stop()
  await upstream.close()
})

const BEHIND = 'GET /here HTTP/1.1\r\nhost: a\r\n\r\n'

for (const [what, status, head] of [
  ['a path in doubt', 400, 'GET /a%2fb HTTP/1.1\r\nhost: a\r\n\r\n'],
  ['a host in doubt', 400, 'GET / HTTP/1.1\r\nhost: a=b\r\n\r\n'],
  ['a target and a Host that differ', 400, 'GET http://b/ HTTP/1.1\r\nhost: a\r\n\r\n'],
  [
    'a field that stands twice',
    400,
    'GET / HTTP/1.1\r\nhost: a\r\nrange: bytes=0-1\r\nrange: bytes=2-3\r\n\r\n',
  ],
  ['a CONNECT that is refused', 405, 'CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n'],
] as const) {
  test(`${what} ends its connection`, async () => {
    const client = await RawClient.connect(outrigger.port('in'))
    client.send(head + BEHIND)
    const response = await client.readResponse()
    assert.equal(response.status, status)
    assert.equal(response.headers['connection'], 'close')
    client.half()
    await client.closed()
    assert.equal(client.unread.length, 0, 'nothing that stood behind it is answered')
  })
}

test("an upstream's own 400 does not", async () => {
  const client = await RawClient.connect(outrigger.port('in'))
  assert.equal((await client.ask('GET /app HTTP/1.1\r\nhost: a\r\n\r\n')).status, 400)
  assert.equal((await client.ask(BEHIND)).status, 200)
  client.destroy()
})

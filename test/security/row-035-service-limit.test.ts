// Row 35 of docs/security.md, one hop further: a header list that we take may be larger than what the service behind
// takes. Some (Netty, and so gRPC for Java) end the session for it, which requests of many clients share.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { InProcess } from '../harness/in-process.ts'
import { CODE, RawH2 } from '../harness/raw-h2.ts'
import { type RawH2Peer, RawH2Server } from '../harness/raw-h2-server.ts'

const MAX_HEADER_LIST = 6
const LIMIT = 8192
const OVERHEAD = 32

test('a request too large for the service is answered with 431, and costs nobody else the session', async t => {
  let answer: (() => void) | null = null
  const server = await RawH2Server.listen({
    settings: [MAX_HEADER_LIST, LIMIT],
    onRequest: (peer: RawH2Peer, stream, headers) => {
      const size = headers.reduce((bytes, text) => bytes + text.length, (headers.length / 2) * OVERHEAD)
      if (size > LIMIT) peer.goaway(0, CODE.protocol)
      if (size > LIMIT) peer.socket.end()
      else if (headers.includes('/wanted')) answer = () => peer.answer(stream, 'wanted')
      else peer.answer(stream)
    },
  })
  const proxy = await InProcess.start(
    routeTo(server.port, { upstream: 'protocol: http2\nhealthCheck: off', route: 'retry: 2' }),
  )
  t.after(async () => {
    await proxy.stop()
    await server.close()
  })
  const other = await RawH2.connect(proxy.port())
  const wanted = other.get('/wanted')
  await proxy.until('the request', () => answer !== null)

  const large = 'v'.repeat(LIMIT)
  const client = await RawH2.connect(proxy.port())
  assert.equal((await client.over(client.get('/large', 'x-large', large))).status, 431)
  const { status } = await proxy.ask(`GET /large HTTP/1.1\r\nhost: a.example\r\nx-large: ${large}\r\n\r\n`)
  assert.equal(status, 431)
  const line = await proxy.accessLine(one => one.status === 431)
  assert.deepEqual(
    [line.reason, line['cause']],
    ['headers_too_large', `the service takes ${LIMIT} bytes of fields`],
  )
  const fits = 'v'.repeat(LIMIT - 1024)
  assert.equal((await client.over(client.get('/fits', 'x-large', fits))).status, 200)

  // Set by the service.
  ;(answer as (() => void) | null)?.()
  assert.equal((await other.over(wanted)).body.toString(), 'wanted')
  assert.equal(server.peers.length, 1)
  for (const one of [client, other]) one.destroy()
})

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { InProcess, turns } from '../harness/in-process.ts'
import { RawUpstream } from '../harness/raw-upstream.ts'
import { RESPONSE_CASES } from '../fuzz/corpus.ts'
import { reasonOf } from '../harness/problem.ts'

const ASK = 'GET /x HTTP/1.1\r\nhost: a\r\n\r\n'
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'
const EVIL = 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil'

let upstream: RawUpstream
let proxy: InProcess
before(async () => {
  upstream = await RawUpstream.listen()
  proxy = await InProcess.start(routeTo(upstream.port))
})
after(async () => {
  await proxy.serves()
  await proxy.stop()
  await upstream.close()
})

test('row 8: two replies in one write: neither is believed', async () => {
  const answer = proxy.ask(ASK)
  const server = await upstream.accept()
  await server.readUntil('\r\n\r\n')
  server.send(OK + EVIL)
  const response = await answer
  assert.equal(response.status, 502)
  assert.equal(reasonOf(response), 'upstream_bad_response')
  await server.readToEnd()
})

test('row 8: the second reply in a write of its own: nobody receives it, and the connection is gone', async () => {
  for (let i = 0; i < 20; i++) {
    const client = await proxy.connect()
    client.send(ASK)
    const server = await upstream.accept()
    await server.readUntil('\r\n\r\n')
    server.send(OK)
    assert.equal((await client.readResponse()).body.toString(), 'ok')
    server.send(EVIL)
    await server.readToEnd()
    client.send(ASK)
    const next = await upstream.accept()
    await next.readUntil('\r\n\r\n')
    next.send(OK)
    assert.equal((await client.readResponse()).body.toString(), 'ok')
    client.destroy()
    next.destroy()
    server.destroy()
  }
})

test('row 8: behind a chunked reply, in the same write and in the next', async () => {
  for (const together of [true, false]) {
    const client = await proxy.connect()
    client.send(ASK)
    const server = await upstream.accept()
    await server.readUntil('\r\n\r\n')
    const reply = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'
    if (together) server.send(reply + EVIL)
    else {
      server.send(reply)
      await turns(10)
      server.send(EVIL)
    }
    const response = await client.readResponse()
    assert.ok(!response.body.includes('evil'))
    await server.readToEnd()
    client.send('GET /here HTTP/1.1\r\nhost: a\r\n\r\n')
    const rest = await client.readResponse()
    assert.equal(rest.body.toString(), 'here')
    client.destroy()
    server.destroy()
  }
})

test('row 8: one byte, FIN or a reply before it was asked: the connection is not used', async () => {
  for (const before of ['x', EVIL, 'HTTP/1.1 408 Timeout\r\ncontent-length: 0\r\n\r\n']) {
    const client = await proxy.connect()
    client.send(ASK)
    const server = await upstream.accept()
    await server.readUntil('\r\n\r\n')
    server.send(OK)
    await client.readResponse()
    await turns(5)
    server.send(before)
    await server.readToEnd()
    client.send(ASK)
    const next = await upstream.accept()
    await next.readUntil('\r\n\r\n')
    next.send(OK)
    assert.equal((await client.readResponse()).body.toString(), 'ok')
    next.half()
    client.destroy()
    server.destroy()
    next.destroy()
    await turns(10)
  }
})

test('row 8: an upstream that speaks as soon as it is connected to', async () => {
  const answer = proxy.ask(ASK)
  const server = await upstream.accept()
  server.send(EVIL)
  const response = await answer
  // It may be taken for the answer where it comes after our request; never where it came before.
  if (response.status === 200) assert.equal(response.body.toString(), 'evil')
  else assert.equal(response.status, 502)
  server.destroy()
})

test('row 8: responses to HEAD, 204 and 304 with a body behind them', async () => {
  for (const [method, head] of [
    ['HEAD', 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n'],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['GET', 'HTTP/1.1 304 Not Modified\r\ncontent-length: 4\r\n\r\n'],
  ] as const) {
    const client = await proxy.connect()
    client.send(`${method} /x HTTP/1.1\r\nhost: a\r\n\r\n`)
    const server = await upstream.accept()
    await server.readUntil('\r\n\r\n')
    server.send(head + 'evil')
    const response = await client.readResponse({ method })
    assert.equal(response.status, 502)
    await server.readToEnd()
    client.destroy()
    server.destroy()
  }
})

test(`row 8: ${RESPONSE_CASES.length} responses of the corpus: what is refused there is 502 here`, async () => {
  for (const { name, method, bytes, want } of RESPONSE_CASES) {
    // The limit of a service's heads is larger than that of the corpus.
    if (name === 'a head beyond the limit') continue
    const client = await proxy.connect()
    client.send(`${method} /x HTTP/1.1\r\nhost: a\r\n\r\n`)
    const server = await upstream.accept()
    await server.readUntil('\r\n\r\n')
    server.send(bytes)
    server.half()
    const response = await client.readResponse({ method })
    // Head and fault come in one read: nothing of it was passed on, so there is an answer.
    if (want === 'refused') assert.equal(response.status, 502, name)
    else assert.ok(response.status < 400, name)
    client.destroy()
    server.destroy()
  }
})

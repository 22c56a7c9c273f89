import assert from 'node:assert/strict'
import { test } from 'node:test'
import { turns } from '../harness/in-process.ts'
import { withSink, withUpstream } from '../harness/proxied.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'

const HERE = 'GET /here HTTP/1.1\r\nhost: a\r\n\r\n'

test('100-continue: the upstream says 100, then the body goes', async t => {
  const { upstream, proxy } = await withUpstream(t)
  for (const framing of ['content-length: 5', 'transfer-encoding: chunked']) {
    const client = await proxy.connect()
    client.send(`POST /x HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n${framing}\r\n\r\n`)
    const server = await upstream.accept()
    assert.match(await server.readUntil('\r\n\r\n'), /\r\nexpect: 100-continue\r\n/)
    await turns(10)
    assert.equal(client.unread.length, 0, 'we do not answer for the upstream')
    server.send('HTTP/1.1 100 Continue\r\n\r\n')
    assert.equal(await client.readUntil('\r\n\r\n'), 'HTTP/1.1 100 Continue\r\n\r\n')
    client.send(framing.startsWith('c') ? 'hello' : '5\r\nhello\r\n0\r\n\r\n')
    await server.readUntil('hello')
    server.send('HTTP/1.1 201 Created\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
    assert.equal((await client.readResponse()).status, 201)
    assert.equal((await client.ask(HERE)).status, 200)
    client.destroy()
    server.destroy()
  }
})

test('100-continue: a final answer instead reaches a client that still waits; its body is never read as a request', async t => {
  const { upstream, proxy } = await withUpstream(t)
  const client = await proxy.connect()
  client.send('POST /x HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 40\r\n\r\n')
  const server = await upstream.accept()
  await server.readUntil('\r\n\r\n')
  server.send('HTTP/1.1 417 No\r\ncontent-length: 2\r\n\r\nno')
  const response = await client.readResponse()
  assert.equal(response.status, 417)
  assert.equal(response.informational.length, 0)
  assert.equal(response.headers['connection'], 'close')
  client.send('GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n.....')
  assert.equal(await client.readToEnd(), '')
  // The upstream's connection owes it a body: it is not used again.
  await server.readToEnd()
  assert.ok(!server.received.includes('smuggled'))
  client.destroy()
  server.destroy()
})

test('100-continue: our own refusal comes without 100, and the connection closes', async t => {
  const { sink, proxy } = await withSink(t, { route: 'requestSize: 1KiB' })
  const client = await proxy.connect()
  const response = await client.ask(
    'POST /x HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 4000\r\n\r\n',
  )
  assert.equal(response.status, 413)
  assert.equal(response.informational.length, 0)
  assert.equal(response.headers['connection'], 'close')
  assert.equal(await client.readToEnd(), '')
  assert.equal(sink.connections.length, 0)
  client.destroy()
})

test('100-continue: an upstream that says nothing for 1 s gets the body all the same', async t => {
  const { upstream, proxy } = await withUpstream(t, {}, { clock: new SteppedClock() })
  const client = await proxy.connect()
  client.send('POST /x HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n')
  const server = await upstream.accept()
  await server.readUntil('\r\n\r\n')
  await proxy.step(900)
  assert.equal(client.unread.length, 0)
  await proxy.step(300)
  assert.equal(await client.readUntil('\r\n\r\n'), 'HTTP/1.1 100 Continue\r\n\r\n')
  client.send('hello')
  await server.readUntil('hello')
  server.send('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
  const response = await client.readResponse()
  assert.equal(response.status, 200)
  assert.equal(response.informational.length, 0, 'one 100 is enough')
  client.destroy()
})

test('100-continue: a client that does not wait', async t => {
  const { upstream, proxy } = await withUpstream(t)
  const client = await proxy.connect()
  client.send('POST /x HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\nhello' + HERE)
  const server = await upstream.accept()
  await server.readUntil('\r\n\r\n')
  await turns(10)
  assert.equal(server.unread.length, 0)
  server.send('HTTP/1.1 100 Continue\r\n\r\n')
  await server.readUntil('hello')
  server.send('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
  assert.equal((await client.readResponse()).status, 200)
  assert.equal((await client.readResponse()).body.toString(), 'here')
  client.destroy()
})

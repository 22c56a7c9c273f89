import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { InProcess } from '../harness/in-process.ts'
import { RawUpstream, RecordingSink } from '../harness/raw-upstream.ts'
import { reasonOf } from '../harness/problem.ts'
import { withSink } from '../harness/proxied.ts'
import { turns } from '../harness/in-process.ts'

const WS =
  'GET /ws HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x\r\nsec-websocket-version: 13\r\n\r\n'
const SWITCH =
  'HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: y\r\n\r\n'

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

test('row 6: what the client sends before the 101 waits for it, then belongs to the tunnel', async () => {
  const client = await proxy.connect()
  client.send(WS + 'early')
  const server = await upstream.accept()
  const head = await server.readUntil('\r\n\r\n')
  assert.match(head, /^GET \/ws HTTP\/1\.1\r\n/)
  assert.match(head, /\r\nconnection: Upgrade\r\nupgrade: websocket\r\n/i)
  client.send(' bytes')
  await turns(20)
  assert.equal(server.unread.length, 0, 'not a byte is tunnelled before the upstream agreed')
  // Upstream bytes in the read of the 101 are the tunnel's too.
  server.send(SWITCH + 'hello')
  const answer = await client.readUntil('hello')
  assert.match(answer, /^HTTP\/1\.1 101 Switching Protocols\r\n/)
  assert.match(answer, /\r\nupgrade: websocket\r\n/)
  assert.match(answer, /\r\nconnection: upgrade\r\n/i)
  assert.doesNotMatch(answer, /content-length|transfer-encoding/)
  assert.equal(await server.readUntil('bytes'), 'early bytes')
  // Raw both ways from here on, requests included.
  client.send('GET /x HTTP/1.1\r\n\r\n')
  await server.readUntil('GET /x HTTP/1.1\r\n\r\n')
  const large = Buffer.alloc(300_000, 7)
  server.send(large)
  assert.deepEqual(await client.read(large.length), large)
  client.send(large)
  assert.deepEqual(await server.read(large.length), large)
  // Each side closes by itself.
  client.half()
  await server.wait('the FIN', () => (server.ended ? true : null), 2000, true)
  server.send('bye')
  assert.equal(await client.readUntil('bye'), 'bye')
  server.half()
  assert.equal(await client.readToEnd(), '')
  client.destroy()
  const line = await proxy.accessLine(one => one['path'] === '/ws')
  assert.equal(line.status, 101)
})

test('row 6: the server closes its side first', async () => {
  const client = await proxy.connect()
  client.send(WS)
  const server = await upstream.accept()
  await server.readUntil('\r\n\r\n')
  server.send(SWITCH)
  await client.readUntil('\r\n\r\n')
  server.send('last')
  server.half()
  assert.equal(await client.readToEnd(), 'last')
  client.send('answer')
  assert.equal(await server.readUntil('answer'), 'answer')
  client.half()
  await server.closed()
  client.destroy()
})

for (const who of ['client', 'server'] as const) {
  test(`row 6: a reset by the ${who} ends the other side`, async () => {
    const client = await proxy.connect()
    client.send(WS)
    const server = await upstream.accept()
    await server.readUntil('\r\n\r\n')
    server.send(SWITCH)
    await client.readUntil('\r\n\r\n')
    const [one, other] = who === 'client' ? [client, server] : [server, client]
    one.reset()
    assert.equal(await other.closed(), 'ECONNRESET')
    await proxy.until('the end', () => proxy.connections === 0)
  })
}

for (const status of [200, 403, 426]) {
  test(`row 6: an upstream that answers ${status} instead: a plain response, and the connection closes`, async () => {
    const client = await proxy.connect()
    // What stands behind the head could be a request; nobody may read it as one.
    client.send(WS + 'GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n')
    const server = await upstream.accept()
    await server.readUntil('\r\n\r\n')
    server.send(`HTTP/1.1 ${status} X\r\ncontent-length: 2\r\n\r\nno`)
    const response = await client.readResponse()
    assert.equal(response.status, status)
    assert.equal(response.body.toString(), 'no')
    assert.equal(response.headers['connection'], 'close')
    assert.equal(await client.readToEnd(), '')
    client.destroy()
    await turns(20)
    assert.ok(!server.received.includes('smuggled'))
    server.destroy()
  })
}

test('row 6: a 101 that nobody asked for is 502', async () => {
  const answer = proxy.ask('GET /plain HTTP/1.1\r\nhost: a\r\n\r\n')
  const server = await upstream.accept()
  await server.readUntil('\r\n\r\n')
  server.send(SWITCH + 'tunnelled')
  const response = await answer
  assert.equal(response.status, 502)
  assert.equal(reasonOf(response), 'upstream_bad_response')
  assert.equal(await server.readToEnd(), '')
})

test('row 6: early bytes beyond 16 KiB wait in the client', async () => {
  const client = await proxy.connect()
  client.send(WS)
  const server = await upstream.accept()
  await server.readUntil('\r\n\r\n')
  const early = Buffer.alloc(32_000_000, 'e') // more than the buffers of the kernel hold
  client.send(early)
  await turns(50)
  assert.ok(client.socket.writableLength > 0, 'the proxy stopped reading')
  server.send(SWITCH)
  await client.readUntil('\r\n\r\n')
  assert.deepEqual(await server.read(early.length), early)
  client.destroy()
  server.destroy()
})

for (const [name, request] of [
  [
    'h2c',
    'GET /plain HTTP/1.1\r\nhost: a\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMA\r\n\r\n',
  ],
  ['foo', 'GET /plain HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: foo/1\r\n\r\n'],
  ['websocket that connection does not name', 'GET /plain HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\n\r\n'],
  [
    'websocket of HTTP/1.0',
    'GET /plain HTTP/1.0\r\nhost: a\r\nconnection: upgrade, keep-alive\r\nupgrade: websocket\r\n\r\n',
  ],
] as const) {
  test(`row 6: ${name} is ignored: a plain request, and the connection goes on`, async () => {
    const sink = await RecordingSink.listen()
    const plain = await InProcess.start(routeTo(sink.port))
    const client = await plain.connect()
    const response = await client.ask(request)
    assert.equal(response.status, 200)
    assert.notEqual(response.headers['connection'], 'close')
    const next = await client.ask('GET /here HTTP/1.1\r\nhost: a\r\n\r\n')
    assert.equal(next.body.toString(), 'here')
    client.destroy()
    const [seen, ...more] = sink.requestsSeen()
    assert.equal(more.length, 0)
    assert.equal(seen?.headers['upgrade'], undefined)
    assert.equal(seen?.headers['http2-settings'], undefined)
    assert.equal(seen?.headers['connection'], undefined)
    await plain.stop()
    await sink.close()
  })
}

test('row 6: a websocket with a body, or by POST, is refused before the upstream hears of it', async t => {
  const { sink, proxy: plain } = await withSink(t)
  const fields = 'host: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n'
  for (const request of [
    `GET /ws HTTP/1.1\r\n${fields}content-length: 5\r\n\r\nhello`,
    `GET /ws HTTP/1.1\r\n${fields}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
    `POST /ws HTTP/1.1\r\n${fields}content-length: 0\r\n\r\n`,
  ]) {
    const response = await plain.ask(request)
    assert.equal(response.status, 400)
    assert.equal(reasonOf(response), 'bad_request')
  }
  assert.equal(sink.connections.length, 0)
  await plain.serves()
})

test('row 6: where the route does not allow it: 403', async t => {
  const { sink, proxy: plain } = await withSink(t, { route: 'upgrade: off' })
  const response = await plain.ask(WS)
  assert.equal(response.status, 403)
  assert.equal(reasonOf(response), 'upgrade_refused')
  assert.equal(sink.connections.length, 0)
})

import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { RawClient, askOnce } from './raw-client.ts'
import { RawUpstream, RecordingSink } from './raw-upstream.ts'
import { MalformedMessage } from './strict-http.ts'

let upstream: RawUpstream
let client: RawClient

beforeEach(async () => {
  upstream = await RawUpstream.listen()
  client = await RawClient.connect(upstream.port)
})

afterEach(async () => {
  client.destroy()
  await upstream.close()
})

test('bytes, FIN and RST arrive as sent', async () => {
  const server = await upstream.accept()
  client.send('a\xff')
  assert.deepEqual(await server.read(2), Buffer.from([0x61, 0xff]))
  client.half()
  assert.equal(await server.readToEnd(), '')
  assert.equal(server.ended, true)
  server.send('after the FIN')
  assert.equal(await client.readUntil('FIN'), 'after the FIN')
  server.reset()
  assert.equal(await client.closed(), 'ECONNRESET')
})

test('bytewise: a reader in this process gets each byte in a read of its own', async () => {
  const server = await upstream.accept()
  const sizes: number[] = []
  server.socket.on('data', (bytes: Buffer) => sizes.push(bytes.length))
  await client.sendBytewise('bytewise')
  await server.read(8)
  assert.deepEqual(sizes, [1, 1, 1, 1, 1, 1, 1, 1])
})

test('cut: two reads, wherever the cut is', async () => {
  const server = await upstream.accept()
  const parts: string[] = []
  server.socket.on('data', (bytes: Buffer) => parts.push(bytes.toString()))
  for (let at = 0; at <= 3; at++) {
    await client.sendCut('cut', at)
    await server.read(3)
  }
  assert.deepEqual(parts, ['cut', 'c', 'ut', 'cu', 't', 'cut'])
})

test('a wait that fails says what had come', async () => {
  const server = await upstream.accept()
  server.send('HTTP/1.1 200 OK\r\n')
  await client.readUntil('200')
  await assert.rejects(
    client.readUntil('\r\n\r\n', 20),
    /waited 20 ms .*open.*unread so far \(5 bytes\): " OK\\r\\n"/,
  )
  server.half()
  await assert.rejects(client.readUntil('\r\n\r\n'), /the peer sent FIN/)
  await assert.rejects(upstream.accept(20), /waited 20 ms for connection 2/)
})

test('read takes what the predicate says and leaves the rest', async () => {
  const server = await upstream.accept()
  client.send('abc;def')
  const bytes = await server.read(unread => (unread.includes(';') ? unread.indexOf(';') + 1 : null))
  assert.equal(bytes.toString(), 'abc;')
  assert.equal(server.unread.toString(), 'def')
  assert.equal(server.received.toString(), 'abc;def')
})

test('a scripted upstream plays one script a connection, with pauses by the given clock', async () => {
  const pauses: number[] = []
  const scripted = await RawUpstream.playing(
    [
      [{ expect: '\r\n\r\n' }, 'HTTP/1.1 200 OK\r\n', { pause: 90_000 }, 'content-length: 0\r\n\r\n'],
      [{ expect: '\r\n\r\n' }, { end: 'rst' }],
    ],
    async milliseconds => pauses.push(milliseconds),
  )
  try {
    const response = await askOnce(scripted.port, 'GET / HTTP/1.1\r\nhost: a\r\n\r\n')
    assert.equal(response.status, 200)
    assert.deepEqual(pauses, [90_000])
    const second = await RawClient.connect(scripted.port)
    second.send('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
    assert.equal(await second.closed(), 'ECONNRESET')
  } finally {
    await scripted.close()
  }
})

test('a sink counts and answers what a strict server sees', async () => {
  const sink = await RecordingSink.listen()
  const one = await RawClient.connect(sink.port)
  try {
    sink.reply('HTTP/1.1 204 No Content\r\n\r\n')
    one.send(
      'POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nxyzGET /b HTTP/1.1\r\nhost: a\r\n\r\nGET /c',
    )
    assert.equal((await one.readResponse()).status, 204)
    assert.equal((await one.readResponse()).body.toString(), 'ok')
    assert.deepEqual(
      sink.requestsSeen().map(request => `${request.method} ${request.target} ${request.body.toString()}`),
      ['POST /a xyz', 'GET /b '],
    )
    assert.deepEqual(sink.unfinished(), [Buffer.from('GET /c')])
    one.send(' HTTP/1.1\nhost: a\r\n\r\n')
    await (await sink.accept()).readUntil('/c HTTP/1.1\n')
    assert.throws(() => sink.requestsSeen(), MalformedMessage)
  } finally {
    one.destroy()
    await sink.close()
  }
})

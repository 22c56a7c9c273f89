import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import { test, type TestContext } from 'node:test'
import { encodeFrame } from '../../sidecar/websocket/frame-fixture.ts'
import { routeTo } from '../harness/configs.ts'
import { InProcess } from '../harness/in-process.ts'
import { HttpUpstream } from '../harness/http-upstream.ts'
import { WsServer } from '../harness/ws-peers.ts'

// A WebSocket that its client opens on a stream of HTTP/2 (RFC 8441), with a service that knows HTTP/1 only.

const TEXT = 1
const BINARY = 2
const CLOSE = 8
const MASK = Buffer.from([1, 2, 3, 4])

/** A client's end of such a WebSocket: what came is read as frames of a server. */
class StreamSocket {
  readonly stream: http2.ClientHttp2Stream
  status = 0
  headers: http2.IncomingHttpHeaders = {}
  readonly frames: { opcode: number; payload: Buffer }[] = []
  ended = false
  #bytes: Buffer = Buffer.alloc(0)

  constructor(stream: http2.ClientHttp2Stream) {
    this.stream = stream
    stream.on('response', headers => {
      this.headers = headers
      this.status = headers[':status'] ?? 0
    })
    stream.on('data', (bytes: Buffer) => this.#read(bytes))
    stream.on('end', () => (this.ended = true))
    stream.on('error', () => {})
  }

  send(opcode: number, payload: string | Buffer): void {
    this.stream.write(encodeFrame({ opcode, payload: Buffer.from(payload), mask: MASK }))
  }

  #read(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes])
    for (;;) {
      const all = this.#bytes
      let length = (all[1] ?? 0) & 0x7f
      let at = 2
      if (length === 126 && all.length >= 4) {
        length = all.readUInt16BE(2)
        at = 4
      } else if (length === 127 && all.length >= 10) {
        length = Number(all.readBigUInt64BE(2))
        at = 10
      }
      if (all.length < 2 || all.length < at + length) return
      this.frames.push({ opcode: (all[0] ?? 0) & 0x0f, payload: Buffer.from(all.subarray(at, at + length)) })
      this.#bytes = all.subarray(at + length)
    }
  }
}

async function setUp(
  t: TestContext,
  route = '',
): Promise<{ proxy: InProcess; session: http2.ClientHttp2Session; service: WsServer }> {
  const service = await WsServer.listen({ perMessageDeflate: false })
  const proxy = await InProcess.start(routeTo(service.port, { route }))
  const session = http2.connect(`http://127.0.0.1:${proxy.port()}`)
  session.on('error', () => {})
  await once(session, 'remoteSettings')
  t.after(async () => {
    session.destroy()
    await service.close()
    await proxy.stop()
  })
  return { proxy, session, service }
}

function open(session: http2.ClientHttp2Session, more: http2.OutgoingHttpHeaders = {}): StreamSocket {
  return new StreamSocket(
    session.request({
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':scheme': 'http',
      ':path': '/chat',
      ':authority': 'a.example',
      'sec-websocket-version': '13',
      ...more,
    }),
  )
}

test('extended CONNECT is announced, opens a WebSocket, and carries it both ways', async t => {
  const { proxy, session, service } = await setUp(t)
  assert.equal(session.remoteSettings.enableConnectProtocol, true)
  const socket = open(session)
  await proxy.until('the head', () => socket.status !== 0)
  assert.equal(socket.status, 200)
  for (const name of ['upgrade', 'connection', 'sec-websocket-accept'])
    assert.equal(socket.headers[name], undefined, name)
  socket.send(TEXT, 'hello')
  await proxy.until('the echo', () => socket.frames.length === 1)
  assert.equal(socket.frames[0]?.payload.toString(), 'hello')
  const large = Buffer.alloc(500_000, 'x')
  socket.send(BINARY, large)
  await proxy.until('the large echo', () => socket.frames.length === 2)
  assert.ok(socket.frames[1]?.payload.equals(large))
  service.sockets[0]?.send('from the service')
  await proxy.until('its word', () => socket.frames.length === 3)
  socket.send(CLOSE, Buffer.from([3, 232]))
  await proxy.until('the close frame', () => socket.frames.some(frame => frame.opcode === CLOSE))
  socket.stream.end()
  await proxy.until('the end', () => socket.ended)
  const line = await proxy.accessLine(one => one['path'] === '/chat')
  assert.equal(line.status, 101)
  assert.equal(line['protocol'], 'HTTP/2')
})

test('several of them and plain requests share one connection', async t => {
  const { proxy, session } = await setUp(t)
  const sockets = Array.from({ length: 20 }, () => open(session))
  for (const [i, socket] of sockets.entries()) {
    await proxy.until('the head', () => socket.status === 200)
    socket.send(TEXT, `n${i}`)
  }
  const plain = session.request({ ':path': '/here', ':authority': 'a.example' })
  const [headers] = (await once(plain, 'response')) as [http2.IncomingHttpHeaders]
  assert.equal(headers[':status'], 200)
  plain.resume()
  for (const [i, socket] of sockets.entries()) {
    await proxy.until('the echo', () => socket.frames.length === 1)
    assert.equal(socket.frames[0]?.payload.toString(), `n${i}`)
  }
  assert.equal(proxy.connections, 1)
})

test('a drain says goodbye with 1001', async t => {
  const { proxy, session } = await setUp(t)
  const socket = open(session)
  await proxy.until('the head', () => socket.status === 200)
  for (const exchange of proxy.service.proxy.tunnels.upgraded) exchange.tunnelControl?.drain()
  await proxy.until('the close frame', () => socket.frames.length === 1)
  assert.equal(socket.frames[0]?.payload.readUInt16BE(0), 1001)
})

test('a client that resets the stream ends the WebSocket, one that leaves all of them', async t => {
  const { proxy, session, service } = await setUp(t)
  const first = open(session)
  const second = open(session)
  await proxy.until('both heads', () => first.status === 200 && second.status === 200)
  const gone = service.sockets.map(socket => once(socket, 'close'))
  first.stream.close(http2.constants.NGHTTP2_CANCEL)
  await Promise.race(gone)
  assert.equal(proxy.service.proxy.active, 1)
  session.destroy()
  await Promise.all(gone)
})

test('where it is not allowed, or not taken, the answer is no success', async t => {
  const { proxy, session } = await setUp(t, 'upgrade: off')
  const refused = open(session)
  await proxy.until('the head', () => refused.status !== 0)
  assert.equal(refused.status, 403)
  const other = open(session, { ':protocol': 'connect-udp' })
  await proxy.until('the head', () => other.status !== 0)
  assert.equal(other.status, 403)
  const plain = await HttpUpstream.listen((_request, response) => response.end('no WebSocket'))
  // `node:http` answers an Upgrade that nobody listens for like any other request.
  const second = await InProcess.start(routeTo(plain.port))
  const client = http2.connect(`http://127.0.0.1:${second.port()}`)
  await once(client, 'remoteSettings')
  const untaken = open(client)
  await second.until('the head', () => untaken.status !== 0)
  assert.equal(untaken.status, 502)
  client.destroy()
  await second.stop()
  await plain.close()
})

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { seenBy } from '../harness/http-upstream.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { RawClient } from '../harness/raw-client.ts'
import { WebSocketUpstream } from '../harness/websocket-upstream.ts'

let upstream: WebSocketUpstream
let sidecar: Outrigger
let edge: Outrigger
before(async () => {
  upstream = await WebSocketUpstream.listen()
  sidecar = await Outrigger.start(`version: 1
service: chat
admin: { address: "127.0.0.1:0" }
listeners:
  - { name: in, role: inbound, address: "127.0.0.1:0", trustedProxies: 127.0.0.1, upstream: app }
  - { name: out, role: outbound, address: "127.0.0.1:0", upstreams: app }
upstreams: { app: { url: "http://127.0.0.1:${upstream.http.port}" } }
`)
  edge = await Outrigger.start(`version: 1
service: edge
admin: { address: "127.0.0.1:0" }
listeners:
  - name: in
    role: edge
    address: 127.0.0.1:0
    timeout: { total: 300ms }
    routes:
      - { name: closed, match: { path: /closed }, upstream: chat, upgrade: off }
      - { name: chat, upstream: chat }
upstreams: { chat: { url: "http://127.0.0.1:${sidecar.port('in')}" } }
telemetry: { accessLog: { write: on } }
`)
})
after(async () => {
  await Promise.all([edge.stop('SIGINT'), upstream.close()])
  await sidecar.stop('SIGINT')
})

async function open(path = '/chat', protocols: string[] = []): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${edge.port('in')}${path}`, protocols)
  socket.binaryType = 'arraybuffer'
  await once(socket, 'open', { signal: AbortSignal.timeout(5000) })
  return socket
}

async function next(socket: WebSocket): Promise<string> {
  // A message event of a WebSocket holds its data.
  const [event] = (await once(socket, 'message', { signal: AbortSignal.timeout(5000) })) as [MessageEvent]
  return String(event.data)
}

async function close(socket: WebSocket): Promise<CloseEvent> {
  const closed = once(socket, 'close', { signal: AbortSignal.timeout(5000) })
  socket.close(3001, 'enough')
  const [event] = (await closed) as [CloseEvent]
  return event
}

test('messages of every size pass edge and sidecar, and outlive the time for a response', async () => {
  const socket = await open('/chat?room=1', ['chat.v2', 'chat.v1'])
  assert.equal(socket.protocol, 'chat.v2')
  const seen = upstream.sockets.at(-1)?.request
  assert.equal(seen?.url, '/chat?room=1')
  assert.equal(seen.headers['x-forwarded-for'], '127.0.0.1, 127.0.0.1')
  assert.equal(seen.headers['via'], '1.1 outrigger, 1.1 outrigger')
  for (const size of [1, 125, 126, 65_535, 65_536, 1_048_576]) {
    const message = 'x'.repeat(size)
    socket.send(message)
    assert.equal(await next(socket), message, `${size} bytes`)
  }
  await pause(500)
  socket.send('still there')
  assert.equal(await next(socket), 'still there')
  assert.equal((await close(socket)).code, 3001)
  await edge.accessLogged(/"status":101.*"tunnel":"websocket"/)
})

test('what the service says first, in the write of its 101, arrives', async () => {
  upstream.greeting = 'welcome'
  const socket = new WebSocket(`ws://127.0.0.1:${edge.port('in')}/chat`)
  assert.equal(await next(socket), 'welcome')
  upstream.greeting = ''
  await close(socket)
})

test('a client that vanishes is seen by the service, a service that ends by the client', async () => {
  const client = await RawClient.connect(edge.port('in'))
  assert.equal((await client.ask(upgradeFor('a'))).status, 101)
  const there = upstream.sockets.at(-1)
  client.reset()
  // The file's own time bounds the wait.
  await there?.closed

  const socket = await open()
  const closed = once(socket, 'close', { signal: AbortSignal.timeout(5000) })
  upstream.sockets.at(-1)?.end()
  const [event] = (await closed) as [CloseEvent]
  assert.equal(event.code, 1006)
})

test('by HTTP_PROXY: through CONNECT and out of the sidecar', async () => {
  const client = await RawClient.connect(sidecar.port('out'))
  const opened = await client.ask('CONNECT app:80 HTTP/1.1\r\nhost: app:80\r\n\r\n', { method: 'CONNECT' })
  assert.equal(opened.status, 200)
  // A frame right behind the head: a masked text of two bytes, with a mask of zeros.
  const frame = '\x81\x82\0\0\0\0hi'
  const answer = await client.ask(upgradeFor('app') + frame)
  assert.equal(answer.status, 101)
  assert.equal(await client.readUntil('hi'), '\x81\x02hi')
  client.destroy()
})

test('a hundred at once', async () => {
  const sockets = await Promise.all(Array.from({ length: 100 }, () => open()))
  const answers = sockets.map(next)
  sockets.forEach((socket, i) => socket.send(`message ${i}`))
  assert.deepEqual(
    await Promise.all(answers),
    sockets.map((_, i) => `message ${i}`),
  )
  await Promise.all(sockets.map(close))
})

test('a route without upgrades refuses, another protocol is served as a plain request', async () => {
  const head = 'host: a\r\nconnection: upgrade\r\n'
  const client = await RawClient.connect(edge.port('in'))
  const refused = await client.ask(`GET /closed HTTP/1.1\r\n${head}upgrade: websocket\r\n\r\n`)
  assert.equal(refused.status, 403)
  client.destroy()
  const other = await RawClient.connect(edge.port('in'))
  const plain = await other.ask(
    `GET /chat HTTP/1.1\r\n${head}upgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\r\n`,
  )
  assert.equal(plain.status, 200)
  assert.equal(seenBy(plain.body).headers['upgrade'], undefined)
  other.destroy()
})

function upgradeFor(host: string): string {
  return [
    `GET /chat HTTP/1.1\r\nhost: ${host}\r\nconnection: upgrade\r\nupgrade: websocket\r\n`,
    'sec-websocket-version: 13\r\nsec-websocket-key: x3JJHMbDL1EzLkh9GBhXDw==\r\n\r\n',
  ].join('')
}

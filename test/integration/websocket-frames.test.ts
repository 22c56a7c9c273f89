import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import type { ServerOptions } from 'ws'
import { encodeFrame } from '../../sidecar/websocket/frame-fixture.ts'
import { routeTo } from '../harness/configs.ts'
import { InProcess, turns } from '../harness/in-process.ts'
import type { RawClient } from '../harness/raw-client.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'
import { WsClient, WsServer } from '../harness/ws-peers.ts'

/** A service on `ws` behind an Outrigger on a clock of the test's. */
async function setUp(t: TestContext, upgrade: string, options: ServerOptions = {}) {
  const server = await WsServer.listen(options)
  const clock = new SteppedClock()
  const proxy = await InProcess.start(routeTo(server.port, { route: `upgrade: ${upgrade}` }), { clock })
  t.after(async () => {
    await server.close()
    await proxy.stop()
  })
  return { server, proxy, port: proxy.port('in') }
}

const MASK = Buffer.from([4, 3, 2, 1])
const HEAD = [
  'GET /chat HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n',
  'sec-websocket-version: 13\r\nsec-websocket-key: x3JJHMbDL1EzLkh9GBhXDw==\r\n',
].join('')

/** Upgrades by hand. */
async function raw(proxy: InProcess, fields = ''): Promise<RawClient> {
  const client = await proxy.connect()
  assert.equal((await client.ask(`${HEAD}${fields}\r\n`)).status, 101)
  return client
}

test('silent ends are asked; their answers go no further, and keep the WebSocket open', async t => {
  const { server, proxy, port } = await setUp(t, 'on')
  const client = await WsClient.open(port)
  await proxy.step(31_000)
  await proxy.until('pings', () => client.pings === 1 && server.pings === 1)
  // Longer than any idle time.
  await proxy.step(600_000)
  assert.ok(client.pings > 5 && server.pings > 5, `${client.pings} and ${server.pings}`)
  assert.equal((await client.echo('still there')).toString(), 'still there')
  assert.deepEqual(client.pongs, [])
  assert.deepEqual(server.pongs, [])
  // Pings and pongs of the ends' own pass.
  client.socket.ping('mine')
  server.sockets[0]?.ping('theirs')
  await proxy.until('the pongs', () => client.pongs.length === 1 && server.pongs.length === 1)
  assert.deepEqual([client.pongs, server.pongs], [['mine'], ['theirs']])
  client.socket.close(3001, 'enough')
  assert.equal((await client.closed).code, 3001)
  const line = await proxy.accessLine(one => one.status === 101)
  assert.deepEqual([line['closed_by'], line['close_code'], line.reason], ['client', 3001, undefined])
  assert.ok(Number(line['duration_ms']) > 600_000)
})

test('an end that talks is not asked', async t => {
  const { server, proxy, port } = await setUp(t, '{ websocket: { ping: 10s } }')
  const client = await WsClient.open(port)
  for (let i = 0; i < 10; i++) {
    await client.echo('x')
    await proxy.step(6000)
  }
  assert.deepEqual([client.pings, server.pings], [0, 0])
})

test('`ping: off` asks nobody, and silence ends it', async t => {
  const { server, proxy, port } = await setUp(t, '{ websocket: { ping: off } }')
  const client = await WsClient.open(port)
  await proxy.step(310_000, 1000)
  assert.deepEqual([client.pings, server.pings], [0, 0])
  assert.equal((await client.closed).code, 1006)
  await proxy.accessLine(line => line.reason === 'upstream_idle')
})

test('a client that leaves two pings without an answer is given up, and the service told', async t => {
  const { server, proxy, port } = await setUp(t, '{ websocket: { ping: 10s } }')
  const client = await WsClient.open(port, '/', { autoPong: false })
  const gone = once(server.sockets[0] as NodeJS.EventEmitter, 'close')
  await proxy.step(29_000)
  assert.equal(client.pings, 2)
  assert.equal(client.over, false)
  await proxy.step(2000)
  const [code, reason] = await gone
  assert.deepEqual([code, String(reason)], [1001, 'no answer to pings'])
  const line = await proxy.accessLine(one => one.status === 101)
  assert.deepEqual([line['closed_by'], line['close_code']], ['outrigger', 1001])
})

test('a service that does not answer is given up, and the client told', async t => {
  const { proxy, port } = await setUp(t, '{ websocket: { ping: 10s } }', { autoPong: false })
  const client = await WsClient.open(port)
  await proxy.step(31_000)
  assert.deepEqual(await client.closed, { code: 1011, reason: 'no answer to pings' })
})

test('a WebSocket lives as long as the route says', async t => {
  const { server, proxy, port } = await setUp(t, '{ websocket: { max: 1m } }')
  const client = await WsClient.open(port)
  await proxy.step(59_000)
  await client.echo('x')
  const gone = once(server.sockets[0] as NodeJS.EventEmitter, 'close')
  await proxy.step(1500)
  assert.deepEqual(await client.closed, { code: 1001, reason: 'lifetime' })
  assert.equal((await gone)[0], 1001)
  const line = await proxy.accessLine(one => one.status === 101)
  assert.deepEqual([line['closed_by'], line['close_code'], line.reason], ['outrigger', 1001, undefined])
  const metrics = await proxy.metrics()
  assert.match(metrics, /^outrigger_active_tunnels\{protocol="websocket"\} 0$/m)
  assert.match(metrics, /^outrigger_tunnels_total\{protocol="websocket",result="opened"\} 1$/m)
  assert.match(metrics, /^outrigger_websocket_closes_total\{by="outrigger"\} 1$/m)
})

test('ends that do not close when they are told to are cut', async t => {
  const { proxy } = await setUp(t, '{ websocket: { max: 1m, ping: off } }')
  const client = await raw(proxy)
  await proxy.step(60_500)
  assert.equal(await client.readUntil('lifetime'), '\x88\x0a\x03\xe9lifetime')
  // The service has closed its side; the client never does.
  await proxy.until('FIN', () => client.ended)
  await proxy.step(5000)
  await proxy.accessLine(line => line.reason === 'client_gone' && line['cause'] === 'no end')
})

test('the lifetime ends what is in the middle of a frame without a code, and so what is no WebSocket', async t => {
  const { proxy } = await setUp(t, '{ websocket: { max: 1m } }')
  const middle = await raw(proxy)
  const frame = encodeFrame({ opcode: 1, payload: Buffer.alloc(1000), mask: MASK })
  middle.send(frame.subarray(0, 500))
  await proxy.step(63_000)
  assert.equal(middle.isClosed || middle.ended, true)
  await proxy.accessLine(line => line['cause'] === 'in the middle of a frame')
  await proxy.step(1000)
})

test('the origins that a route lists, and the own host', async t => {
  const { port } = await setUp(
    t,
    '{ websocket: { origins: [https://shop.example, "https://*.shop.example"] } }',
  )
  for (const origin of [
    'https://shop.example',
    'https://a.b.shop.example',
    `http://127.0.0.1:${port}`,
    undefined,
  ]) {
    const client = await WsClient.open(port, '/', origin === undefined ? {} : { origin })
    client.socket.close()
    await client.closed
  }
  for (const origin of [
    'https://evil.example',
    'http://shop.example',
    'https://shop.example:8443',
    'https://shop.example.evil.example',
    'https://evilshop.example',
    'null',
    '',
    'http://127.0.0.1',
    `http://127.0.0.1:${port}/`,
    `HTTPS://SHOP.EXAMPLE`,
  ]) {
    await assert.rejects(WsClient.open(port, '/', { origin: origin || ' ' }), /403/, origin)
  }
})

test('two Origin lines are no origin', async t => {
  const { proxy } = await setUp(t, '{ websocket: { origins: https://a.example } }')
  const two = 'origin: https://a.example\r\norigin: https://evil.example\r\n'
  const refused = await proxy.ask(`${HEAD}${two}\r\n`)
  assert.equal(refused.status, 400)
})

test('compressed messages, frames of every size, fragments and a flood of pings pass', async t => {
  const { server, proxy, port } = await setUp(t, '{ websocket: { ping: 10s } }')
  const client = await WsClient.open(port)
  assert.match(client.socket.extensions, /permessage-deflate/)
  for (const size of [0, 1, 125, 126, 127, 1023, 1024, 65_535, 65_536, 65_537, 300_000]) {
    const message = Buffer.alloc(size, 'compressible ')
    assert.ok((await client.echo(message)).equals(message), `${size} bytes`)
  }
  // In fragments with pings between them, compressed and not.
  for (const compress of [true, false]) {
    for (let i = 0; i < 5; i++) {
      client.socket.send('part '.repeat(300), { fin: i === 4, compress })
      client.socket.ping(`p${i}`)
    }
    assert.equal((await client.next()).toString(), 'part '.repeat(1500))
  }
  // `ws` itself takes only so many at once.
  for (let i = 0; i < 2000; i++) {
    client.socket.ping(String(i))
    if (i % 20 === 19) await proxy.until('the pongs', () => client.pongs.length === i + 11)
  }
  assert.equal(client.pongs.at(-1), '1999')
  // All this was followed: there is still room for ours between frames.
  await proxy.step(21_000)
  await proxy.until('pings', () => client.pings === 1 && server.pings > 2010)
})

test('an extension that nobody knows makes a plain tunnel', async t => {
  const upgraded = [
    'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n',
    'sec-websocket-extensions: permessage-deflate, x-frames\r\n\r\n',
  ].join('')
  const { proxy, server } = await setUp(t, '{ websocket: { ping: 10s } }', { noServer: false })
  server.server.removeAllListeners('connection')
  server.server.options.verifyClient = (info: { req: { socket: NodeJS.WritableStream } }) => {
    info.req.socket.write(upgraded)
    return true
  }
  const client = await proxy.connect()
  assert.equal((await client.ask(`${HEAD}\r\n`)).status, 101)
  await proxy.step(40_000)
  assert.ok(!client.unread.includes('\x89\x08'), 'no ping of ours')
  client.destroy()
})

test('what turns out not to be frames stays a plain tunnel', async t => {
  const { proxy, server } = await setUp(t, '{ websocket: { ping: 10s, max: 1m } }')
  const client = await raw(proxy)
  client.send('no frame')
  await turns(10)
  // The service says what it thinks of that, and closes; what came from it passes.
  await client.readToEnd()
  client.destroy()
  assert.equal(server.pings, 0)
  const line = await proxy.accessLine(one => one.status === 101)
  assert.equal(line['closed_by'], undefined)
})

import assert from 'node:assert/strict'
import net from 'node:net'
import { afterEach, beforeEach, test } from 'node:test'
import { freePort } from '../harness/free-port.ts'
import { InProcess } from '../harness/in-process.ts'
import type { RawClient } from '../harness/raw-client.ts'
import type { RawConnection } from '../harness/raw-connection.ts'
import { RawUpstream } from '../harness/raw-upstream.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'
import { stopsTheOther } from '../harness/stopped-side.ts'

// `protocol: tcp`: bytes pass as they are.

let service: RawUpstream
let proxy: InProcess
/** Nobody listens there. */
let closed: number

const yaml = (lines = ''): string => `version: 1
service: test
telemetry: { accessLog: { write: on } }
listeners:
  - { name: db, role: inbound, address: "127.0.0.1:0", protocol: tcp, timeout: { idle: 20s }, upstream: db }
  - { name: two, role: edge, address: "127.0.0.1:0", protocol: tcp, upstream: two }
  - { name: down, role: edge, address: "127.0.0.1:0", protocol: tcp, retry: off, upstream: down }
  - name: named
    role: edge
    address: 127.0.0.1:0
    protocol: tcp
    connection: { handshake: 2s }
    routes:
      - { name: only, match: { sni: a.example }, upstream: db }
${lines}upstreams:
  db: { endpoints: ["127.0.0.1:${service.port}"], limits: { inFlight: 2, pending: 1 } }
  two: { endpoints: ["127.0.0.1:${closed}", "127.0.0.1:${service.port}"], loadBalance: random, outlierDetection: off }
  down: { endpoints: ["127.0.0.1:${closed}"], outlierDetection: off }
`

beforeEach(async () => {
  service = await RawUpstream.listen()
  closed = await freePort()
  proxy = await InProcess.start(yaml(), { clock: new SteppedClock() })
})

afterEach(async () => {
  await proxy.stop()
  await service.close()
})

async function open(listener = 'db'): Promise<[RawClient, RawConnection]> {
  const client = await proxy.connect(listener)
  client.send('hello')
  const far = await service.accept()
  await far.readUntil('hello')
  return [client, far]
}

/** Connects, and waits until the connection is closed, which may be before it is seen to stand. */
async function refused(listener: string): Promise<void> {
  const socket = net.connect({ port: proxy.port(listener), host: '127.0.0.1' })
  socket.on('error', () => {})
  await new Promise(done => socket.on('close', done))
}

const line = (route = 'db') => proxy.accessLine(one => one.route === route)

test('bytes pass both ways, whoever speaks first; each side closes its own direction', async () => {
  const client = await proxy.connect('db')
  const far = await service.accept()
  far.send('220 ready\r\n')
  await client.readUntil('220 ready\r\n')
  client.send('QUIT')
  client.half()
  assert.equal(await far.readToEnd(), 'QUIT')
  far.send('bye')
  far.half()
  assert.equal(await client.readToEnd(), 'bye')
  const written = await line()
  assert.deepEqual(
    ['bytes_in', 'bytes_out', 'endpoint', 'upstream', 'attempts', 'reason', 'protocol', 'status'].map(
      key => written[key],
    ),
    [4, 14, `127.0.0.1:${service.port}`, 'db', 1, undefined, 'TCP', undefined],
  )
  client.destroy()
  await proxy.until('no connection', () => proxy.connections === 0)
  const metrics = await proxy.metrics()
  assert.match(metrics, /^outrigger_tcp_connections_total\{route="db",result="ok"\} 1$/m)
  assert.match(metrics, /^outrigger_tcp_bytes_total\{route="db",direction="in"\} 4$/m)
  assert.match(metrics, /^outrigger_tcp_bytes_total\{route="db",direction="out"\} 14$/m)
  assert.match(metrics, /^outrigger_active_tcp_connections\{route="db"\} 0$/m)
})

test('what the client sent before the other end was there, its FIN too, is passed on', async () => {
  const client = await proxy.connect('db')
  client.send('all of it')
  client.half()
  const far = await service.accept()
  assert.equal(await far.readToEnd(), 'all of it')
  far.half()
  assert.equal(await client.readToEnd(), '')
  client.destroy()
})

test('a reset of either side is one for the other, and in the log', async () => {
  const [client, far] = await open()
  far.reset()
  assert.equal(await client.closed(), 'ECONNRESET')
  assert.equal((await line()).reason, 'upstream_aborted')
  const [second, other] = await open()
  second.reset()
  assert.equal(await other.closed(), 'ECONNRESET')
  await proxy.accessLine(one => one.reason === 'client_gone')
  assert.match(
    await proxy.metrics(),
    /^outrigger_tcp_connections_total\{route="db",result="upstream_aborted"\} 1$/m,
  )
})

test('a side that takes nothing stops the other, both ways, and nothing is lost', async () => {
  const [client, far] = await open()
  await stopsTheOther(proxy, client, far)
  await stopsTheOther(proxy, far, client)
  client.destroy()
})

test('one in which nothing moves ends after the idle time', async () => {
  const [client, far] = await open()
  await proxy.step(14_000)
  far.send('x')
  await client.readUntil('x')
  await proxy.step(14_000)
  assert.equal(client.isClosed, false)
  await proxy.step(12_000)
  assert.equal(await client.closed(), 'ECONNRESET')
  await far.closed()
  assert.equal((await line()).reason, 'upstream_idle')
})

test('an endpoint that cannot be reached: another one; where there is none, the connection is closed', async () => {
  // Drawn at random, half of them at the wrong one first: the retry goes to the other, and not to any.
  for (let i = 0; i < 20; i++) {
    const [client, far] = await open('two')
    far.send('from the second')
    await client.readUntil('from the second')
    client.reset()
    await far.closed()
  }
  const written = await proxy.accessLine(one => one['attempts'] === 2)
  assert.deepEqual(
    [written['attempts'], written['retried_for'], written['endpoint']],
    [2, 'upstream_connect_failed', `127.0.0.1:${service.port}`],
  )
  await refused('down')
  assert.equal((await line('down')).reason, 'upstream_connect_failed')
  assert.match(
    await proxy.metrics(),
    /outrigger_errors_total\{route="down",reason="upstream_connect_failed"\} 1/,
  )
})

test('limits of the upstream are of connections: what is beyond waits, and beyond that is refused', async () => {
  const [first] = await open()
  const [second] = await open()
  const third = await proxy.connect('db')
  await proxy.until('three', () => proxy.service.proxy.active === 3)
  await refused('db')
  assert.equal((await line()).reason, 'upstream_overloaded')
  assert.equal(service.connections.length, 2)
  first.reset()
  third.send('now')
  await (await service.accept()).readUntil('now')
  for (const client of [second, third]) client.destroy()
})

test('a client that leaves while it waits leaves nothing behind', async () => {
  const [first] = await open()
  const [second] = await open()
  const third = await proxy.connect('db')
  await proxy.until('three', () => proxy.service.proxy.active === 3)
  // It is not read while it waits: it is noticed when it could go on.
  third.reset()
  first.reset()
  second.reset()
  await proxy.until('all gone', () => proxy.connections === 0)
})

test('no time for a place is endless', async () => {
  const [first] = await open()
  const [second] = await open()
  const third = await proxy.connect('db')
  await proxy.until('three', () => proxy.service.proxy.active === 3)
  await proxy.step(14_000)
  assert.equal(third.isClosed, false)
  // `timeout.total`, while those that are open are idle for 20 s at most.
  await proxy.step(1500)
  assert.equal(await third.closed(), 'ECONNRESET')
  assert.equal((await line()).reason, 'upstream_connect_timeout')
  for (const client of [first, second]) client.destroy()
})

for (const [what, bytes] of [
  ['no TLS', 'GET / HTTP/1.1\r\n\r\n'],
  ['junk that begins like it', '\x16\x03\x01\x00\x05hello'],
] as const)
  test(`by name only: ${what} finds no route and is closed`, async () => {
    const client = await proxy.connect('named')
    client.socket.write(Buffer.from(bytes, 'latin1'))
    assert.equal(await client.closed(), 'ECONNRESET')
    assert.equal((await line('none')).reason, 'no_route')
    assert.equal(service.connections.length, 0)
  })

test('by name only: one that says nothing is waited for as long as a handshake', async () => {
  const client = await proxy.connect('named')
  client.send('\x16\x03\x01')
  await proxy.until('accepted', () => proxy.connections === 1)
  await proxy.step(1500)
  assert.equal(client.isClosed, false)
  await proxy.step(1000)
  assert.equal(await client.closed(), 'ECONNRESET')
  const gone = await proxy.connect('named')
  gone.send('\x16\x03\x01')
  await proxy.until('accepted', () => proxy.connections === 1)
  gone.half()
  await proxy.until('gone', () => proxy.connections === 0)
  gone.destroy()
})

test('reloads do not touch it, and it holds no configuration', async () => {
  const [client, far] = await open()
  const first = proxy.service.holder.current
  first.take()
  await proxy.apply(yaml('  - { name: more, role: edge, address: "127.0.0.1:0", respond: { body: x } }\n'))
  first.give()
  assert.ok(first.ended)
  client.send('on')
  await far.readUntil('on')
  client.destroy()
})

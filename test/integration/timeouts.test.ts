// Every clock of a request, on a stepped clock: when it fires, when it does not, and what a client and the log then see.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { type InProcess, turns } from '../harness/in-process.ts'
import { reasonOf } from '../harness/problem.ts'
import { type More, withUpstream } from '../harness/proxied.ts'
import type { RawClient } from '../harness/raw-client.ts'
import type { RawConnection } from '../harness/raw-connection.ts'
import type { RawUpstream } from '../harness/raw-upstream.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'

const GET = 'GET /x HTTP/1.1\r\nhost: a\r\n\r\n'
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'

interface Under {
  readonly proxy: InProcess
  readonly upstream: RawUpstream
  readonly client: RawClient
  readonly server: RawConnection
}

/** A request under way: its head has reached the service, and the clock stands. */
async function underWay(t: TestContext, more: More, request = GET): Promise<Under> {
  const { upstream, proxy } = await withUpstream(t, more, { clock: new SteppedClock() })
  const client = await proxy.connect()
  t.after(() => client.destroy())
  client.send(request)
  const server = await upstream.accept()
  await server.readUntil('\r\n\r\n')
  await turns(5)
  return { proxy, upstream, client, server }
}

async function answered(client: RawClient, status: number, reason: string): Promise<void> {
  const response = await client.readResponse()
  assert.equal(response.status, status)
  assert.equal(reasonOf(response), reason)
}

test('the total time runs from the request on, and a response in time is passed', async t => {
  const { proxy, client, server } = await underWay(t, { route: 'timeout: { total: 5s }' })
  await proxy.step(4900)
  server.send(OK)
  assert.equal((await client.readResponse()).status, 200)
  client.send(GET)
  await server.readUntil('\r\n\r\n')
  await proxy.step(4900)
  assert.equal(client.unread.length, 0)
  await proxy.step(300)
  await answered(client, 504, 'upstream_timeout')
})

test('the total time of an upload begins with its last byte', async t => {
  const head = 'POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n'
  const { proxy, client } = await underWay(t, { route: 'timeout: { total: 2s, idle: 1m }' }, head)
  await proxy.step(4000)
  client.send('body')
  await turns(20)
  await proxy.step(1800)
  assert.equal(client.unread.length, 0)
  await proxy.step(400)
  await answered(client, 504, 'upstream_timeout')
})

test('a short total is timed to 10 ms', async t => {
  const { proxy, client } = await underWay(t, { route: 'timeout: 120ms\nretry: off' })
  await proxy.step(110, 10)
  assert.equal(client.unread.length, 0)
  await proxy.step(30, 10)
  await answered(client, 504, 'upstream_timeout')
})

test('one try has its own time; where nothing may follow it is the answer', async t => {
  const { proxy, client } = await underWay(t, { route: 'timeout: { perTry: 250ms }\nretry: off' })
  await proxy.step(240, 10)
  assert.equal(client.unread.length, 0)
  await proxy.step(30, 10)
  await answered(client, 504, 'upstream_timeout')
  assert.equal((await proxy.accessLine(line => line.status === 504))['cause'], 'one try')
})

test('a try that has as long as the whole route is none: the total decides', async t => {
  const { proxy, client } = await underWay(t, { route: 'timeout: { perTry: 2s, total: 2s }\nretry: off' })
  await proxy.step(1900)
  assert.equal(client.unread.length, 0)
  await proxy.step(300)
  await answered(client, 504, 'upstream_timeout')
  assert.equal((await proxy.accessLine(line => line.status === 504))['cause'], undefined)
})

test('the first byte: a byte of the head is enough, and then the total counts', async t => {
  const more = { route: 'timeout: { firstByte: 300ms, total: 5s }\nretry: off' }
  const { proxy, client } = await underWay(t, more)
  await proxy.step(320, 10)
  await answered(client, 504, 'upstream_timeout')
  assert.equal((await proxy.accessLine(line => line.status === 504))['cause'], 'no first byte')

  const other = await underWay(t, more)
  await other.proxy.step(200, 10)
  other.server.send('HTTP/1.1 2')
  await turns(20)
  await other.proxy.step(1000)
  other.server.send(OK.slice('HTTP/1.1 2'.length))
  assert.equal((await other.client.readResponse()).status, 200)
})

test('idle: counted from the last byte that moved, to a tick', async t => {
  const { proxy, client, server } = await underWay(t, { route: 'timeout: { idle: 10s }' })
  server.send('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\none')
  await client.readUntil('one')
  // It would have been looked at each quarter, and cut up to a quarter late.
  await proxy.step(9900)
  server.send('two')
  await client.readUntil('two')
  await proxy.step(9900)
  assert.equal(client.ended, false)
  await proxy.step(300)
  assert.equal(await client.readToEnd(), '')
  await proxy.accessLine(line => line.reason === 'upstream_idle')
})

test('idle: a client that takes its time is no silent upstream', async t => {
  const { proxy, client, server } = await underWay(t, { route: 'timeout: { idle: 2s }' })
  client.socket.pause()
  const size = 32 * 1024 * 1024
  server.send(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`)
  server.send(Buffer.alloc(size, 120))
  await turns(200)
  for (let i = 0; i < 5; i++) await proxy.step(1900)
  client.socket.resume()
  const body = await client.readResponse({ timeout: 15_000 })
  assert.equal(body.body.length, size)
})

test('a stream may last as long as it moves, unless the route says otherwise', async t => {
  const { proxy, client, server } = await underWay(t, { route: 'timeout: { total: 2s, idle: 5s }' })
  server.send('HTTP/1.1 200 OK\r\ncontent-length: 30\r\n\r\n')
  for (let i = 0; i < 10; i++) {
    server.send('abc')
    await client.readUntil('abc')
    await proxy.step(4000)
  }
  await proxy.accessLine(line => line.status === 200)
})

test("the caller's deadline shortens the total and goes on reduced", async t => {
  const more = { route: 'timeout: { header: x-request-timeout-ms }' }
  const request = 'GET /x HTTP/1.1\r\nhost: a\r\nx-request-timeout-ms: 2000\r\n\r\n'
  const { proxy, client, server } = await underWay(t, more, request)
  assert.match(server.received.toString(), /\r\nx-request-timeout-ms: 2000\r\n/)
  await proxy.step(1900)
  assert.equal(client.unread.length, 0)
  await proxy.step(300)
  await answered(client, 504, 'deadline_exceeded')
  // The service is not to blame for a caller's haste.
  assert.match(await proxy.metrics(), /outrigger_upstream_timeouts_total\{upstream="app"\} 0/)
})

test('each attempt is told what is left by then', async t => {
  const more = {
    route: 'timeout: { header: x-left }\nretry: { backoff: { from: 1s, to: 1s }, methods: GET }',
  }
  const { upstream, proxy, client, server } = await underWay(
    t,
    more,
    'GET /x HTTP/1.1\r\nhost: a\r\nx-left: 9000\r\n\r\n',
  )
  await proxy.step(1000)
  server.half()
  await turns(20)
  await proxy.step(1100, 10)
  const second = await upstream.accept()
  const head = await second.readUntil('\r\n\r\n')
  const left = Number(/\r\nx-left: (\d+)\r\n/.exec(head)?.[1])
  assert.ok(left <= 8000 && left >= 6900, head)
  assert.match(head, /\r\nx-request-attempt: 2\r\n/)
  second.send(OK)
  assert.equal((await client.readResponse()).status, 200)
})

test('grpc-timeout holds until the end of the response, and goes on in milliseconds', async t => {
  const request =
    'POST /x HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc\r\ngrpc-timeout: 3S\r\ncontent-length: 2\r\n\r\nhi'
  const { proxy, client, server } = await underWay(t, {}, request)
  assert.match(server.received.toString(), /\r\ngrpc-timeout: 3000m\r\n/)
  server.send('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf')
  await client.readUntil('half')
  await proxy.step(3200)
  assert.equal(await client.readToEnd(), '')
  await proxy.accessLine(line => line.reason === 'deadline_exceeded')
})

test('without timeout.header the field means nothing', async t => {
  const { proxy, client, server } = await underWay(
    t,
    {},
    'GET /x HTTP/1.1\r\nhost: a\r\nx-request-timeout-ms: 1\r\n\r\n',
  )
  assert.match(server.received.toString(), /\r\nx-request-timeout-ms: 1\r\n/)
  await proxy.step(1000)
  server.send(OK)
  assert.equal((await client.readResponse()).status, 200)
})

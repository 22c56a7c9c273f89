import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import type { Every } from '../../sidecar/upstream/discovery/dns.ts'
import type { Lookup } from '../../sidecar/upstream/discovery/lookup-queue.ts'
import { InProcess, turns } from '../harness/in-process.ts'
import { RawUpstream, RecordingSink } from '../harness/raw-upstream.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'

// What a name server does to those who ask for its names: nothing is there, nothing is said, another address.

const GET = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'

const asked: Parameters<Lookup>[1][] = []
const ticks = new Set<() => void>()
const every: Every = (_milliseconds, call) => {
  ticks.add(call)
  return { stop: () => ticks.delete(call) }
}
const lookup: Lookup = (_name, done) => asked.push(done)
const answer = (...addresses: string[]): void => asked.shift()?.(null, addresses)
const fail = (code: string): void => asked.shift()?.(Object.assign(new Error(code), { code }), [])
const refresh = (): void => ticks.forEach(call => call())

const leadingTo = (endpoint: string): string => `version: 1
service: test
listeners:
  - { name: in, role: inbound, address: "127.0.0.1:0", upstream: app }
upstreams:
  app: { endpoints: ["${endpoint}"], limits: { pending: 4 }, connection: { connect: 2s } }
telemetry: { accessLog: on }
`

let clock: SteppedClock
let sink: RecordingSink
let proxy: InProcess
beforeEach(async () => {
  asked.length = 0
  clock = new SteppedClock()
  sink = await RecordingSink.listen()
  proxy = await InProcess.start(leadingTo(`app.example:${sink.port}`), { clock, lookup, every })
})
afterEach(async () => {
  await proxy.stop()
  await sink.close()
  assert.equal(ticks.size, 0)
})

test('a reload to another name: requests wait for its address, also while those of before end', async () => {
  const [before, after] = [await proxy.connect(), await proxy.connect()]
  const slow = await RawUpstream.listen()
  await proxy.apply(leadingTo(`127.0.0.1:${slow.port}`))
  before.send(GET)
  const busy = await slow.accept()
  await busy.readUntil('\r\n\r\n')
  asked.length = 0
  await proxy.apply(leadingTo(`other.example:${sink.port}`))
  after.send(GET)
  await proxy.until('one waiting', () => proxy.service.proxy.active === 2)
  busy.send('HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nold')
  assert.equal((await before.readResponse()).body.toString(), 'old')
  assert.equal(after.received.length, 0)
  answer('127.0.0.1')
  assert.equal((await after.readResponse()).status, 200)
  before.destroy()
  after.destroy()
  await slow.close()
})

test('requests wait for the first answer and are then served', async () => {
  const [one, two] = [await proxy.connect(), await proxy.connect()]
  one.send(GET)
  two.send(GET)
  await proxy.until('two waiting', () => proxy.service.proxy.active === 2)
  assert.equal(sink.connections.length, 0)
  answer('127.0.0.1')
  assert.equal((await one.readResponse()).status, 200)
  assert.equal((await two.readResponse()).status, 200)
  one.destroy()
  two.destroy()
})

test('a name that is not there is 503 upstream_unresolved at once, and served as soon as it is', async () => {
  const waiting = await proxy.connect()
  waiting.send(GET)
  await proxy.until('one waiting', () => proxy.service.proxy.active === 1)
  fail('ENOTFOUND')
  const first = await waiting.readResponse()
  assert.equal(first.status, 503)
  assert.match(first.body.toString(), /upstream_unresolved/)
  // Not told to clients, but in the log.
  assert.ok(!first.body.toString().includes('ENOTFOUND'))
  assert.match(
    String((await proxy.accessLine(line => line.status === 503))['cause']),
    /app\.example.*ENOTFOUND/,
  )
  assert.equal((await proxy.ask(GET)).status, 503)
  refresh()
  answer('127.0.0.1')
  assert.equal((await proxy.ask(GET)).status, 200)
  const told = proxy.errors.filter(line => line['name'] === 'app.example')
  assert.deepEqual(
    told.map(line => [line['level'], line['msg'], line['cause'], line['addresses_kept']]),
    [
      ['warn', 'a name is not found', 'ENOTFOUND', 0],
      ['info', 'a name is found again', undefined, undefined],
    ],
  )
  waiting.destroy()
})

test('a first look-up that hangs ten seconds fails those who wait in time, bounds how many wait, and recovers', async () => {
  const clients = await Promise.all(Array.from({ length: 6 }, () => proxy.connect()))
  for (const client of clients) client.send(GET)
  await proxy.until('waiting', () => proxy.access.length === 2)
  // Two of the six found no room to wait.
  assert.deepEqual(
    proxy.access.map(line => line.reason),
    ['upstream_overloaded', 'upstream_overloaded'],
  )
  await proxy.step(2200)
  for (const client of clients) assert.equal((await client.readResponse()).status, 503)
  assert.equal(proxy.access.filter(line => line.reason === 'upstream_unresolved').length, 4)
  await proxy.step(8000)
  answer('127.0.0.1')
  assert.equal((await proxy.ask(GET)).status, 200)
  for (const client of clients) client.destroy()
})

test('a later look-up that hangs or fails changes nothing for requests', async () => {
  answer('127.0.0.1')
  assert.equal((await proxy.ask(GET)).status, 200)
  refresh()
  await proxy.step(10_000)
  assert.equal((await proxy.ask(GET)).status, 200)
  fail('EAI_AGAIN')
  assert.equal((await proxy.ask(GET)).status, 200)
  refresh()
  answer()
  assert.equal((await proxy.ask(GET)).status, 200)
})

test('after an address changed, new requests go to the new one; what is under way on the old one ends there', async () => {
  answer('127.0.0.1')
  sink.replyAlways('')
  const before = await proxy.connect()
  before.send(GET)
  await proxy.until('the request at the old address', () => sink.requestsSeen().length === 1)
  refresh()
  answer('127.0.0.2')
  await turns(3)
  // Nobody listens there: what matters is where it goes.
  const asked = proxy.ask(GET)
  await turns(30)
  // Past the pause before a retry.
  await proxy.step(300)
  const after = await asked
  if (after.status !== 200)
    assert.match(String((await proxy.accessLine(line => line.status === 502))['endpoint']), /^127\.0\.0\.2:/)
  sink.connections[0]?.send('HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nold')
  assert.equal((await before.readResponse()).body.toString(), 'old')
  // The old endpoint's connection is not kept.
  await proxy.until(
    'its close',
    () => sink.connections[0]?.ended === true || sink.connections[0]?.isClosed === true,
  )
  before.destroy()
})

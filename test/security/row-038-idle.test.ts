// Row 38 of docs/security.md: sessions that only stand there, or that outlive what they were told.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { InProcess } from '../harness/in-process.ts'
import { CODE, pseudo, RawH2, TYPE } from '../harness/raw-h2.ts'
import { RawUpstream } from '../harness/raw-upstream.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'

const MANY = 1000

test(`${MANY} idle sessions are told and closed when their time is over, and hold nothing`, async () => {
  const proxy = await InProcess.start(routeTo(1), { clock: new SteppedClock() })
  const clients: RawH2[] = []
  for (let i = 0; i < MANY; i++) clients.push(await RawH2.connect(proxy.port()))
  await Promise.all(clients.map(client => client.roundTrip(20_000)))
  assert.equal(proxy.connections, MANY)
  // PINGs are no sign of life: only requests are.
  for (let second = 0; second < 80; second += 20) {
    await proxy.step(20_000, 1000)
    const open = clients.filter(client => client.goaway === null)
    for (const client of open.slice(0, 10)) client.frame(TYPE.ping, 0, 0, Buffer.alloc(8))
  }
  await proxy.step(5000, 1000)
  await Promise.all(clients.map(client => client.end(20_000)))
  assert.ok(clients.every(client => client.goaway?.code === CODE.none))
  await proxy.until('no connection', () => proxy.connections === 0)
  await proxy.stop()
})

test('a session grows no older than allowed, and is not cut in the middle of a request', async () => {
  const upstream = await RawUpstream.listen()
  const proxy = await InProcess.start(
    routeTo(upstream.port, { listener: 'connection: { age: 60s, keepAlive: 1h }', route: 'timeout: off' }),
    { clock: new SteppedClock() },
  )
  const client = await RawH2.connect(proxy.port())
  const id = client.get('/open')
  await proxy.until('the request', () => upstream.connections.length === 1)
  await proxy.step(70_000, 500)
  await client.until('GOAWAY', () => client.goaway !== null)
  assert.equal(client.goaway?.code, CODE.none)
  assert.equal(client.closed, false)
  assert.equal(client.answer(id).ended, false)
  upstream.connections[0]?.send('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
  assert.equal((await client.over(id)).status, 200)
  await client.end()
  await proxy.stop()
  await upstream.close()
})

test('a client that goes on after GOAWAY is not served, and closed in the end', async () => {
  const upstream = await RawUpstream.listen()
  const proxy = await InProcess.start(
    routeTo(upstream.port, { listener: 'limits: { requestsPerConnection: 1 }' }),
    {
      clock: new SteppedClock(),
    },
  )
  const client = await RawH2.connect(proxy.port())
  const open = client.request(pseudo('GET', '/open'))
  await client.until('both GOAWAYs', () => client.goaway !== null && client.goaway.last === open)
  const late = client.get('/here')
  await client.roundTrip()
  assert.equal(client.answer(late).status, 0)
  client.reset(open)
  await client.end()
  await proxy.stop()
  await upstream.close()
})

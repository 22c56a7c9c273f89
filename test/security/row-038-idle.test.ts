// Row 38 of docs/security.md: sessions that only stand there, or that outlive what they were told.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { InProcess } from '../harness/in-process.ts'
import { CODE, pseudo, RawH2 } from '../harness/raw-h2.ts'
import { RawUpstream } from '../harness/raw-upstream.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'
import { idleSessions } from './idle-sessions.ts'

test('1,000 idle sessions are told and closed when their time is over, and hold nothing', () =>
  idleSessions(1000))

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

// Row 41 of docs/security.md: a service whose sessions stand and take no stream. Each request that waits must not make
// connections without end of that.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { InProcess, turns } from '../harness/in-process.ts'
import { RawH2Server, type RawH2Script } from '../harness/raw-h2-server.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'

const MAX_CONCURRENT = 3
const REQUEST = 'GET /x HTTP/1.1\r\nhost: a.example\r\n\r\n'

async function behind(
  t: TestContext,
  script: RawH2Script,
): Promise<{ proxy: InProcess; server: RawH2Server }> {
  const server = await RawH2Server.listen(script)
  const proxy = await InProcess.start(
    routeTo(server.port, {
      route: 'retry: off',
      upstream: 'protocol: http2\nhealthCheck: off\noutlierDetection: off\nconnection: { connect: 5s }',
    }),
    { clock: new SteppedClock() },
  )
  t.after(async () => {
    await proxy.stop()
    await server.close()
  })
  return { proxy, server }
}

test('one that takes no stream for now has one session, and who waits is served by it or hears 503 in time', async t => {
  const { proxy, server } = await behind(t, {
    settings: [MAX_CONCURRENT, 0],
    onRequest: (peer, stream) => peer.answer(stream),
  })
  const early = proxy.ask(REQUEST)
  await proxy.until('a session', () => server.peers.length === 1)
  await turns(200)
  await proxy.step(2000)
  assert.equal(server.peers.length, 1)
  server.peers[0]?.settings([MAX_CONCURRENT, 1])
  assert.equal((await early).status, 200)

  server.peers[0]?.settings([MAX_CONCURRENT, 0])
  const late = proxy.ask(REQUEST)
  await proxy.until('another session', () => server.peers.length === 2)
  await turns(50)
  await proxy.step(6000)
  assert.equal((await late).status, 503)
  assert.equal((await proxy.accessLine(line => line.status === 503)).reason, 'upstream_overloaded')
  assert.equal(server.peers.length, 2)
})

test('one that says GOAWAY to each session before a stream is asked for another once a second', async t => {
  const { proxy, server } = await behind(t, {
    settings: [MAX_CONCURRENT, 0],
    onOpen: peer => peer.goaway(0),
  })
  const asked = proxy.ask(REQUEST)
  await proxy.until('a session', () => server.peers.length === 1)
  await turns(200)
  assert.equal(server.peers.length, 1)
  await proxy.step(6000)
  assert.equal((await asked).status, 503)
  assert.ok(server.peers.length >= 2 && server.peers.length <= 6, `${server.peers.length} sessions`)
})

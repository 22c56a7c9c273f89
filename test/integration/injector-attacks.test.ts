// The webhook against who can reach its port, and against a replica whose clock is wrong.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect, type TLSSocket } from 'node:tls'
import { FakeCluster } from '../harness/fake-cluster.ts'
import { podOf, RunningInjector } from '../harness/running-injector.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'

const DAY = 86_400_000

/** A connection that asked for something, was answered, and stays. */
async function idle(port: number): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false })
  socket.on('error', () => {})
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  await Promise.race(
    ['data', 'close'].map(event => new Promise<void>(resolve => socket.once(event, () => resolve()))),
  )
  return socket
}

test('connections that ask nothing more keep nobody out', async t => {
  const cluster = await FakeCluster.create()
  const running = await RunningInjector.start(cluster, { bounds: { maxConnections: 8 } })
  const sockets: TLSSocket[] = []
  t.after(async () => {
    for (const socket of sockets) socket.destroy()
    await running.close()
    await cluster.close()
  })
  for (let round = 0; round < 12; round++) sockets.push(await idle(running.port))
  assert.ok((await cluster.review(running.port, podOf())).isPatched)
})

for (const [what, ahead] of [
  ['that all others are over', 40],
  ['that they are half over', 20],
] as const) {
  test(`a replica whose clock is so far ahead ${what} keeps the API server from nobody else`, async t => {
    const cluster = await FakeCluster.create()
    const options = { lookMs: 3_600_000 }
    const right = await RunningInjector.start(cluster, options)
    const wrong = await RunningInjector.start(cluster, options, new SteppedClock(0, Date.now() + ahead * DAY))
    t.after(async () => {
      await Promise.all([right.close(), wrong.close()])
      await cluster.close()
    })
    for (let round = 0; round < 3; round++) {
      await right.injector.look()
      await cluster.handshake(right.port)
      await wrong.injector.look()
      await cluster.handshake(right.port)
    }
    await right.injector.look()
    assert.ok(right.log.some(line => line.includes('the clock of a replica is wrong')))
    assert.ok(cluster.caBundle.split('BEGIN CERTIFICATE').length - 1 <= 2)
    // One that starts now as well.
    const late = await RunningInjector.start(cluster, options)
    t.after(() => late.close())
    await cluster.handshake(late.port)
    await cluster.handshake(right.port)
  })
}

test('a replica whose clock is behind takes what the others made', async t => {
  const cluster = await FakeCluster.create()
  const options = { lookMs: 3_600_000 }
  const right = await RunningInjector.start(cluster, options)
  const path = '/api/v1/namespaces/outrigger-system/secrets/outrigger-injector-tls'
  const secret = cluster.api.get(path)
  assert.ok(secret !== undefined)
  // As the API server says when and by whom it was written.
  const managedFields = [{ manager: 'outrigger', operation: 'Update', time: new Date().toISOString() }]
  cluster.api.put(path, { ...secret, metadata: { ...(secret['metadata'] as object), managedFields } })
  const behind = await RunningInjector.start(cluster, options, new SteppedClock(0, 0))
  t.after(async () => {
    await Promise.all([right.close(), behind.close()])
    await cluster.close()
  })
  assert.equal(await cluster.handshake(behind.port), await cluster.handshake(right.port))
  assert.equal(cluster.caBundle.split('BEGIN CERTIFICATE').length - 1, 1)
})

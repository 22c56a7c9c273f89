import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import type { AddressInfo } from 'node:net'
import { mock, type TestContext, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Acceptor } from '../listener/acceptor.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { Drain } from './drain.ts'

type Role = 'inbound' | 'outbound' | 'edge'

/** Listeners of these roles, a clock that moves when the test says so, and what was done to each listener and when. */
function setUp(t: TestContext, roles: readonly Role[], app?: number) {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.after(() => mock.timers.reset())
  const state = { now: 0, active: 0 }
  const events: string[] = []
  const acceptors = roles.map((role, at) => ({
    entry: `${role}-${at}`,
    size: 1,
    busy: 0,
    accepted: 0,
    announce: () => events.push(`${state.now} ${role} announce`),
    close: () => events.push(`${state.now} ${role} close`),
    drainIdle(): void {
      events.push(`${state.now} ${role} drainIdle`)
      this.size = this.busy
    },
    force(): number {
      const { busy } = this
      this.size = 0
      return busy
    },
  }))
  const endpoints = app === undefined ? [] : [{ address: { kind: 'tcp', host: '127.0.0.1', port: app } }]
  const routes = [{ value: { action: { kind: 'upstream', upstream: { endpoints } } } }]
  const entries = new Map(
    acceptors.map((one, at) => [
      one.entry,
      { key: one.entry, listeners: [{ role: roles[at], table: { entries: routes } }] },
    ]),
  )
  const parts = {
    // A drain uses no more of acceptors and snapshots than this.
    acceptors: acceptors as unknown as Acceptor[],
    snapshot: { entries } as unknown as Snapshot,
    tunnels: [],
    active: () => state.active,
    now: () => state.now,
  }
  const advance = async (milliseconds: number): Promise<void> => {
    for (let gone = 0; gone < milliseconds; gone += 100) {
      for (let i = 0; i < 5; i++) await nextTurn()
      state.now += 100
      mock.timers.tick(100)
    }
    for (let i = 0; i < 5; i++) await nextTurn()
  }
  return { acceptors, events, state, parts, advance }
}

test('announced at once, closed after five seconds, over with the last connection', async t => {
  const { acceptors, events, parts, advance } = setUp(t, ['inbound', 'edge'])
  const [inbound] = acceptors
  assert.ok(inbound !== undefined)
  inbound.busy = 1
  let cut = -1
  void new Drain(parts, { timeout: 30_000, interactive: false }).run().then(count => (cut = count))
  await advance(4900)
  assert.deepEqual(events, ['0 inbound announce', '0 edge announce'])
  await advance(200)
  assert.deepEqual(events.slice(2), [
    '5000 inbound close',
    '5000 edge close',
    '5000 inbound drainIdle',
    '5000 edge drainIdle',
  ])
  await advance(3000)
  assert.equal(cut, -1)
  inbound.busy = 0
  inbound.size = 0
  await advance(200)
  assert.equal(cut, 0)
})

test('what is still under way at the deadline is cut and counted', async t => {
  const { acceptors, parts, advance } = setUp(t, ['inbound'])
  const [inbound] = acceptors
  assert.ok(inbound !== undefined)
  inbound.busy = 3
  let cut = -1
  void new Drain(parts, { timeout: 8000, interactive: false }).run().then(count => (cut = count))
  await advance(7900)
  assert.equal(cut, -1)
  await advance(200)
  assert.equal(cut, 3)
})

test('a deadline sooner than the notice shortens it', async t => {
  const { events, parts, advance } = setUp(t, ['inbound'])
  let cut = -1
  void new Drain(parts, { timeout: 1000, interactive: false }).run().then(count => (cut = count))
  await advance(1200)
  assert.equal(cut, 0)
  assert.ok(events.includes('1000 inbound close'))
})

test('from a terminal there is no notice, and a second signal ends it', async t => {
  const { acceptors, events, parts, advance } = setUp(t, ['inbound'])
  const [inbound] = acceptors
  assert.ok(inbound !== undefined)
  inbound.busy = 2
  let cut = -1
  const drain = new Drain(parts, { timeout: 30_000, interactive: true })
  void drain.run().then(count => (cut = count))
  await advance(100)
  assert.ok(events.includes('0 inbound close'))
  assert.equal(cut, -1)
  drain.force()
  await advance(100)
  assert.equal(cut, 2)
})

test('one that is abandoned closes nothing any more, whatever it waits for', async t => {
  const { acceptors, events, parts, advance } = setUp(t, ['inbound'])
  const [inbound] = acceptors
  assert.ok(inbound !== undefined)
  inbound.busy = 1
  for (const [wait, done] of [
    [1000, ['announce']],
    [5500, ['announce', 'close', 'drainIdle']],
  ] as const) {
    events.length = 0
    const drain = new Drain(parts, { timeout: 30_000, interactive: false })
    const run = drain.run()
    await advance(wait)
    drain.abandon()
    await advance(1000)
    assert.equal(await run, 0)
    assert.deepEqual(
      events.map(event => event.split(' ')[2]),
      done,
    )
    assert.equal(inbound.size, 1)
  }
})

test('outbound listeners go on until the app is gone and nothing is in flight', async t => {
  const app = net.createServer(socket => socket.on('error', () => {})).listen(0, '127.0.0.1')
  await once(app, 'listening')
  const { port } = app.address() as AddressInfo // it listens on TCP
  const { acceptors, events, state, parts, advance } = setUp(t, ['inbound', 'outbound'], port)
  state.active = 1
  let cut = -1
  void new Drain(parts, { timeout: 60_000, interactive: false }).run().then(count => (cut = count))
  await advance(9000)
  assert.ok(!events.some(event => event.includes('outbound')), events.join(', '))
  app.close()
  await once(app, 'close')
  const announced = (): boolean => events.some(event => event.endsWith('outbound announce'))
  for (let i = 0; i < 50 && !announced(); i++) await advance(100)
  assert.ok(announced())
  assert.ok(!events.some(event => event.endsWith('outbound close')))
  state.active = 0
  await advance(300)
  assert.ok(events.some(event => event.endsWith('outbound close')))
  assert.equal(acceptors[1]?.size, 0)
  assert.equal(cut, 0)
})

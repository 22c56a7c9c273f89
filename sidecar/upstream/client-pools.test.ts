import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClientEnds, ConnectionPool, ConnectionWaiter, PoolSettings } from '../exchange/outgoing.ts'
import type { Destination } from '../runtime/destination.ts'
import { ClientPools } from './client-pools.ts'
import { ownHeader } from './proxy-header.ts'

const NEVER = { connect: 1000, keepAlive: 1000 }
const OWN: Destination = { at: { host: '127.0.0.1', port: 80 }, tls: null, preface: ownHeader('v1') }

/** A pool that only writes down what it is asked, and has as many connections as it is told. */
class FakePool implements ConnectionPool {
  readonly header: string
  idle = 0
  size = 0
  asked = 0
  cancelled = 0
  closed = false
  settings: PoolSettings | null = null

  constructor(target: Destination) {
    this.header = target.preface?.toString('latin1') ?? ''
  }

  get open(): number {
    return this.size
  }

  ready(): boolean {
    return this.idle > 0
  }

  acquire(): void {
    this.asked++
    this.size = Math.max(1, this.size)
  }

  cancel(): void {
    this.cancelled++
  }

  evict(): boolean {
    if (this.idle === 0) return false
    this.idle--
    this.size--
    return true
  }

  configure(settings: PoolSettings): void {
    this.settings = settings
  }

  close(): void {
    this.closed = true
  }
}

function bench(): { pools: ClientPools; made: FakePool[]; ask: (peer?: ClientEnds) => FakePool } {
  const made: FakePool[] = []
  const pools = new ClientPools(OWN, 'v1', NEVER, target => {
    const pool = new FakePool(target)
    made.push(pool)
    return pool
  })
  const ask = (peer?: ClientEnds): FakePool => {
    const before = made.map(pool => pool.asked)
    pools.acquire(waiter(peer), false)
    const asked = made.find((pool, index) => pool.asked !== (before[index] ?? 0))
    assert.ok(asked)
    return asked
  }
  return { pools, made, ask }
}

function waiter(peer?: ClientEnds): ConnectionWaiter {
  return { ...(peer === undefined ? {} : { peer }), onConnection() {}, onNoConnection() {} }
}

function client(port: number, localPort = 443): ClientEnds {
  return { address: '192.0.2.1', port, local: { address: '198.51.100.1', port: localPort } }
}

test('the same two ends have the same pool, whatever object says them; other ends, and we, have another', () => {
  const { made, ask } = bench()
  const one = ask(client(1))
  assert.equal(ask(client(1)), one)
  assert.notEqual(ask(client(2)), one)
  assert.notEqual(ask(client(1, 444)), one)
  ask()
  assert.deepEqual(
    made.map(pool => pool.header),
    [
      'PROXY TCP4 192.0.2.1 198.51.100.1 1 443\r\n',
      'PROXY TCP4 192.0.2.1 198.51.100.1 2 443\r\n',
      'PROXY TCP4 192.0.2.1 198.51.100.1 1 444\r\n',
      'PROXY UNKNOWN\r\n',
    ],
  )
})

test('what is idle of whoever has not asked for longest goes first; who is ready, is so for himself alone', () => {
  const { pools, ask } = bench()
  const [first, second] = [ask(client(1)), ask(client(2))]
  assert.equal(pools.evict(), false)
  first.idle = 1
  second.idle = 1
  assert.deepEqual([pools.idle, pools.size, pools.open], [2, 2, 2])
  ask(client(1))
  assert.equal(pools.evict(), true)
  assert.deepEqual([first.idle, second.idle], [1, 0])
  assert.deepEqual([pools.ready(client(1)), pools.ready(client(2)), pools.ready()], [true, false, false])
})

test('clients that have left nothing are forgotten, one that has a connection never', () => {
  const { pools, made, ask } = bench()
  const kept = ask(client(1))
  for (let port = 2; port <= 1000; port++) ask(client(port)).size = 0
  assert.equal(ask(client(1)), kept)
  assert.equal(made.length, 1000)
  // Closing is told to each pool that is still known.
  pools.close()
  assert.ok(made.filter(pool => pool.closed).length < 40)
  assert.equal(kept.closed, true)
})

test('settings and the end reach pools that are there and those that come; who waits is found again', () => {
  const { pools, ask } = bench()
  const early = ask(client(1))
  const settings = { connect: 1, keepAlive: 2 }
  pools.configure(settings)
  pools.cancel(waiter(client(1)))
  pools.cancel(waiter(client(9)))
  assert.deepEqual([early.settings, early.cancelled, early.closed], [settings, 1, false])
  pools.close()
  const late = ask(client(2))
  assert.deepEqual([late.settings, late.closed, early.closed], [settings, true, true])
})

import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { RawUpstream } from '../../test/harness/raw-upstream.ts'
import { SteppedClock } from '../../test/harness/stepped-clock.ts'
import { NO_BODY } from '../exchange/body.ts'
import type { ConnectionWaiter, OutgoingConnection, ResponseTaker } from '../exchange/outgoing.ts'
import type { ProxyError } from '../exchange/proxy-error.ts'
import { MemoryBudget } from '../runtime/memory-budget.ts'
import { ReadBuffers } from '../runtime/read-buffers.ts'
import { TimerWheel } from '../runtime/timer-wheel.ts'
import { ClientConnection } from './client-connection.ts'
import { Pool } from './pool.ts'

const SETTINGS = { connect: 1000, keepAlive: 3000 }
const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'

/** Somebody who waits for a connection, and says what it got. */
class Waiter implements ConnectionWaiter {
  connection: OutgoingConnection | null = null
  error: ProxyError | null = null
  readonly #settled = Promise.withResolvers<void>()
  onConnection(connection: OutgoingConnection): void {
    this.connection = connection
    this.#settled.resolve()
  }
  onNoConnection(error: ProxyError): void {
    this.error = error
    this.#settled.resolve()
  }
  async got(): Promise<OutgoingConnection> {
    await this.#settled.promise
    if (this.connection === null) throw new Error(`no connection: ${this.error?.reason}`)
    return this.connection
  }
  async failed(): Promise<string> {
    await this.#settled.promise
    return this.error?.reason ?? 'got one'
  }
}

let upstream: RawUpstream
let clock: SteppedClock
let wheel: TimerWheel
let buffers: ReadBuffers
let pool: Pool
const counters = { connectsOpened: 0, connectsFailed: 0 }
beforeEach(async () => {
  upstream = await RawUpstream.listen()
  clock = new SteppedClock()
  wheel = clock.drive(new TimerWheel(clock))
  buffers = new ReadBuffers(new MemoryBudget(1e9))
  counters.connectsOpened = 0
  counters.connectsFailed = 0
  pool = new Pool(
    { at: { host: '127.0.0.1', port: upstream.port }, tls: null },
    SETTINGS,
    counters,
    buffers,
    wheel,
  )
})
afterEach(async () => {
  pool.close()
  await upstream.close()
  await until(() => pool.open === 0)
  assert.equal(buffers.held, 0)
  clock.step(60_000)
  assert.equal(wheel.size, 0)
})

async function until(met: () => boolean): Promise<void> {
  const end = performance.now() + 2000
  while (!met() && performance.now() < end) await new Promise(setImmediate)
  assert.ok(met())
}

function wait(fresh = false): Waiter {
  const waiter = new Waiter()
  pool.acquire(waiter, fresh)
  return waiter
}

function ask(connection: OutgoingConnection): Promise<string> {
  return new Promise(resolve => {
    const taker: ResponseTaker = {
      onInformational() {},
      onResponse(_head, body) {
        body.start({ chunk: () => true, end: () => resolve('ok'), abort: error => resolve(error.reason) })
      },
      onRequestSent() {},
      onFailure: error => resolve(`${error.reason} ${error.repeatable}`),
    }
    connection.send(
      {
        method: 'GET',
        target: '/',
        host: 'a',
        headers: [],
        body: NO_BODY,
        tunnel: null,
        expectsContinue: false,
      },
      taker,
    )
  })
}

/** Uses a connection once, so that it goes back to the pool. */
async function use(connection: OutgoingConnection, answer = ANSWER): Promise<void> {
  const asked = ask(connection)
  const service = upstream.connections.at(-1)
  assert.ok(service !== undefined)
  await service.readUntil('\r\n\r\n')
  service.send(answer)
  assert.equal(await asked, 'ok')
  await new Promise(setImmediate)
}

test('opens a connection for who waits, and hands out the one used last', async () => {
  const [a, b] = await Promise.all([wait().got(), wait().got()])
  assert.notEqual(a, b)
  assert.equal(counters.connectsOpened, 2)
  const answers = [ask(a), ask(b)]
  await until(() => upstream.connections.length === 2)
  for (const service of upstream.connections) {
    await service.readUntil('\r\n\r\n')
    service.send(ANSWER)
    await new Promise(done => setTimeout(done, 5))
  }
  await Promise.all(answers)
  await until(() => pool.idle === 2)
  const last = await wait().got()
  assert.equal(pool.idle, 1)
  const other = await wait().got()
  assert.notEqual(last, other)
  assert.equal(counters.connectsOpened, 2)
  last.abort(null)
  other.abort(null)
})

test('who waits takes what becomes free first, and what was being opened for it waits idle', async () => {
  const first = await wait().got()
  await upstream.accept()
  // Two wait; the connection that comes back goes to the one that waits longest.
  const asked = ask(first)
  const [second, third] = [wait(), wait()]
  const service = upstream.connections[0]
  await service?.readUntil('\r\n\r\n')
  service?.send(ANSWER)
  await asked
  const got = await Promise.all([second.got(), third.got()])
  assert.equal(new Set(got).size, 2)
  await until(() => counters.connectsOpened === 3)
  assert.equal(pool.open, 3)
  for (const connection of got) connection.abort(null)
  first.abort(null)
})

test('a connection that waited without ever being used may have been closed unseen like any other', async () => {
  const waiter = wait()
  pool.cancel(waiter)
  await until(() => pool.idle === 1)
  assert.equal(waiter.connection, null)
  const connection = await wait().got()
  assert.equal(connection.used, true)
  const asked = ask(connection)
  const service = await upstream.accept()
  await service.readUntil('\r\n\r\n')
  service.destroy()
  assert.equal(await asked, 'upstream_reset reuse_race')
  const fresh = await wait(true).got()
  assert.equal(fresh.used, false)
  fresh.abort(null)
})

test('a failed connect fails one waiter, each its own', async () => {
  await upstream.close()
  const waiters = [wait(), wait(), wait(true)]
  for (const waiter of waiters) assert.equal(await waiter.failed(), 'upstream_connect_failed')
  assert.equal(counters.connectsFailed, 3)
  for (const waiter of waiters) assert.equal(waiter.error?.repeatable, 'never_processed')
})

test('a connect that takes too long fails by the clock', async () => {
  // An address that answers nothing: a listener whose queue nobody empties cannot be had on every system.
  const silent = new Pool(
    { at: { host: '192.0.2.1', port: 9 }, tls: null },
    { ...SETTINGS, connect: 500 },
    counters,
    buffers,
    wheel,
  )
  const waiter = new Waiter()
  silent.acquire(waiter, false)
  clock.step(400)
  assert.equal(waiter.error, null)
  clock.step(300)
  // Where the system refuses at once that there is a way, it is a failure of the other kind.
  assert.match(await waiter.failed(), /^upstream_connect_(timeout|failed)$/)
  silent.close()
})

test('an idle connection is closed when its time is over, by the upstream’s own hint sooner, or not kept at all', async () => {
  await use(await wait().got())
  clock.step(2900)
  assert.equal(pool.idle, 1)
  clock.step(200)
  assert.equal(pool.idle, 0)
  await until(() => pool.open === 0)

  await use(await wait().got(), 'HTTP/1.1 200 OK\r\nkeep-alive: timeout=2\r\ncontent-length: 0\r\n\r\n')
  clock.step(900)
  assert.equal(pool.idle, 1)
  clock.step(200)
  assert.equal(pool.idle, 0)

  await use(await wait().got(), 'HTTP/1.1 200 OK\r\nkeep-alive: timeout=1\r\ncontent-length: 0\r\n\r\n')
  assert.equal(pool.idle, 0)
})

test('an idle connection that ends, or says anything, is not handed out', async () => {
  for (const end of ['fin', 'byte'] as const) {
    await use(await wait().got())
    assert.equal(pool.idle, 1)
    const service = upstream.connections.at(-1)
    if (end === 'fin') service?.half()
    else service?.send('H')
    await until(() => pool.idle === 0 && pool.open === 0)
  }
})

test('what an upstream says before it is asked fails the connect', async () => {
  const greeting = await RawUpstream.playing([['220 hello\r\n']])
  const other = new Pool(
    { at: { host: '127.0.0.1', port: greeting.port }, tls: null },
    SETTINGS,
    counters,
    buffers,
    wheel,
  )
  const waiter = new Waiter()
  other.acquire(waiter, false)
  await waiter.got().catch(() => {})
  // Whichever came first, the connection is not used.
  await until(() => other.open === 0)
  other.close()
  await greeting.close()
})

test('closing the pool closes what is idle; who waits for a connection still gets one, which is not kept', async () => {
  await use(await wait().got())
  const idle = await wait().got()
  await use(idle)
  const waiting = wait(true)
  pool.close()
  assert.equal(pool.idle, 0)
  await use(await waiting.got())
  // One that asks late is served as well.
  await use(await wait().got())
  await until(() => pool.open === 0)
})

test('a cancelled waiter is told nothing', async () => {
  const [gone, stays] = [wait(), wait()]
  pool.cancel(gone)
  const connection = await stays.got()
  assert.equal(gone.connection, null)
  assert.equal(gone.error, null)
  await until(() => pool.idle === 1)
  connection.abort(null)
})

test('an end that is read in the turn of the request keeps the request here: it was never processed', async () => {
  const connection = await wait().got()
  await use(connection)
  pool.acquire(new Waiter(), false)
  const asked = ask(connection)
  // What the channel would tell, had the end come in this turn.
  if (!(connection instanceof ClientConnection)) throw new Error('not of HTTP/1.1')
  connection.onEnd()
  assert.equal(await asked, 'upstream_reset never_processed')
  const service = upstream.connections.at(-1)
  await service?.readToEnd()
  assert.equal(String(service?.received).split('GET ').length, 2)
})

test('an end behind a request that has gone out is the reuse race', async () => {
  const connection = await wait().got()
  await use(connection)
  pool.acquire(new Waiter(), false)
  const asked = ask(connection)
  await new Promise(setImmediate)
  if (!(connection instanceof ClientConnection)) throw new Error('not of HTTP/1.1')
  connection.onEnd()
  assert.equal(await asked, 'upstream_reset reuse_race')
})

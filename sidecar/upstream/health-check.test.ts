import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import net from 'node:net'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test, type TestContext } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { HttpUpstream } from '../../test/harness/http-upstream.ts'
import { watchLeaks } from '../../test/harness/leaks.ts'
import { RawUpstream } from '../../test/harness/raw-upstream.ts'
import { SteppedClock } from '../../test/harness/stepped-clock.ts'
import { MemoryBudget } from '../runtime/memory-budget.ts'
import { seededRandom } from '../runtime/random.ts'
import { ReadBuffers } from '../runtime/read-buffers.ts'
import { TimerWheel } from '../runtime/timer-wheel.ts'
import { CheckSlots, type SlotWaiter } from './checks/check-slots.ts'
import { HealthCheck, type HealthCheckParts } from './health-check.ts'
import type { HealthCheckSpec } from './upstream-spec.ts'

const HTTP: HealthCheckSpec = {
  kind: 'http',
  target: '/healthz',
  host: '',
  statuses: [],
  interval: 10_000,
  timeout: 1000,
  unhealthyAfter: 3,
  healthyAfter: 2,
}

let checkLeaks: () => Promise<void>
before(() => {
  checkLeaks = watchLeaks()
})
after(() => checkLeaks())

interface Bench {
  readonly clock: SteppedClock
  readonly slots: CountedSlots
  check(port: number, spec?: Partial<HealthCheckSpec>): HealthCheck
}

function bench(t: TestContext, slots = 32): Bench {
  const clock = new SteppedClock()
  const budget = new MemoryBudget(1e6)
  const buffers = new ReadBuffers(budget)
  const wheel = clock.drive(new TimerWheel(clock))
  const counted = new CountedSlots(slots)
  const parts: HealthCheckParts = { wheel, buffers, random: seededRandom(1), slots: counted }
  const made: HealthCheck[] = []
  t.after(async () => {
    for (const check of made) check.close()
    await until('nothing left', () => wheel.size === 0 && buffers.held === 0)
  })
  return {
    clock,
    slots: counted,
    check: (port, spec = {}) => {
      const one = new HealthCheck(
        { at: { host: '127.0.0.1', port }, tls: null },
        'app.example',
        { ...HTTP, ...spec },
        parts,
      )
      made.push(one)
      return one
    },
  }
}

async function until(what: string, check: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000
  while (!check()) {
    if (performance.now() > deadline) throw new Error(`waited for ${what}`)
    await nextTurn()
  }
}

/** Steps to the next check, and waits until it has ended: time stands still meanwhile. */
async function nextCheck({ clock, slots }: Bench, check: HealthCheck): Promise<void> {
  const before = check.checkedAt
  while (slots.running === 0) clock.step(100)
  await until('a check', () => check.checkedAt !== before)
}

/** Slots that say how many are taken. */
class CountedSlots extends CheckSlots {
  running = 0
  override enter(waiter: SlotWaiter): boolean {
    const taken = super.enter(waiter)
    if (taken) this.running++
    return taken
  }
  override leave(): void {
    this.running--
    super.leave()
  }
}

/** A service that answers with the status of the moment. */
async function service(t: TestContext): Promise<{ upstream: HttpUpstream; asked: string[]; status: number }> {
  const state = { asked: [] as string[], status: 200 }
  const upstream = await HttpUpstream.listen((request, response) => {
    state.asked.push(`${request.method} ${request.headers.host}${request.url}`)
    response.statusCode = state.status
    response.end('x'.repeat(1000))
  })
  t.after(() => upstream.close())
  return Object.assign(state, { upstream })
}

describe('thresholds', () => {
  test('well until the first check, which decides alone; then as many in a row as are configured', async t => {
    const on = bench(t)
    const app = await service(t)
    app.status = 500
    const health = on.check(app.upstream.port)
    const turns: boolean[] = []
    health.watch(() => turns.push(health.healthy))
    assert.equal(health.healthy, true)
    assert.equal(health.checkedAt, null)
    await nextCheck(on, health)
    assert.equal(health.healthy, false)
    assert.equal(health.fault, 'status 500')
    assert.deepEqual(app.asked, ['GET app.example/healthz'])
    app.status = 204
    await nextCheck(on, health)
    assert.equal(health.healthy, false, 'one of two')
    assert.equal(health.fault, '')
    app.status = 503
    await nextCheck(on, health)
    app.status = 200
    await nextCheck(on, health)
    assert.equal(health.healthy, false, 'not in a row')
    await nextCheck(on, health)
    assert.equal(health.healthy, true)
    app.status = 404
    await nextCheck(on, health)
    await nextCheck(on, health)
    assert.equal(health.healthy, true, 'two of three')
    await nextCheck(on, health)
    assert.equal(health.healthy, false)
    assert.equal(health.fault, 'status 404')
    assert.deepEqual(turns, [false, true, false])
  })

  test('a first check that is well tells whoever waits for it', async t => {
    const on = bench(t)
    const app = await service(t)
    const health = on.check(app.upstream.port)
    let told = 0
    health.watch(() => told++)
    await nextCheck(on, health)
    await nextCheck(on, health)
    assert.equal(told, 1)
  })

  test('other statuses and another host, where the check names them', async t => {
    const on = bench(t)
    const app = await service(t)
    app.status = 401
    const health = on.check(app.upstream.port, { statuses: [401], host: 'other.example', target: '/a?b=c' })
    await nextCheck(on, health)
    assert.equal(health.fault, '')
    assert.deepEqual(app.asked, ['GET other.example/a?b=c'])
    app.status = 200
    await nextCheck(on, health)
    assert.equal(health.fault, 'status 200')
  })
})

describe('what goes wrong', () => {
  test('nobody listens', async t => {
    const on = bench(t)
    const app = await HttpUpstream.listen()
    const { port } = app
    await app.close()
    for (const kind of ['http', 'tcp', 'grpc'] as const) {
      const health = on.check(port, { kind })
      await nextCheck(on, health)
      assert.equal(health.fault, 'ECONNREFUSED', kind)
      assert.equal(health.healthy, false)
    }
  })

  test('no answer in time: the check ends with its socket, and the next comes at its time', async t => {
    const on = bench(t)
    const upstream = await RawUpstream.listen()
    t.after(() => upstream.close())
    for (const kind of ['http', 'grpc'] as const) {
      const health = on.check(upstream.port, { kind, timeout: 1500, target: '/' })
      on.clock.step(100)
      const server = await upstream.accept()
      on.clock.step(1400)
      assert.equal(health.checkedAt, null)
      on.clock.step(200)
      assert.equal(health.fault, 'timeout after 1500ms')
      await server.readToEnd()
      server.destroy()
      health.close()
    }
  })

  test('what is no response', async t => {
    const on = bench(t)
    for (const [bytes, fault] of [
      ['HTTP/1.1 200 OK\r\ncontent-length: 1, 2\r\n\r\n', /^bad response/],
      ['hello\r\n\r\n', /^bad response/],
      ['', /^closed$/],
      ['HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc', /^$/],
    ] as const) {
      const upstream = await RawUpstream.playing([[{ expect: '\r\n\r\n' }, bytes, { end: 'fin' }]])
      const health = on.check(upstream.port)
      await nextCheck(on, health)
      assert.match(health.fault, fault, JSON.stringify(bytes))
      health.close()
      await upstream.close()
    }
  })

  test('a body without end is not read to its end', async t => {
    const on = bench(t)
    const upstream = await HttpUpstream.listen((_request, response) => {
      const timer = setInterval(() => response.write('x'.repeat(50_000)), 1)
      response.on('close', () => clearInterval(timer))
    })
    t.after(() => upstream.close())
    const health = on.check(upstream.port)
    await nextCheck(on, health)
    assert.equal(health.fault, '')
  })
})

describe('when checks run', () => {
  test('at intervals that differ by a tenth, and never two of one endpoint at once', async t => {
    const on = bench(t)
    const app = await service(t)
    const health = on.check(app.upstream.port)
    await nextCheck(on, health)
    const begun: number[] = []
    for (let i = 0; i < 20; i++) {
      const before = health.checkedAt ?? 0
      await nextCheck(on, health)
      begun.push((health.checkedAt ?? 0) - before)
    }
    assert.ok(
      begun.every(ms => ms >= 8900 && ms <= 11_300),
      begun.join(),
    )
    assert.ok(new Set(begun).size > 5, begun.join())
  })

  test('a check that is longer than its interval is not overtaken', async t => {
    const on = bench(t)
    const upstream = await RawUpstream.listen()
    t.after(() => upstream.close())
    on.check(upstream.port, { interval: 1000, timeout: 60_000 })
    on.clock.step(100)
    const server = await upstream.accept()
    on.clock.step(20_000)
    await nextTurn()
    assert.equal(upstream.connections.length, 1)
    server.destroy()
    await until('the next', () => {
      on.clock.step(100)
      return upstream.connections.length === 2
    })
  })

  test('only so many at once; the others have their turn, and one that is closed leaves the queue', async t => {
    const on = bench(t, 2)
    const upstream = await RawUpstream.listen()
    t.after(() => upstream.close())
    const checks = Array.from({ length: 5 }, () => on.check(upstream.port, { kind: 'http', timeout: 60_000 }))
    on.clock.step(100)
    const first = await upstream.accept()
    const second = await upstream.accept()
    await nextTurn()
    assert.equal(upstream.connections.length, 2)
    checks[2]?.close()
    await first.readUntil('\r\n\r\n')
    first.send('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
    const third = await upstream.accept()
    checks[1]?.close()
    const fourth = await upstream.accept()
    await nextTurn()
    assert.equal(upstream.connections.length, 4)
    for (const check of checks) check.close()
    for (const server of [first, second, third, fourth]) {
      await server.readToEnd().catch(() => '')
      server.destroy()
    }
    assert.equal(checks.filter(one => one.checkedAt !== null).length, 1)
  })

  test('a shorter interval takes effect at once', async t => {
    const on = bench(t)
    const app = await service(t)
    const health = on.check(app.upstream.port, { interval: 600_000 })
    on.clock.step(100)
    await until('a check', () => health.checkedAt !== null)
    const before = health.checkedAt
    health.configure({ ...HTTP, interval: 1000 })
    on.clock.step(1200)
    await until('a check', () => health.checkedAt !== before)
  })
})

test('TCP: a connection is enough', async t => {
  const on = bench(t)
  const seen: string[] = []
  const server = net.createServer(socket => {
    socket.on('error', () => {})
    socket.on('data', bytes => seen.push(bytes.toString()))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const health = on.check((server.address() as AddressInfo).port, { kind: 'tcp', target: '' }) // it listens on TCP
  await nextCheck(on, health)
  assert.equal(health.fault, '')
  assert.equal(health.healthy, true)
  assert.deepEqual(seen, [])
})

/** A gRPC server whose health service answers these bytes, and this status. */
async function grpcServer(
  t: TestContext,
): Promise<{ port: number; asked: string[]; message: string; status: string | null }> {
  const state = { asked: [] as string[], message: '00000000020801', status: '0' as string | null }
  const server = http2.createServer()
  server.on('session', session => session.on('error', () => {}))
  server.on('stream', (stream: http2.ServerHttp2Stream, headers) => {
    stream.on('error', () => {})
    const parts: Buffer[] = []
    stream.on('data', (bytes: Buffer) => parts.push(bytes))
    stream.on('end', () => {
      state.asked.push(`${headers[':authority']} ${headers[':path']} ${Buffer.concat(parts).toString('hex')}`)
      if (state.status !== null && state.message === '') {
        stream.respond(
          { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': state.status },
          { endStream: true },
        )
        return
      }
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () =>
        stream.sendTrailers(state.status === null ? {} : { 'grpc-status': state.status }),
      )
      stream.end(Buffer.from(state.message, 'hex'))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return Object.assign(state, { port: (server.address() as AddressInfo).port }) // it listens on TCP
}

describe('gRPC', () => {
  test('asks for the service, and reads what the server says of it', async t => {
    const on = bench(t)
    const server = await grpcServer(t)
    const health = on.check(server.port, {
      kind: 'grpc',
      target: 'shop.Cart',
      healthyAfter: 1,
      unhealthyAfter: 1,
    })
    for (const [message, status, fault] of [
      ['00000000020801', '0', ''],
      ['00000000020802', '0', 'not serving'],
      ['00000000020803', '0', 'service unknown'],
      ['0000000000', '0', 'unknown'],
      ['', '5', 'service unknown'],
      ['', '12', 'no health service'],
      ['', '14', 'grpc status 14'],
      ['00000000020801', '2', 'grpc status 2'],
      ['00000000020801', null, 'bad response'],
      ['01000000020801', '0', 'bad response'],
      ['00000000030801', '0', 'bad response'],
      ['00000000021001', '0', 'bad response'],
      ['00'.repeat(5000), '0', 'bad response'],
      ['00000000020801', '0', ''],
    ] as const) {
      server.message = message
      server.status = status
      await nextCheck(on, health)
      assert.equal(health.fault, fault, `${message.slice(0, 20)} ${status}`)
      assert.equal(health.healthy, fault === '')
    }
    assert.equal(server.asked[0], 'app.example /grpc.health.v1.Health/Check 000000000b0a0973686f702e43617274')
  })

  test('the server as a whole; a server that has no gRPC', async t => {
    const on = bench(t)
    const server = await grpcServer(t)
    const whole = on.check(server.port, { kind: 'grpc', target: '' })
    await nextCheck(on, whole)
    assert.equal(whole.fault, '')
    assert.equal(server.asked[0], 'app.example /grpc.health.v1.Health/Check 0000000000')
    const app = await service(t)
    const other = on.check(app.upstream.port, { kind: 'grpc', target: '' })
    await nextCheck(on, other)
    assert.notEqual(other.fault, '')
  })
})

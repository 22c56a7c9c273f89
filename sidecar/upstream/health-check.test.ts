import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test, type TestContext } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { HttpUpstream } from '../../test/harness/http-upstream.ts'
import { watchLeaks } from '../../test/harness/leaks.ts'
import { RawUpstream } from '../../test/harness/raw-upstream.ts'
import { SteppedClock } from '../../test/harness/stepped-clock.ts'
import { checkBench, HTTP, nextCheck, until } from './check-fixture.ts'

let checkLeaks: () => Promise<void>
before(() => {
  checkLeaks = watchLeaks()
})
after(() => checkLeaks())

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
    const on = checkBench(t, new SteppedClock())
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
    const on = checkBench(t, new SteppedClock())
    const app = await service(t)
    const health = on.check(app.upstream.port)
    let told = 0
    health.watch(() => told++)
    await nextCheck(on, health)
    await nextCheck(on, health)
    assert.equal(told, 1)
  })

  test('other statuses and another host, where the check names them', async t => {
    const on = checkBench(t, new SteppedClock())
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
    const on = checkBench(t, new SteppedClock())
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
    const on = checkBench(t, new SteppedClock())
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
    const on = checkBench(t, new SteppedClock())
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
    const on = checkBench(t, new SteppedClock())
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
    const on = checkBench(t, new SteppedClock())
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
    const on = checkBench(t, new SteppedClock())
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
    const on = checkBench(t, new SteppedClock(), 2)
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
    const on = checkBench(t, new SteppedClock())
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
  const on = checkBench(t, new SteppedClock())
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

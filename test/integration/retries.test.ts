// What is tried again, when and how often, over sockets; and what never is.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { InProcess, turns } from '../harness/in-process.ts'
import { reasonOf } from '../harness/problem.ts'
import { RawUpstream } from '../harness/raw-upstream.ts'
import { type Answer, CountingService, withServices } from '../harness/services.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'
import type { WireResponse } from '../harness/strict-http.ts'

const BODY = 'content-length: 5\r\n\r\nhello'
const ask = (proxy: InProcess, method: string, more = ''): Promise<WireResponse> =>
  proxy.ask(
    `${method} /x HTTP/1.1\r\nhost: a\r\n${more}${method === 'POST' || method === 'PUT' ? BODY : '\r\n'}`,
    { method },
  )
const retries = async (proxy: InProcess, cause: string): Promise<number> => {
  const line = new RegExp(`outrigger_upstream_retries_total\\{upstream="app",cause="${cause}"\\} (\\d+)`)
  return Number(line.exec(await proxy.metrics())?.[1])
}

test('a gateway status is tried again on another endpoint, for methods that may', async t => {
  const bad = await CountingService.listen(() => 503)
  const good = await CountingService.listen()
  const proxy = await withServices(
    t,
    { app: [bad, good] },
    { route: 'retry: { count: 1 }', upstream: 'loadBalance: round-robin\noutlierDetection: off' },
  )
  for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'GET']) {
    assert.equal((await ask(proxy, method)).status, 200, method)
    assert.equal((await ask(proxy, method)).status, 200, method)
  }
  assert.ok(bad.came.length > 2)
  assert.equal(await retries(proxy, 'status'), bad.came.length)
  const second = good.came.find(one => one.headers['x-request-attempt'] !== undefined)
  assert.equal(second?.headers['x-request-attempt'], '2')
  assert.ok(good.came.every(one => one.method !== 'PUT' || one.body === 'hello'))
  const line = await proxy.accessLine(one => one['attempts'] === 2)
  assert.equal(line['retried_for'], '503')
})

test('a POST that may have been processed is never sent twice, and a status is passed as it is', async t => {
  const service = await CountingService.listen(came => (came.headers['x-cut'] === undefined ? 503 : 'cut'))
  const proxy = await withServices(t, { app: [service] }, { route: 'retry: { count: 5 }' })
  for (const method of ['POST', 'PATCH']) {
    const passed = await ask(proxy, method)
    assert.equal(passed.status, 503)
    assert.equal(passed.body.toString(), '503')
  }
  assert.equal((await ask(proxy, 'POST', 'x-cut: 1\r\n')).status, 502)
  assert.equal(service.came.length, 3)
})

test('a status that the policy does not name is no failure', async t => {
  const service = await CountingService.listen(() => 500)
  const proxy = await withServices(t, { app: [service] }, { route: 'retry: { count: 3 }' })
  assert.equal((await ask(proxy, 'GET')).status, 500)
  assert.equal(service.came.length, 1)
})

test('a POST whose endpoint cannot be reached is tried again: nobody has seen it', async t => {
  const [gone, good] = [await CountingService.listen(), await CountingService.listen()]
  const proxy = await withServices(t, { app: [gone, good] }, { upstream: 'loadBalance: round-robin' })
  await gone.upstream.close()
  gone.upstream.close = async () => {}
  for (let i = 0; i < 4; i++) assert.equal((await ask(proxy, 'POST')).status, 200)
  assert.ok((await retries(proxy, 'unprocessed')) >= 1)
  assert.deepEqual(
    good.came.map(one => one.body),
    ['hello', 'hello', 'hello', 'hello'],
  )
})

test('the count is the limit, and the last answer is the one that counts', async t => {
  const service = await CountingService.listen((_came, count) => ({ status: 503, body: `answer ${count}` }))
  const proxy = await withServices(
    t,
    { app: [service] },
    { route: 'retry: { count: 3, backoff: { from: 1ms, to: 2ms } }' },
  )
  assert.equal((await ask(proxy, 'GET')).body.toString(), 'answer 4')
  assert.equal(service.came.length, 4)
})

test('retry-after is waited for, and not where it asks for more than there is', async t => {
  const service = await CountingService.listen((came, count) =>
    count % 2 === 0 ? 200 : { status: 503, headers: { 'retry-after': String(came.headers['x-wait']) } },
  )
  const clock = new SteppedClock()
  const proxy = await withServices(t, { app: [service] }, { route: 'timeout: 30s' }, { clock })
  const client = await proxy.connect()
  client.send('GET /x HTTP/1.1\r\nhost: a\r\nx-wait: 3\r\n\r\n')
  await proxy.until('the first attempt', () => service.came.length === 1)
  await turns(20)
  await proxy.step(2990, 100)
  assert.equal(service.came.length, 1)
  await proxy.step(60, 10)
  assert.equal((await client.readResponse()).status, 200)
  assert.equal(service.came.length, 2)
  client.send('GET /x HTTP/1.1\r\nhost: a\r\nx-wait: 31\r\n\r\n')
  const passed = await client.readResponse()
  assert.equal(passed.status, 503)
  assert.equal(passed.headers['retry-after'], '31')
  client.destroy()
})

test('a try that timed out is followed by another within the total', async t => {
  const slow = await CountingService.listen(() => 'silent')
  const good = await CountingService.listen()
  const proxy = await withServices(
    t,
    { app: [slow, good] },
    { route: 'timeout: { perTry: 30ms, total: 5s }', upstream: 'loadBalance: round-robin' },
  )
  for (let i = 0; i < 4; i++) assert.equal((await ask(proxy, 'GET')).status, 200)
  assert.ok((await retries(proxy, 'timeout')) >= 1)
  const posts = slow.came.length
  await Promise.all([1, 2].map(() => ask(proxy, 'POST')))
  assert.equal(slow.came.length + good.came.filter(one => one.method === 'POST').length, posts + 2)
})

test('a body beyond what is kept is sent once', async t => {
  const service = await CountingService.listen(() => 503)
  const proxy = await withServices(t, { app: [service] }, { route: 'retry: { count: 1, replay: 1KiB }' })
  const put = (size: number): Promise<WireResponse> =>
    proxy.ask(`PUT /x HTTP/1.1\r\nhost: a\r\ncontent-length: ${size}\r\n\r\n${'x'.repeat(size)}`)
  await put(1024)
  assert.equal(service.came.length, 2)
  await put(1025)
  assert.equal(service.came.length, 3)
})

test('a body that grows beyond what is kept in the pause before a retry is sent whole', async t => {
  const upstream = await RawUpstream.listen()
  const clock = new SteppedClock()
  const proxy = await InProcess.start(
    routeTo(upstream.port, {
      route: 'retry: { methods: [PUT], statuses: [503], replay: 1KiB, backoff: { from: 1s, to: 1s } }',
    }),
    { clock },
  )
  t.after(async () => {
    await upstream.close()
    await proxy.stop()
  })
  const client = await proxy.connect()
  const chunk = (letter: string): string => `3e8\r\n${letter.repeat(1000)}\r\n`
  client.send(`PUT /x HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n${chunk('a')}`)
  const first = await upstream.accept()
  await first.readUntil('a\r\n')
  first.send('HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n')
  await proxy.until('the pause', () => first.ended || first.isClosed)
  client.send(`${chunk('b')}0\r\n\r\n`)
  await proxy.step(2000)
  const second = await upstream.accept()
  const text = await second.readUntil('0\r\n\r\n')
  assert.equal(text.replace(/^[^]*?\r\n\r\n/, ''), `${chunk('a')}${chunk('b')}0\r\n\r\n`)
  second.send('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
  assert.equal((await client.readResponse()).status, 200)
})

test('a long answer that is tried again costs its connection, a short one does not', async t => {
  const service = await CountingService.listen((came, count) =>
    count % 2 === 0 ? 200 : { status: 503, body: 'x'.repeat(Number(came.headers['x-size'])) },
  )
  const proxy = await withServices(t, { app: [service] })
  for (const [size, opened] of [
    ['10', 1],
    ['60000', 1],
    ['70000', 2],
  ] as const) {
    assert.equal((await ask(proxy, 'GET', `x-size: ${size}\r\n`)).status, 200)
    assert.equal(service.upstream.connections, opened, size)
  }
})

test('a client that leaves in a pause ends it', async t => {
  const service = await CountingService.listen(() => 503)
  const clock = new SteppedClock()
  const proxy = await withServices(
    t,
    { app: [service] },
    { route: 'retry: { backoff: { from: 10s, to: 10s } }' },
    { clock },
  )
  const client = await proxy.connect()
  client.send('GET /x HTTP/1.1\r\nhost: a\r\n\r\n')
  await proxy.until('the first attempt', () => service.came.length === 1)
  await turns(20)
  client.reset()
  await proxy.accessLine(line => line.reason === 'client_gone')
  await proxy.step(11_000)
  assert.equal(service.came.length, 1)
})

test('what claims to be a repetition comes from us or not at all', async t => {
  const service = await CountingService.listen()
  const proxy = await withServices(t, { app: [service] })
  await ask(proxy, 'GET', 'x-request-attempt: 7\r\nx-request-mirrored: true\r\n')
  assert.equal(service.came[0]?.headers['x-request-attempt'], undefined)
  assert.equal(service.came[0]?.headers['x-request-mirrored'], undefined)
})

test('the repetition after a lost race is the probe that the first try was: nobody else is let in beside it', async t => {
  for (const scope of ['upstream', 'endpoint']) {
    let release: (status: number) => void = () => {}
    const held = new Promise<number>(resolve => (release = resolve))
    const answers: (Answer | Promise<Answer>)[] = [200, 503, 'cut', held]
    const service = await CountingService.listen((_, count) => answers[count - 1] ?? 200)
    const clock = new SteppedClock()
    const proxy = await withServices(
      t,
      { app: [service] },
      {
        route: 'retry: off',
        upstream: `outlierDetection: off\ncircuitBreaker: { failureThreshold: 1, openFor: 1s, scope: ${scope} }`,
      },
      { clock },
    )
    const statuses: number[] = []
    for (let i = 0; i < 3; i++) statuses.push((await ask(proxy, 'GET')).status)
    assert.deepEqual(statuses, [200, 503, 503])
    assert.equal(service.came.length, 2)
    await proxy.step(1000)
    const probe = ask(proxy, 'GET')
    await proxy.until('the repetition', () => service.came.length === 4)
    assert.match(await proxy.metrics(), /reuse_races_total\{upstream="app"\} 1/)
    assert.equal(reasonOf(await ask(proxy, 'GET')), 'circuit_open')
    assert.equal(service.came.length, 4)
    release(200)
    assert.equal((await probe).status, 200)
    assert.equal((await ask(proxy, 'GET')).status, 200)
  }
})

test('a service may say by a field, or by a status of gRPC in its headers, that it can be asked again', async t => {
  for (const [route, headers, said] of [
    [
      'statuses: [unavailable]',
      { 'content-type': 'application/grpc', 'grpc-status': '14' },
      'grpc-status 14',
    ],
    ['headers: [X-Again]', { 'x-again': '1' }, 'x-again'],
  ] as const) {
    const service = await CountingService.listen((_, count) =>
      count % 2 === 1 ? { status: 200, headers, body: 'first' } : { status: 200, body: 'second' },
    )
    const proxy = await withServices(
      t,
      { app: [service] },
      { route: `retry: { count: 1, methods: [POST], ${route} }` },
    )
    const response = await ask(proxy, 'POST')
    assert.deepEqual([response.status, response.body.toString()], [200, 'second'])
    assert.equal(service.came[1]?.body, 'hello')
    assert.equal((await proxy.accessLine(line => line.status === 200))['retried_for'], said)
    // It is said of methods that may be asked twice.
    assert.equal((await ask(proxy, 'GET')).body.toString(), 'first')
  }
})

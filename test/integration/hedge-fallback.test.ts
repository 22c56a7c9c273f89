// A second attempt beside a slow one, and another answer in place of a failed one.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type InProcess, turns } from '../harness/in-process.ts'
import { reasonOf } from '../harness/problem.ts'
import { type Came, CountingService, withServices } from '../harness/services.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'
import type { WireResponse } from '../harness/strict-http.ts'

const ask = (proxy: InProcess, method = 'GET', body = ''): Promise<WireResponse> =>
  proxy.ask(
    `${method} /x HTTP/1.1\r\nhost: a\r\n${body === '' ? '' : `content-length: ${body.length}\r\n`}\r\n${body}`,
    { method },
  )
const ROUND = 'loadBalance: round-robin\noutlierDetection: off'
const HEDGE = 'retry: { count: 1, hedge: { after: 20ms } }'

/** A counting service whose answers wait until the test lets them go. */
async function held(): Promise<{ service: CountingService; release: (answer: number) => void }> {
  let release: (answer: number) => void = () => {}
  const waiting = new Promise<number>(resolve => (release = resolve))
  return { service: await CountingService.listen(() => waiting), release: answer => release(answer) }
}

/** Whether nothing is in flight, nor counted as if it were. */
function quiet(proxy: InProcess): boolean {
  return [...proxy.service.holder.current.snapshot.upstreams.values()].every(
    ({ load, endpoints }) =>
      load.inFlight === 0 &&
      load.budget.firsts === 0 &&
      load.budget.retries === 0 &&
      endpoints.every(endpoint => endpoint.inFlight === 0),
  )
}

test('hedge: a second attempt elsewhere, the first good answer wins, the other is cut', async t => {
  const slow = await held()
  const fast = await CountingService.listen(() => ({ status: 200, body: 'fast' }))
  const proxy = await withServices(t, { app: [slow.service, fast] }, { route: HEDGE, upstream: ROUND })
  const responses = [await ask(proxy), await ask(proxy, 'PUT', 'hello'), await ask(proxy)]
  for (const response of responses) assert.equal(response.body.toString(), 'fast')
  assert.ok(slow.service.came.length >= 1)
  const put = fast.came.find(one => one.method === 'PUT')
  assert.equal(put?.body, 'hello')
  await proxy.until('the losers to be gone', () => quiet(proxy))
  const line = await proxy.accessLine(one => one['retried_for'] === 'hedge')
  assert.equal(line['attempts'], 2)
  assert.equal(line['endpoint'], `127.0.0.1:${fast.port}`)
  assert.match(await proxy.metrics(), /retries_total\{upstream="app",cause="hedge"\} [123]/)
  slow.release(200)
})

test('hedge: an error or a gateway error of one waits for the other', async t => {
  for (const bad of ['cut', 503] as const) {
    const slow = await held()
    const broken = await CountingService.listen(() => bad)
    const proxy = await withServices(t, { app: [slow.service, broken] }, { route: HEDGE, upstream: ROUND })
    const answer = ask(proxy)
    await proxy.until('both attempts', () => slow.service.came.length === 1 && broken.came.length === 1)
    await turns(20)
    slow.release(201)
    assert.equal((await answer).status, 201)
    assert.equal((await proxy.accessLine(line => line.status === 201))['retried_for'], 'hedge')
    await proxy.until('what they counted for to be given back', () => quiet(proxy))
  }
})

test('hedge: never a POST, never with one endpoint, never without room in the budget', async t => {
  const clock = new SteppedClock()
  const [a, b] = [await held(), await held()]
  const proxy = await withServices(
    t,
    { app: [a.service, b.service] },
    { route: 'retry: { count: 1, hedge: { after: 20ms }, budget: { percent: 0, min: 0 } }', upstream: ROUND },
    { clock },
  )
  const asked = [ask(proxy, 'POST', 'x'), ask(proxy)]
  const came = (): number => a.service.came.length + b.service.came.length
  await proxy.until('both', () => came() === 2)
  await proxy.step(500, 10)
  assert.equal(came(), 2)
  assert.match(await proxy.metrics(), /retries_refused_total\{upstream="app"\} 1/)
  a.release(200)
  b.release(200)
  for (const one of await Promise.all(asked)) assert.equal(one.status, 200)
})

test('hedge: none where it would need a connection more than the upstream may have', async t => {
  for (const [connections, attempts] of [
    [2, 2],
    [3, 3],
  ] as const) {
    const clock = new SteppedClock()
    const [a, b] = [await held(), await held()]
    const upstream = `${ROUND}\nlimits: { connections: ${connections} }`
    const proxy = await withServices(
      t,
      { app: [a.service, b.service] },
      { route: HEDGE, upstream },
      { clock },
    )
    const came = (): number => a.service.came.length + b.service.came.length
    const asked = [ask(proxy), ask(proxy)]
    await proxy.until('both', () => came() === 2)
    await proxy.step(100, 10)
    await turns(40)
    assert.equal(came(), attempts)
    a.release(200)
    b.release(200)
    for (const one of await Promise.all(asked)) assert.equal(one.status, 200)
  }
})

test('connections: a response that is tried again is not read to its end where the retry needs its place', async t => {
  // Its body does not end.
  const bad = await CountingService.listen(() => ({ status: 503, headers: { 'content-length': '9' } }))
  const good = await CountingService.listen()
  const proxy = await withServices(
    t,
    { app: [bad, good] },
    {
      route: 'retry: { count: 1, backoff: { from: 1ms, to: 1ms } }',
      upstream: `${ROUND}\nlimits: { connections: 1 }`,
    },
  )
  for (let i = 0; i < 4; i++) assert.equal((await ask(proxy)).status, 200)
  const [app] = proxy.service.holder.current.snapshot.upstreams.values()
  assert.equal(
    app?.endpoints.reduce((sum, { pool }) => sum + pool.size, 0),
    1,
  )
})

test('fallback: the side of a split that has failed is not asked again', async t => {
  const [app, spare] = [await CountingService.listen(() => 503), await CountingService.listen(() => 503)]
  const proxy = await withServices(t, { app: [app], spare: [spare] })
  const port = (service: CountingService): string => `{ endpoints: ["127.0.0.1:${service.port}"] }`
  await proxy.apply(`version: 1
service: test
listeners:
  - name: in
    role: edge
    address: 127.0.0.1:0
    retry: off
    fallback: spare
    split: { by: { header: x-user }, pin: { header: x-side }, to: { app: 1, spare: 1 } }
upstreams: { app: ${port(app)}, spare: ${port(spare)} }
telemetry: { accessLog: on }
`)
  const on = (side: string): Promise<WireResponse> =>
    proxy.ask(`GET /x HTTP/1.1\r\nhost: a\r\nx-side: ${side}\r\n\r\n`)
  assert.equal((await on('spare')).status, 503)
  assert.deepEqual([app.came.length, spare.came.length], [0, 1])
  assert.equal((await on('app')).status, 503)
  assert.deepEqual([app.came.length, spare.came.length], [1, 2])
})

test('fallback: another upstream answers for one that cannot be reached, whatever the method', async t => {
  const [gone, backup] = [await CountingService.listen(), await CountingService.listen()]
  const proxy = await withServices(
    t,
    { app: [gone], backup: [backup] },
    { route: 'retry: off\nfallback: backup' },
  )
  await gone.upstream.close()
  gone.upstream.close = async () => {}
  for (const method of ['GET', 'POST'])
    assert.equal((await ask(proxy, method, method === 'POST' ? 'hello' : '')).status, 200)
  assert.equal(backup.came[1]?.body, 'hello')
  const line = await proxy.accessLine(one => one['fallback_from'] === 'app')
  assert.equal(line['fallback_for'], 'upstream_connect_failed')
  assert.equal(line['upstream'], 'backup')
  assert.equal(line.reason, undefined)
  assert.match(await proxy.metrics(), /outrigger_upstream_fallbacks_total\{upstream="app"\} 2/)
})

test('fallback: after a gateway status the request is asked again where that does no harm', async t => {
  const answer = ({ headers }: Came): number => Number(headers['x-status'] ?? 503)
  const [bad, backup] = [await CountingService.listen(answer), await CountingService.listen()]
  const proxy = await withServices(
    t,
    { app: [bad], backup: [backup] },
    { route: 'retry: off\nfallback: backup' },
  )
  assert.equal((await ask(proxy, 'PUT', 'hello')).status, 200)
  assert.equal(backup.came[0]?.body, 'hello')
  const post = await ask(proxy, 'POST', 'hello')
  assert.equal(post.status, 503)
  assert.equal(post.body.toString(), '503')
  assert.equal(backup.came.length, 1)
  const plain = await proxy.ask('GET /x HTTP/1.1\r\nhost: a\r\nx-status: 500\r\n\r\n')
  assert.equal(plain.status, 500)
})

test('fallback: once, and its own failure stands', async t => {
  const [bad, worse] = [await CountingService.listen(() => 502), await CountingService.listen(() => 'cut')]
  const proxy = await withServices(
    t,
    { app: [bad], backup: [worse] },
    { route: 'retry: off\nfallback: backup' },
  )
  const response = await ask(proxy)
  assert.equal(response.status, 502)
  assert.equal(reasonOf(response), 'upstream_reset')
  assert.deepEqual([bad.came.length, worse.came.length], [1, 1])
  assert.equal((await proxy.accessLine(one => one.status === 502))['fallback_for'], '502')
})

test('fallback: an answer of its own, for every method, after retries and timeouts', async t => {
  const service = await CountingService.listen(({ headers }) =>
    headers['x-slow'] === undefined ? 503 : 'silent',
  )
  const proxy = await withServices(
    t,
    { app: [service] },
    {
      route:
        'timeout: 60ms\nfallback: { respond: { status: 200, headers: { x-from: rescue }, body: { items: [] } } }',
    },
  )
  for (const [method, attempts] of [
    ['GET', 2],
    ['POST', 1],
  ] as const) {
    service.came.length = 0
    const response = await ask(proxy, method, method === 'POST' ? 'x' : '')
    assert.equal(response.status, 200)
    assert.equal(response.headers['x-from'], 'rescue')
    assert.equal(response.body.toString(), '{"items":[]}')
    assert.equal(service.came.length, attempts)
  }
  const late = await proxy.ask('GET /x HTTP/1.1\r\nhost: a\r\nx-slow: 1\r\n\r\n')
  assert.equal(late.body.toString(), '{"items":[]}')
  await proxy.accessLine(one => one['fallback_for'] === 'upstream_timeout')
})

test('fallback: what the client did is its own', async t => {
  const [service, backup] = [await CountingService.listen(), await CountingService.listen()]
  const proxy = await withServices(t, { app: [service], backup: [backup] }, { route: 'fallback: backup' })
  const client = await proxy.connect()
  client.send('POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf')
  client.half()
  assert.equal((await client.readResponse()).status, 400)
  client.destroy()
  assert.equal(backup.came.length, 0)
})

test('fallback: an open breaker asks nobody, and the answer comes at once', async t => {
  const service = await CountingService.listen(() => 'cut')
  const proxy = await withServices(
    t,
    { app: [service] },
    {
      route: 'retry: off\nfallback: { respond: { status: 203, body: rescue } }',
      upstream: 'outlierDetection: off\ncircuitBreaker: { failureThreshold: 3, openFor: 1m }',
    },
  )
  for (let i = 0; i < 6; i++) assert.equal((await ask(proxy)).status, 203)
  assert.equal(service.came.length, 3)
  const reasons = proxy.access.map(line => line['fallback_for'])
  assert.deepEqual(reasons, [...Array(3).fill('upstream_reset'), ...Array(3).fill('circuit_open')])
})

test('a client that stops in the middle of an upload ejects no endpoint and opens no breaker', async t => {
  const clock = new SteppedClock()
  const [service] = [await CountingService.listen()]
  const proxy = await withServices(
    t,
    { app: [service] },
    { route: 'timeout: { idle: 2s }', upstream: 'circuitBreaker: { failureThreshold: 1, openFor: 1m }' },
    { clock },
  )
  const client = await proxy.connect()
  client.send('POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf')
  await turns(40)
  await proxy.step(2300)
  assert.equal((await client.readResponse()).status, 504)
  client.destroy()
  assert.equal((await ask(proxy)).status, 200)
})

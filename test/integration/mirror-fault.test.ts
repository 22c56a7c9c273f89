// Copies of requests, and trouble made on purpose.
import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import { HttpUpstream } from '../harness/http-upstream.ts'
import { type InProcess, turns } from '../harness/in-process.ts'
import { reasonOf } from '../harness/problem.ts'
import { CountingService, withServices } from '../harness/services.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'

const post = (body: string, more = ''): string =>
  `POST /orders?x HTTP/1.1\r\nhost: shop\r\n${more}content-length: ${body.length}\r\n\r\n${body}`
const GET = 'GET /x HTTP/1.1\r\nhost: a\r\n\r\n'
const mirrored = async (proxy: InProcess, result: string): Promise<number> =>
  Number(
    new RegExp(`mirrored_total\\{upstream="shadow",result="${result}"\\} (\\d+)`).exec(
      await proxy.metrics(),
    )?.[1],
  )

test('mirror: the same request, marked, and nobody hears what came of it', async t => {
  const [app, shadow] = [await CountingService.listen(), await CountingService.listen(() => 500)]
  const proxy = await withServices(t, { app: [app], shadow: [shadow] }, { route: 'mirror: shadow' })
  const response = await proxy.ask(post('hello', 'x-own: 1\r\n'))
  assert.equal(response.status, 200)
  await proxy.ask(GET)
  await proxy.ask('POST /c HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n')
  await proxy.until('the copies', () => shadow.came.length === 3)
  const [copy] = shadow.came
  assert.equal(copy?.method, 'POST')
  assert.equal(copy?.target, '/orders?x')
  assert.equal(copy?.body, 'hello')
  assert.equal(copy?.headers['x-own'], '1')
  assert.equal(copy?.headers['x-request-mirrored'], 'true')
  assert.equal(copy?.headers['x-request-id'], app.came[0]?.headers['x-request-id'])
  assert.equal(app.came[0]?.headers['x-request-mirrored'], undefined)
  assert.equal(shadow.came[2]?.body, 'abc')
  assert.equal(await mirrored(proxy, 'sent'), 3)
  assert.equal(proxy.access.length, 3)
  assert.ok(proxy.access.every(line => line['upstream'] === 'app'))
})

test('mirror: the copy goes where the request goes, also where that depends on who is calling', async t => {
  const [app, shadow] = [await CountingService.listen(), await CountingService.listen()]
  const secret = Buffer.from('alice:secret').toString('base64')
  const proxy = await withServices(
    t,
    { app: [app], shadow: [shadow] },
    {
      route: 'mirror: shadow\nauthenticate: { basic: dev }\nrewrite: { path: "/of/{auth.provider}" }',
      top: `authentication: { basic: { dev: { users: { alice: { sha256: ${hash('sha256', 'secret')} } } } } }\n`,
    },
  )
  const asked = await proxy.ask(`GET /x HTTP/1.1\r\nhost: a\r\nauthorization: Basic ${secret}\r\n\r\n`)
  assert.equal(asked.status, 200)
  await proxy.until('the copy', () => shadow.came.length === 1)
  assert.deepEqual([app.came[0]?.target, shadow.came[0]?.target], ['/of/dev', '/of/dev'])
})

test('mirror: one that is silent, gone or full delays nothing', async t => {
  const [app, shadow] = [await CountingService.listen(), await CountingService.listen(() => 'silent')]
  const proxy = await withServices(t, { app: [app], shadow: [shadow] }, { route: 'mirror: shadow' })
  const client = await proxy.connect()
  for (let i = 0; i < 100; i++) assert.equal((await client.ask(GET)).status, 200)
  await proxy.until('64 copies', () => shadow.came.length === 64)
  assert.equal(await mirrored(proxy, 'dropped'), 36)
  await shadow.upstream.close()
  shadow.upstream.close = async () => {}
  for (let i = 0; i < 5; i++) assert.equal((await client.ask(post('x'))).status, 200)
  client.destroy()
  await proxy.until('the copies to end', () =>
    [...proxy.service.holder.current.snapshot.upstreams.values()].every(one => one.load.mirrored === 0),
  )
})

test('mirror: a silent one keeps no copy for good, where the route itself waits for ever', async t => {
  const [app, shadow] = [await CountingService.listen(), await CountingService.listen(() => 'silent')]
  const clock = new SteppedClock()
  const route = 'mirror: shadow\ntimeout: { total: off }'
  const proxy = await withServices(t, { app: [app], shadow: [shadow] }, { route }, { clock })
  for (let i = 0; i < 3; i++) assert.equal((await proxy.ask(GET)).status, 200)
  await proxy.until('the copies', () => shadow.came.length === 3)
  const load = proxy.service.holder.current.snapshot.upstreams.get('shadow')?.load
  assert.equal(load?.mirrored, 3)
  await proxy.step(16_000)
  assert.equal(load?.mirrored, 0)
})

test('mirror: a body that is too long, or that never ends, is not copied', async t => {
  const [app, shadow] = [await CountingService.listen(), await CountingService.listen()]
  const proxy = await withServices(
    t,
    { app: [app], shadow: [shadow] },
    { route: 'mirror: shadow\nrequestSize: 1MiB' },
  )
  assert.equal((await proxy.ask(post('x'.repeat(70_000)))).status, 200)
  const chunk = `${(40_000).toString(16)}\r\n${'y'.repeat(40_000)}\r\n`
  const chunked = `POST /c HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n${chunk}${chunk}0\r\n\r\n`
  assert.equal((await proxy.ask(chunked)).status, 200)
  const client = await proxy.connect()
  client.send('POST /h HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf')
  await turns(20)
  client.reset()
  await proxy.accessLine(line => line.reason === 'client_gone' || line.reason === 'body_aborted')
  await turns(10)
  assert.equal(shadow.came.length, 0)
  assert.equal(await mirrored(proxy, 'dropped'), 3)
  assert.equal(proxy.service.budget.used, 0)
})

test('mirror: a request that is answered before its body is there leaves no copy', async t => {
  const early = await HttpUpstream.listen((_request, response) => response.end('early'))
  const shadow = await CountingService.listen()
  const app = { port: early.port, upstream: early, came: [] }
  const proxy = await withServices(t, { app: [app], shadow: [shadow] }, { route: 'mirror: shadow' })
  const client = await proxy.connect()
  client.send('POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf')
  assert.equal((await client.readResponse()).body.toString(), 'early')
  client.destroy()
  await proxy.until('the memory to be given back', () => proxy.service.budget.used === 0)
  assert.equal(await mirrored(proxy, 'dropped'), 1)
  // Nor does one whose body nobody has begun to read.
  await early.close()
  app.upstream.close = async () => {}
  assert.equal((await proxy.ask(post('hello'))).status, 502)
  assert.equal(await mirrored(proxy, 'dropped'), 2)
  const load = proxy.service.holder.current.snapshot.upstreams.get('shadow')?.load
  assert.equal(load?.mirrored, 0)
  assert.equal(shadow.came.length, 0)
})

test('mirror: a share of the requests', async t => {
  const [app, shadow] = [await CountingService.listen(), await CountingService.listen()]
  const proxy = await withServices(
    t,
    { app: [app], shadow: [shadow] },
    { route: 'mirror: { upstream: shadow, percent: 0 }' },
  )
  for (let i = 0; i < 20; i++) await proxy.ask(GET)
  assert.equal(shadow.came.length, 0)
})

test('fault: a delay of so long, then the request goes on', async t => {
  const app = await CountingService.listen()
  const clock = new SteppedClock()
  const proxy = await withServices(t, { app: [app] }, { route: 'fault: { delay: 250ms }' }, { clock })
  const client = await proxy.connect()
  client.send(post('hello'))
  await turns(30)
  await proxy.step(240, 10)
  assert.equal(app.came.length, 0)
  await proxy.step(20, 10)
  assert.equal((await client.readResponse()).status, 200)
  assert.equal(app.came[0]?.body, 'hello')
  assert.equal((await proxy.accessLine(line => line.status === 200)).reason, 'fault_injected')
  client.send(GET)
  await turns(30)
  client.reset()
  await proxy.until('its line', () => proxy.access.length === 2)
  await proxy.step(500, 10)
  assert.equal(app.came.length, 1)
})

test('fault: a status, a closed connection, and only for those who ask for it', async t => {
  const app = await CountingService.listen()
  const ask = (more: string): string => `GET /x HTTP/1.1\r\nhost: a\r\n${more}\r\n`
  const answering = await withServices(
    t,
    { app: [app] },
    { route: 'fault: { status: 418, header: { x-trouble: please } }' },
  )
  const refused = await answering.ask(ask('x-trouble: please\r\n'))
  assert.equal(refused.status, 418)
  assert.equal(reasonOf(refused), 'fault_injected')
  assert.equal((await answering.ask(ask('x-trouble: no\r\n'))).status, 200)
  assert.equal((await answering.ask(ask(''))).status, 200)

  const other = await CountingService.listen()
  const cutting = await withServices(
    t,
    { app: [other] },
    { route: 'fault: { abort: on, header: x-trouble }' },
  )
  const client = await cutting.connect()
  client.send(ask('x-trouble: 1\r\n'))
  assert.equal(await client.readToEnd(), '')
  client.destroy()
  await cutting.accessLine(line => line.reason === 'fault_injected' && line['cause'] === 'abort')
  assert.equal((await cutting.ask(GET)).status, 200)
  assert.equal(other.came.length, 1)
})

test('fault: a share of the requests', async t => {
  const app = await CountingService.listen()
  const proxy = await withServices(t, { app: [app] }, { route: 'fault: { status: 503, percent: 0 }' })
  for (let i = 0; i < 20; i++) assert.equal((await proxy.ask(GET)).status, 200)
})

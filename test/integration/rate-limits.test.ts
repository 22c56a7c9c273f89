// Limits over sockets: where they count, who replaces whom, what a client sees, what a reload keeps.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { SignJWT } from 'jose'
import { InProcess } from '../harness/in-process.ts'
import { Asking, limited } from '../harness/limited.ts'
import { reasonOf } from '../harness/problem.ts'
import { RawUpstream, RecordingSink } from '../harness/raw-upstream.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'
import type { WireResponse } from '../harness/strict-http.ts'

const PARTNER = { 'x-api-key': 'partner' }
const RICH = { 'x-api-key': 'rich' }
const RICHER = { 'x-api-key': 'richer' }

test('a limit counts where it is written: over all routes, over a listener, over a route', async t => {
  const asking = await Asking.of(
    t,
    limited({
      defaults: '{ requests: 10, per: minute }',
      listener: '{ requests: 6, per: hour }',
      a: '{ requests: 3, per: second }',
    }),
    new SteppedClock(),
  )
  assert.equal(await asking.room('/a', PARTNER), 3)
  assert.equal(await asking.room('/b', PARTNER), 3, 'of the listener 3 are left')
  assert.equal(await asking.room('/c', PARTNER), 4, 'of all routes 4 are left')
  assert.equal(await asking.room('/c', RICH), 10, 'another caller has a count of its own')
})

test('a route replaces what has the same name, adds what has another, and `off` takes all away', async t => {
  const inherited = { defaults: '[{ requests: 4, per: minute }, { requests: 5, per: hour }]' }
  const replaced = await Asking.of(t, limited({ ...inherited, a: '{ requests: 2, per: minute }' }))
  assert.equal(await replaced.room('/a'), 2)
  assert.equal(await replaced.room('/b'), 3, 'the hour is common, the minute of the route is not')
  const off = await Asking.of(t, limited({ ...inherited, a: 'off' }))
  assert.equal(await off.room('/a'), Infinity)
  assert.equal(await off.room('/b'), 4)
})

test('plans and consumers: other numbers, limits of their own, `off`, and the route has the last word', async t => {
  const asking = await Asking.of(
    t,
    limited({
      defaults: '{ requests: 2, per: minute, plans: { gold: 8 } }',
      gold: '{ requests: 5, per: hour }',
      partner: 'off',
      a: '{ requests: 1, per: hour }',
    }),
  )
  assert.equal(await asking.room('/b'), 2)
  assert.equal(await asking.room('/b', PARTNER), Infinity)
  assert.equal(await asking.room('/a', PARTNER), 1, 'a route guards itself')
  assert.equal(await asking.room('/b', RICH), 5, 'the quota of the plan is tighter than its minute')
  assert.equal(await asking.room('/c', RICH), 0, 'and counts all that the caller does')
  assert.equal(await asking.room('/b', RICHER), 5, 'each caller of a plan has its own')
})

test('what a client sees: policies, the tightest, when to come again, and which limit it was', async t => {
  const clock = new SteppedClock()
  const asking = await Asking.of(
    t,
    limited({ a: '[{ requests: 3, per: minute }, { requests: 100, per: day, by: all }]' }),
    clock,
  )
  const first = await asking.get('/a')
  assert.equal(first.headers['ratelimit-policy'], '"consumer-minute";q=3;w=60, "all-day";q=100;w=86400')
  assert.equal(first.headers['ratelimit'], '"consumer-minute";r=2;t=60')
  await asking.proxy.step(10_000)
  await asking.get('/a')
  await asking.get('/a')
  const refused = await asking.get('/a')
  assert.equal(refused.status, 429)
  assert.equal(refused.headers['retry-after'], '50')
  assert.equal(refused.headers['ratelimit'], '"consumer-minute";r=0;t=50')
  assert.equal(reasonOf(refused), 'rate_limited')
  assert.match(refused.body.toString(), /"violated-policies":\["consumer-minute"\]/)
  await asking.proxy.step(49_000, 1000)
  assert.equal((await asking.get('/a')).status, 429)
  await asking.proxy.step(1000)
  assert.equal((await asking.get('/a')).status, 200)
  const line = await asking.proxy.accessLine(one => one.status === 429)
  assert.equal(line.reason, 'rate_limited')
  assert.match(
    await asking.proxy.metrics(),
    /^gateway_rate_limit_exceeded_total\{client_id="anonymous",route="a"\} 2$/m,
  )
})

test('fields of Kong, or none; a caller is counted by its name', async t => {
  const limits = 'limits: [{ requests: 2, per: minute }, { requests: 9, per: hour }]'
  const kong = await Asking.of(t, limited({ a: `{ ${limits}, headers: kong }` }))
  const { headers } = await kong.get('/a', PARTNER)
  const seen = Object.fromEntries(Object.entries(headers).filter(([name]) => name.includes('ratelimit')))
  assert.deepEqual(seen, {
    'ratelimit-limit': '2',
    'ratelimit-remaining': '1',
    'ratelimit-reset': '60',
    'x-ratelimit-limit-minute': '2',
    'x-ratelimit-remaining-minute': '1',
    'x-ratelimit-limit-hour': '9',
    'x-ratelimit-remaining-hour': '8',
  })
  assert.equal(await kong.room('/a', PARTNER), 1)
  assert.match(await kong.proxy.metrics(), /exceeded_total\{client_id="partner",route="a"\} 1$/m)
  const off = await Asking.of(t, limited({ a: `{ ${limits}, headers: off }` }))
  assert.equal(await off.room('/a'), 2)
  const refused = await off.get('/a')
  assert.deepEqual(
    Object.keys(refused.headers).filter(name => name.includes('ratelimit')),
    [],
  )
  assert.ok(refused.headers['retry-after'] !== undefined)
})

test('dryRun refuses nothing, says nothing to clients, and reports', async t => {
  const asking = await Asking.of(t, limited({ a: '{ limits: { requests: 2, per: minute }, dryRun: on }' }))
  for (let i = 0; i < 5; i++) {
    const { status, headers } = await asking.get('/a')
    assert.equal(status, 200)
    assert.equal(headers['ratelimit'], undefined)
  }
  const metrics = await asking.proxy.metrics()
  assert.match(metrics, /^outrigger_rate_limit_dry_run_exceeded_total\{client_id="anonymous",route="a"\} 3$/m)
  assert.doesNotMatch(metrics, /gateway_rate_limit_exceeded_total\{/)
  assert.ok(asking.proxy.errors.some(line => line['msg'] === 'a limit would refuse a request'))
})

test('a plan may be called as something that every object has', async t => {
  const yaml = limited({ listener: '{ requests: 2, per: minute }' })
    .replace('plans: { gold:', 'plans: { constructor:')
    .replace('name: rich,', 'name: valueOf,')
  const asking = await Asking.of(t, yaml)
  assert.equal(await asking.room('/a', RICH), 2)
})

test('a limit on trial takes away none of a level above, nor of a plan; dryRun alone is about all of them', async t => {
  const above = { defaults: '{ requests: 4, per: minute }', gold: '{ requests: 2, per: hour }' }
  const trial = '{ limits: [{ requests: 1, per: minute }, { concurrent: 9, by: all }], dryRun: on }'
  const asking = await Asking.of(t, limited({ ...above, a: trial }))
  assert.equal(await asking.room('/a'), 4)
  assert.equal(await asking.room('/a', RICH), 2)
  assert.match(
    await asking.proxy.metrics(),
    /^outrigger_rate_limit_dry_run_exceeded_total\{client_id="anonymous",route="a"\} 3$/m,
  )
  const alone = await Asking.of(t, limited({ ...above, a: '{ dryRun: on }' }))
  assert.equal(await alone.room('/a'), Infinity)
  assert.equal(await alone.room('/a', RICH), Infinity)
  assert.equal(await alone.room('/b', RICH), 0, 'what is tried is counted')
  const ended = await Asking.of(t, limited({ ...above, listener: trial, a: '{ dryRun: off }' }))
  assert.equal(await ended.room('/a'), 1)
  assert.equal(await ended.room('/b'), 4)
})

test('a reload keeps the counts, also where a number changes', async t => {
  const yaml = (minute: number, hour: number): string =>
    limited({
      a: `[{ requests: ${minute}, per: minute }, { requests: ${hour}, per: hour }]`,
      gold: '{ requests: 4, per: day }',
    })
  const asking = await Asking.of(t, yaml(3, 100))
  assert.equal(await asking.room('/a'), 3)
  assert.equal(await asking.room('/b', RICH), 4)
  await asking.proxy.apply(yaml(3, 101))
  assert.equal(await asking.room('/a'), 0)
  await asking.proxy.apply(yaml(5, 101))
  assert.equal(await asking.room('/a'), 2)
  assert.equal(await asking.room('/b', RICH), 0)
})

test('row 64: a forwarded address counts only from whom it is believed; IPv6 counts by /64', async t => {
  const asking = await Asking.of(t, limited({ a: '{ requests: 2, per: minute, by: address }' }))
  const from = (address: string): Record<string, string> => ({ 'x-forwarded-for': address })
  assert.equal(await asking.room('/a', from('2001:db8:1:2::1')), 2)
  for (let i = 0; i < 20; i++)
    assert.equal((await asking.get('/a', from(`2001:db8:1:2:${i.toString(16)}::${i}`))).status, 429)
  assert.equal(await asking.room('/a', from('2001:db8:1:3::1')), 2)
  const yaml = limited({ a: '{ requests: 2, per: minute, by: address }' })
  const untrusting = await Asking.of(t, yaml.replace('trustedProxies: [127.0.0.1]', ''))
  let passed = 0
  for (let i = 0; i < 10; i++) if ((await untrusting.get('/a', from(`192.0.2.${i}`))).status === 200) passed++
  assert.equal(passed, 2)
})

test('keys: several together, and whoever lacks one is counted by address, not nowhere', async t => {
  const asking = await Asking.of(
    t,
    limited({ a: '{ requests: 2, per: minute, by: [{ header: X-Tenant }, { query: shop }] }' }),
  )
  const tenant = (name: string): Record<string, string> => ({ 'x-tenant': name })
  assert.equal(await asking.room('/a?shop=1', tenant('one')), 2)
  assert.equal(await asking.room('/a?shop=2', tenant('one')), 2)
  assert.equal(await asking.room('/a?shop=1', tenant('two')), 2)
  assert.equal(await asking.room('/a', tenant('two')), 2)
  assert.equal(await asking.room('/a'), 2)
  assert.equal(await asking.room('/a?shop=', tenant('')), 0, 'an empty value is none')
  const long = 'x'.repeat(5000)
  assert.equal(await asking.room('/a', tenant(`${long}1`)), 2)
  assert.equal(await asking.room('/a', tenant(`${long}2`)), 2)
})

test('examples/config/edge.yaml: 100 a minute over both its routes, each caller its own', async t => {
  const sink = await RecordingSink.listen()
  t.after(() => sink.close())
  const text = readFileSync(new URL('../../examples/config/edge.yaml', import.meta.url), 'utf8')
  const yaml = text
    .replace('0.0.0.0:8000', '127.0.0.1:0')
    .replace('${env:JWT_SECRET}', 'a-secret-that-both-sides-know-123456')
    .replaceAll(/http:\/\/(user|order)-service:8080/g, `http://127.0.0.1:${sink.port}`)
  const proxy = await InProcess.start(yaml)
  t.after(() => proxy.stop())
  const client = await proxy.connect()
  t.after(() => client.destroy())
  const ask = async (path: string, credential: string): Promise<WireResponse> =>
    client.ask(`GET ${path} HTTP/1.1\r\nhost: shop\r\n${credential}\r\n\r\n`)
  const key = 'x-api-key: test'
  for (let i = 0; i < 100; i++)
    assert.equal((await ask(i % 2 === 0 ? '/api/users/1' : '/api/orders', key)).status, 200)
  const refused = await ask('/api/orders', key)
  assert.equal(refused.status, 429)
  assert.match(refused.headers['ratelimit'] ?? '', /^"consumer-minute";r=0;t=(60|59)$/)
  assert.match(await proxy.metrics(), /exceeded_total\{client_id="mobile-app",route="order-routes"\} 1$/m)
  const token = await new SignJWT({ iss: 'shop-partners' })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('5m')
    .sign(Buffer.from('a-secret-that-both-sides-know-123456'))
  const partner = await ask('/api/orders', `authorization: Bearer ${token}`)
  assert.equal(partner.status, 200)
  assert.equal(partner.headers['ratelimit'], '"consumer-minute";r=99;t=60')
})

test('so many at once: the place is free when the answer is out, and when the client is gone', async t => {
  const upstream = await RawUpstream.listen()
  t.after(() => upstream.close())
  const yaml = limited(
    { a: '{ concurrent: 2 }' },
    `upstreams: { app: { endpoints: ["127.0.0.1:${upstream.port}"] } }`,
  ).replace('respond: { body: a }', 'upstream: app')
  const asking = await Asking.of(t, yaml)
  const ask = 'GET /a HTTP/1.1\r\nhost: x\r\n\r\n'
  const clients = [await asking.proxy.connect('in'), await asking.proxy.connect('in')]
  for (const client of clients) client.send(ask)
  const servers = [await upstream.accept(), await upstream.accept()]
  for (const server of servers) await server.readUntil('\r\n\r\n')
  const refused = await asking.get('/a')
  assert.equal(refused.status, 429)
  assert.equal(refused.headers['retry-after'], '1')
  assert.equal(refused.headers['ratelimit-policy'], '"consumer-concurrent";q=2;qu="concurrent-requests"')
  clients[0]?.reset()
  await asking.proxy.accessLine(line => line.status === 499)
  const third = await asking.proxy.connect('in')
  third.send(ask)
  const server = await upstream.accept()
  await server.readUntil('\r\n\r\n')
  assert.equal((await asking.get('/a')).status, 429)
  for (const one of [servers[1], server])
    one?.send('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
  for (const client of [clients[1], third]) assert.equal((await client?.readResponse())?.status, 200)
  third.send(ask)
  await (await upstream.accept()).readUntil('\r\n\r\n')
  for (const client of [...clients, third]) client.destroy()
})

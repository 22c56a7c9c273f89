// Limits in front of authentication: what is refused with 401 or 403 counts in them, and in no other.
import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import { Asking } from '../harness/limited.ts'
import { reasonOf } from '../harness/problem.ts'

function guarded(rateLimit: string, route = ''): string {
  return `version: 1
service: test
authentication: { apiKey: { clients: { header: x-api-key } } }
plans: { gold: { groups: [gold], rateLimit: { requests: 1000, per: minute, by: address, name: early } } }
consumers:
  - { name: partner, groups: [gold], apiKeys: { sha256: ${hash('sha256', 'partner')} } }
  - { name: stranger, apiKeys: { sha256: ${hash('sha256', 'stranger')} } }
listeners:
  - name: in
    role: edge
    address: 127.0.0.1:0
    trustedProxies: [127.0.0.1]
    authenticate: { apiKey: clients }
    authorize: { groups: [gold] }
    cors: { origins: ["https://shop.example"] }
    rateLimit: ${rateLimit}
    routes: [{ name: a, match: { path: /a }, respond: { body: a } ${route} }]
`
}

const LIMITS =
  '[{ requests: 4, per: minute, by: address, before: authenticate, name: early }, { requests: 3, per: hour }]'
const GOOD = { 'x-api-key': 'partner' }

async function flood(asking: Asking, fields: Record<string, string>): Promise<number[]> {
  const seen: number[] = []
  for (let i = 0; i < 6; i++) seen.push((await asking.get('/a', fields)).status)
  return seen
}

test('guesses at keys and calls that are not allowed are bounded by address', async t => {
  const asking = await Asking.of(t, guarded(LIMITS))
  const from = (address: string): Record<string, string> => ({ 'x-forwarded-for': address })
  assert.deepEqual(await flood(asking, from('192.0.2.1')), [401, 401, 401, 401, 429, 429])
  assert.deepEqual(
    await flood(asking, { ...from('192.0.2.2'), 'x-api-key': 'guess' }),
    [401, 401, 401, 401, 429, 429],
  )
  assert.deepEqual(
    await flood(asking, { ...from('192.0.2.3'), 'x-api-key': 'stranger' }),
    [403, 403, 403, 403, 429, 429],
  )
  // Nobody is kept out by what others did, and what was refused counted in no other limit.
  assert.deepEqual(await flood(asking, { ...from('192.0.2.4'), ...GOOD }), [200, 200, 200, 429, 429, 429])
})

test('a refusal names the limit and when to come again; who passes hears of the others only', async t => {
  const asking = await Asking.of(t, guarded(LIMITS))
  const passed = await asking.get('/a', GOOD)
  // The plan has one of this name of its own: it is another, and replaces none in front of authentication.
  assert.equal(passed.headers['ratelimit-policy'], '"early";q=1000;w=60, "consumer-hour";q=3;w=3600')
  const refused = await asking.get('/a')
  assert.equal(refused.status, 401)
  assert.equal(refused.headers['ratelimit'], undefined)
  for (let i = 0; i < 2; i++) await asking.get('/a')
  const last = await asking.get('/a')
  assert.equal(last.status, 429)
  assert.equal(reasonOf(last), 'rate_limited')
  assert.match(last.headers['retry-after'] ?? '', /^\d+$/)
  assert.equal(last.headers['ratelimit-policy'], '"early";q=4;w=60')
  assert.equal(last.headers['www-authenticate'], undefined, 'nobody looked at a credential')
})

test('a preflight counts in none, and a place at one moment is given back by a refusal too', async t => {
  const places =
    '[{ concurrent: 1, by: address, before: authenticate }, { requests: 5, per: minute, by: address, before: authenticate }]'
  const asking = await Asking.of(t, guarded(places))
  const preflight =
    'OPTIONS /a HTTP/1.1\r\nhost: x\r\norigin: https://shop.example\r\naccess-control-request-method: PUT\r\n\r\n'
  for (let i = 0; i < 7; i++)
    assert.ok((await asking.proxy.ask(preflight)).status < 300, 'a preflight has no credential')
  assert.deepEqual(await flood(asking, {}), [401, 401, 401, 401, 401, 429])
})

test('on trial it refuses nobody, and a reload that only moves it keeps the count', async t => {
  const tried = await Asking.of(
    t,
    guarded('{ dryRun: on, limits: { requests: 1, per: minute, by: address, before: authenticate } }'),
  )
  assert.deepEqual(await flood(tried, {}), [401, 401, 401, 401, 401, 401])
  assert.match(
    await tried.proxy.metrics(),
    /outrigger_rate_limit_dry_run_exceeded_total\{client_id="anonymous",route="a"\} 5/,
  )
  const asking = await Asking.of(
    t,
    guarded('[{ requests: 4, per: minute, by: address, before: authenticate }]'),
  )
  for (let i = 0; i < 3; i++) await asking.get('/a', GOOD)
  await asking.proxy.apply(guarded('[{ requests: 4, per: minute, by: address }]'))
  assert.deepEqual((await flood(asking, GOOD)).slice(0, 2), [200, 429])
})

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { explain } from './explain.ts'

const folder = mkdtempSync(join(tmpdir(), 'outrigger-explain-caller-'))
after(() => rmSync(folder, { recursive: true }))
const file = join(folder, 'edge.yaml')
writeFileSync(
  file,
  `version: 1
service: shop
listeners:
  - name: public
    role: edge
    address: ":8000"
    authenticate: { anyOf: [jwt: main, apiKey: clients], optional: on }
    routes:
      - { name: orders, match: { path: /orders }, authenticate: { jwt: main }, upstream: app }
      - { name: mesh, match: { path: /mesh }, authenticate: { mtls: mesh }, upstream: app }
      - { name: open, match: { path: /open }, authenticate: off, upstream: app }
      - { name: rest, upstream: app }
upstreams: { app: { url: "http://10.0.0.1" } }
authentication:
  jwt: { main: { issuer: "https://id.shop.example", audiences: shop, groups: roles } }
  apiKey: { clients: { header: x-api-key } }
  mtls: { mesh: on }
plans: { gold: { groups: gold } }
consumers:
  - { name: web, groups: gold, jwt: { subject: web-app } }
  - { name: edge, spiffe: spiffe://shop/edge }
`,
)

async function run(...args: string[]) {
  let stdout = ''
  let stderr = ''
  const code = await explain.run(['-c', file, '--format', 'json', 'GET', ...args], {
    stdout: text => (stdout += text),
    stderr: text => (stderr += text),
  })
  // The parts of the explanation that are looked at here.
  type Told = {
    caller: { name: string; groups: string[]; plan: string | null; method: string } | null
    decision: { reason: string; kind: string; text: string }
    upstream: { headers: [string, string][] } | null
    policies: { name: string; text: string }[]
  }
  return { code, stderr, told: (stdout === '' ? {} : JSON.parse(stdout)) as Told }
}

test('without a caller a route that needs one refuses, and says what would do', async () => {
  const { told } = await run('http://a/orders')
  assert.equal(told.caller, null)
  assert.equal(told.decision.reason, 'credentials_missing')
  assert.match(told.decision.text, /www-authenticate: Bearer/)
  assert.equal(told.policies.find(one => one.name === 'authenticate')?.text, 'jwt main')
  const rest = await run('http://a/rest')
  assert.equal(
    rest.told.policies.find(one => one.name === 'authenticate')?.text,
    'jwt main or apiKey clients, or nobody',
  )
})

test('--as names an entry, or who a provider would name', async () => {
  const { told } = await run('http://a/orders', '--as', 'web')
  assert.deepEqual(
    [told.caller?.name, told.caller?.groups, told.caller?.plan, told.caller?.method],
    ['web', ['gold'], 'gold', 'jwt'],
  )
  assert.equal(told.decision.kind, 'upstream')
  assert.ok(told.upstream?.headers.some(([name, value]) => name === 'x-consumer-name' && value === 'web'))
  assert.equal((await run('http://a/orders', '--as', 'main/web-app')).told.caller?.name, 'web')
  assert.equal((await run('http://a/orders', '--as', 'main/alice')).told.caller?.name, 'main/alice')
  assert.equal((await run('http://a/open', '--as', 'web')).told.caller, null)
})

test('--claims says it as a token would', async () => {
  const { told } = await run('http://a/orders', '--claims', '{"sub":"alice","roles":["gold"],"scope":"a b"}')
  assert.deepEqual(
    [told.caller?.name, told.caller?.groups, told.caller?.plan],
    ['main/alice', ['gold'], 'gold'],
  )
  assert.equal((await run('http://a/orders', '--claims', '{"sub":"web-app"}')).told.caller?.name, 'web')
})

test('--peer is a certificate', async () => {
  assert.equal((await run('http://a/mesh')).told.decision.reason, 'credentials_missing')
  assert.equal((await run('http://a/mesh', '--peer', 'spiffe://shop/edge')).told.caller?.name, 'edge')
  assert.equal(
    (await run('http://a/mesh', '--peer', 'x.shop.example')).told.caller?.name,
    'mesh/x.shop.example',
  )
})

test('keys that would have to be fetched are not', async () => {
  const token = `${Buffer.from('{"alg":"ES256"}').toString('base64url')}.e30.AAAA`
  const { told } = await run('http://a/orders', '-H', `authorization: Bearer ${token}`)
  assert.equal(told.decision.reason, 'identity_provider_unavailable')
})

test('who cannot be is told with exit code 2', async () => {
  for (const args of [
    ...[
      ['--as', 'nobody'],
      ['--as', 'other/alice'],
      ['--claims', '[]'],
      ['--claims', '{'],
      ['--as', 'nobody', '--claims', '{}'],
    ],
  ])
    assert.equal((await run('http://a/orders', ...args)).code, 2, args.join(' '))
})

test('the limits that hold are those of the plan and the entry too, with the numbers of the caller', async () => {
  const limited = join(folder, 'limited.yaml')
  writeFileSync(
    limited,
    `version: 1
service: shop
stores: { shared: { redis: "redis://redis" } }
defaults:
  rateLimit:
    - { requests: 100, per: minute, plans: { gold: 1000, staff: off } }
    - { requests: 20, per: second, by: [address, { header: x-app }], burst: 50, cost: { cel: request.size, max: 7 } }
listeners:
  - name: public
    role: edge
    address: ":8000"
    authenticate: { apiKey: clients, optional: on }
    routes:
      - { name: free, match: { path: /off }, rateLimit: off, respond: {} }
      - { name: rest, rateLimit: { concurrent: 3, by: all }, respond: {} }
authentication: { apiKey: { clients: { header: x-api-key } } }
plans:
  gold: { groups: gold, rateLimit: { requests: 5000, per: month, store: shared, lease: 50, cost: 2 } }
  staff: { groups: staff }
consumers:
  - { name: web, groups: gold, apiKeys: { sha256: ${'a'.repeat(64)} }, rateLimit: { requests: 9, per: hour } }
  - { name: ops, groups: staff, apiKeys: { sha256: ${'b'.repeat(64)} } }
`,
  )
  const limits = async (...args: string[]): Promise<string[]> => {
    let stdout = ''
    const io = { stdout: (text: string) => (stdout += text), stderr: assert.fail }
    assert.equal(await explain.run(['-c', limited, '--format', 'json', ...args], io), 0)
    return (JSON.parse(stdout) as { limits: string[] }).limits // what the command prints
  }
  const shared = [
    'address-header.x-app-second 20 per second, burst 50, a request counts for request.size, at most 7 over defaults, by address, header x-app',
    'all-concurrent 3 at once over route.rest, by all',
  ]
  const minute = (quota: number): string => `consumer-minute ${quota} per minute over defaults, by consumer`
  assert.deepEqual(await limits('GET', 'http://a/x'), [minute(100), ...shared])
  assert.deepEqual(await limits('--as', 'web', 'GET', 'http://a/x'), [
    minute(1000),
    shared[0],
    'consumer-month 5000 per month, a request counts for 2 over plan.gold in shared, 50 at a time, by consumer',
    'consumer-hour 9 per hour over consumer.web, by consumer',
    shared[1],
  ])
  assert.deepEqual(await limits('--as', 'ops', 'GET', 'http://a/x'), shared)
  assert.deepEqual(await limits('--as', 'web', 'GET', 'http://a/off'), [])
})

// Who may call what, over sockets: tokens, levels, expressions, trials, the audit; and row 63: what is empty refuses.
import assert from 'node:assert/strict'
import net from 'node:net'
import { test, type TestContext } from 'node:test'
import { InProcess } from '../harness/in-process.ts'
import { reasonOf } from '../harness/problem.ts'
import { SECRET, sharedToken } from '../harness/tokens.ts'

const CONFIG = `version: 1
service: test
listeners:
  - name: in
    role: edge
    address: 127.0.0.1:0
    authenticate: { jwt: main, optional: true }
    authorize: { groups: [staff, ops] }
    routes:
      - { name: all, match: { path: /all }, respond: { body: all } }
      - { name: write, match: { path: /write }, authorize: { scopes: ["orders:read", "orders:write"] }, respond: {} }
      - { name: own, match: { path: "/users/{id}" }, authorize: request.params.id == claims.sub, respond: {} }
      - { name: role, match: { path: /role }, authorize: { when: 'request.headers["x-role"] == "admin"' }, respond: {} }
      - { name: trial, match: { path: /trial }, authorize: { scopes: later, dryRun: on }, respond: {} }
      - { name: narrower, match: { path: /narrower }, authorize: { groups: support, dryRun: on }, respond: {} }
      - { name: empty, match: { path: /empty }, authorize: { groups: [] }, respond: {} }
      - { name: open, match: { path: /open }, authorize: off, respond: {} }
authentication: { jwt: { main: { issuer: off, audiences: off, secret: ${SECRET}, groups: groups } } }
authorization: { audit: on }
telemetry: { accessLog: on }
`

async function started(t: TestContext, yaml = CONFIG): Promise<InProcess> {
  const proxy = await InProcess.start(yaml)
  t.after(() => proxy.stop())
  return proxy
}

async function ask(
  proxy: InProcess,
  path: string,
  claims: Readonly<Record<string, unknown>> | null,
  fields = '',
): Promise<number> {
  const token =
    claims === null
      ? ''
      : `authorization: Bearer ${await sharedToken({ sub: 'alice', exp: 4_000_000_000, ...claims })}\r\n`
  const response = await proxy.ask(`GET ${path} HTTP/1.1\r\nhost: a\r\n${token}${fields}\r\n`)
  if (response.status === 403) assert.equal(reasonOf(response), 'forbidden')
  return response.status
}

test('levels add up, and off opens what stands below it', async t => {
  const proxy = await started(t)
  const staff = { groups: ['staff'] }
  assert.equal(await ask(proxy, '/all', staff), 200)
  assert.equal(await ask(proxy, '/all', { groups: ['user'] }), 403)
  assert.equal(await ask(proxy, '/all', { groups: 'staff,user' }), 403)
  assert.equal(await ask(proxy, '/all', null), 403)
  assert.equal(await ask(proxy, '/write', { ...staff, scope: 'orders:read orders:write' }), 200)
  assert.equal(await ask(proxy, '/write', { ...staff, scope: 'orders:read' }), 403)
  assert.equal(await ask(proxy, '/write', { scope: 'orders:read orders:write' }), 403)
  assert.equal(await ask(proxy, '/open', null), 200)
})

test('an expression sees the request and the token; what is missing refuses', async t => {
  const proxy = await started(t)
  const staff = { groups: ['ops'] }
  assert.equal(await ask(proxy, '/users/alice', staff), 200)
  assert.equal(await ask(proxy, '/users/bob', staff), 403)
  assert.equal(await ask(proxy, '/users/%61lice', staff), 200)
  assert.equal(await ask(proxy, '/users/alice', { ...staff, sub: ['alice'] }), 403)
  assert.equal(await ask(proxy, '/users/alice', { groups: [] }), 403)
  // Row 16: neither a list in one line nor two lines are one of their values.
  assert.equal(await ask(proxy, '/role', staff, 'x-role: admin\r\n'), 200)
  for (const fields of [
    '',
    'x-role: user,admin\r\n',
    'x-role: user\r\nx-role: admin\r\n',
    'x-role: Admin\r\n',
  ])
    assert.equal(await ask(proxy, '/role', staff, fields), 403, fields)
})

test('an empty rule refuses everybody (row 63)', async t => {
  const proxy = await started(t)
  assert.equal(await ask(proxy, '/empty', { groups: ['staff', 'ops'] }), 403)
  await proxy.apply(CONFIG.replace('authorize: { groups: [staff, ops] }', 'authorize: {}'))
  assert.equal(await ask(proxy, '/all', { groups: ['staff'] }), 403)
})

test('a condition on trial takes away nothing of what a level above says of the same', async t => {
  const proxy = await started(t)
  assert.equal(await ask(proxy, '/narrower', { groups: ['user'] }), 403)
  assert.equal(await ask(proxy, '/narrower', { groups: ['support'] }), 403)
  assert.equal(await ask(proxy, '/narrower', { groups: ['staff'] }), 200)
  assert.equal(await ask(proxy, '/narrower', { groups: ['staff', 'support'] }), 200)
  assert.deepEqual(
    (await proxy.auditLines(4)).map(({ decision, unmet }) => [decision, unmet]),
    [
      ['deny', 'groups'],
      ['deny', 'groups'],
      ['would_deny', 'groups'],
      ['allow', undefined],
    ],
  )
})

test('every decision is audited: who, what, which rule, which configuration, and no credential', async t => {
  const proxy = await started(t)
  assert.equal(await ask(proxy, '/all?token=canary', { groups: ['staff'] }, 'cookie: canary=1\r\n'), 200)
  assert.equal(await ask(proxy, '/write', { groups: ['staff'] }), 403)
  assert.equal(await ask(proxy, '/trial', { groups: ['staff'] }), 200)
  assert.equal(await ask(proxy, '/empty', null), 403)
  assert.equal(await ask(proxy, '/open', null), 200)
  const lines = await proxy.auditLines(4)
  assert.deepEqual(
    lines.map(({ decision, rule, unmet, consumer, path, status }) => [
      decision,
      rule,
      unmet,
      consumer,
      path,
      status,
    ]),
    [
      ['allow', 'listener.in', undefined, 'main/alice', '/all', 200],
      ['deny', 'listener.in + route.write', 'scopes', 'main/alice', '/write', 403],
      ['would_deny', 'listener.in + route.trial', 'scopes', 'main/alice', '/trial', 200],
      ['deny', 'listener.in + route.empty', 'groups', undefined, '/empty', 403],
    ],
  )
  for (const line of lines) {
    assert.equal(line['config'], proxy.service.holder.current.snapshot.hash)
    assert.match(String(line['request_id']), /^[0-9a-f]{24}$/)
    assert.doesNotMatch(JSON.stringify(line), /canary|eyJ/)
  }
  assert.match(
    await proxy.metrics(),
    /outrigger_authorization_decisions_total\{route="trial",decision="would_deny"\} 1/,
  )
  await proxy.apply(CONFIG.replace('audit: on', 'audit: { percent: 0 }'))
  assert.equal(await ask(proxy, '/all', { groups: ['staff'] }), 200)
  assert.equal(await ask(proxy, '/all', null), 403)
  assert.equal((await proxy.auditLines(5)).length, 5)
})

test('who is refused by authentication is audited too, with what was wrong', async t => {
  const proxy = await started(t, CONFIG.replace(', optional: true', ''))
  assert.equal(await ask(proxy, '/all?token=canary', null), 401)
  assert.equal(await ask(proxy, '/all', { exp: 1 }), 401)
  const forged = `authorization: Bearer ${await sharedToken({ sub: 'canary' }, `${SECRET}x`)}\r\n`
  assert.equal(await ask(proxy, '/all', null, forged), 401)
  assert.equal(await ask(proxy, '/all', { groups: ['staff'] }), 200)
  const lines = await proxy.auditLines(4)
  assert.deepEqual(
    lines.map(({ event, decision, rule, unmet, cause, status }) => [
      event,
      decision,
      rule,
      unmet,
      cause,
      status,
    ]),
    [
      ['authentication', 'deny', 'authenticate', 'credentials_missing', undefined, 401],
      ['authentication', 'deny', 'authenticate', 'token_expired', 'it has expired', 401],
      ['authentication', 'deny', 'authenticate', 'credentials_invalid', 'the signature does not hold', 401],
      ['authorization', 'allow', 'listener.in', undefined, undefined, 200],
    ],
  )
  assert.doesNotMatch(JSON.stringify(lines), /canary|eyJ/)
})

test('addresses: those of clients, as trusted proxies name them and nobody else', async t => {
  const yaml = (trusted: string) => `version: 1
service: test
listeners:
  - name: in
    role: edge
    address: 127.0.0.1:0
    trustedProxies: [${trusted}]
    routes:
      - { name: few, match: { path: /few }, authorize: { allow: [10.0.0.0/8, 127.0.0.1] }, respond: {} }
      - { name: most, match: { path: /most }, authorize: { deny: 10.9.0.0/16 }, respond: {} }
  - { name: raw, role: inbound, address: 127.0.0.1:0, protocol: tcp, authorize: { deny: 127.0.0.0/8 }, upstream: a }
upstreams: { a: { endpoints: ["127.0.0.1:1"] } }
`
  const proxy = await started(t, yaml(''))
  const asked = (path: string, client: string): Promise<number> =>
    ask(proxy, path, null, `x-forwarded-for: ${client}\r\n`)
  assert.equal(await asked('/few', '192.0.2.1'), 200, 'who says so is not trusted, and comes from 127.0.0.1')
  assert.equal(await asked('/most', '10.9.0.1'), 200)
  await proxy.apply(yaml('127.0.0.1'))
  const seen: Record<string, number> = {}
  for (const client of ['10.1.2.3', '192.0.2.1', '10.9.0.1', '10.9.0.1, 192.0.2.1'])
    seen[client] = (await asked('/few', client)) * 1000 + (await asked('/most', client))
  assert.deepEqual(seen, {
    '10.1.2.3': 200_200,
    '192.0.2.1': 403_200,
    '10.9.0.1': 200_403,
    '10.9.0.1, 192.0.2.1': 403_200,
  })
  const raw = net.connect(proxy.port('raw'), '127.0.0.1')
  raw.on('error', () => {})
  await new Promise(resolve => raw.on('close', resolve))
  assert.equal(raw.bytesRead, 0)
})

// What expressions fill into headers, paths and redirects, over sockets: encoded for its place, or not there at all.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { InProcess } from '../harness/in-process.ts'
import { reasonOf } from '../harness/problem.ts'
import { RecordingSink } from '../harness/raw-upstream.ts'
import type { WireResponse } from '../harness/strict-http.ts'
import { SECRET, sharedToken } from '../harness/tokens.ts'

async function started(t: TestContext): Promise<{ proxy: InProcess; sink: RecordingSink }> {
  const sink = await RecordingSink.listen()
  const proxy = await InProcess.start(`version: 1
service: test
listeners:
  - name: in
    role: edge
    address: 127.0.0.1:0
    authenticate: { jwt: main }
    routes:
      - name: tenants
        match: { path: "/t/{id}" }
        rewrite: { path: "/tenants/{claims.tenant}/{id}" }
        upstream: sink
      - { name: moved, match: { path: /moved }, redirect: { to: "/new/{claims.tenant}?of={consumer.name}" } }
      - name: all
        headers:
          request: { set: { x-tenant: "{claims.tenant}", x-kind: "{request.size + 1} {'{'}" }, add: { x-role: "{claims.roles[0]}" } }
          response: { set: { x-who: "{consumer.name} by {auth.method}" } }
        upstream: sink
upstreams: { sink: { endpoints: ["127.0.0.1:${sink.port}"] } }
authentication: { jwt: { main: { issuer: off, audiences: off, secret: ${SECRET} } } }
`)
  t.after(async () => {
    await proxy.stop()
    await sink.close()
  })
  return { proxy, sink }
}

async function ask(proxy: InProcess, path: string, claims: Record<string, unknown>): Promise<WireResponse> {
  const token = await sharedToken({ sub: 'alice', exp: 4_000_000_000, ...claims })
  return proxy.ask(
    `GET ${path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${token}\r\nx-tenant: forged\r\n\r\n`,
  )
}

test('headers hold what expressions say, or are not there', async t => {
  const { proxy, sink } = await started(t)
  const response = await ask(proxy, '/x', { tenant: 'acme é', roles: ['admin', 'user'] })
  assert.equal(response.headers['x-who'], 'main/alice by jwt')
  await ask(proxy, '/x', { roles: [] })
  await ask(proxy, '/x', { tenant: 'a\r\nx-admin: 1', roles: [{}] })
  await ask(proxy, '/x', { tenant: ['acme'], roles: 'admin' })
  const seen = sink
    .requestsSeen()
    .map(({ headers }) => [headers['x-tenant'], headers['x-role'], headers['x-kind'], headers['x-admin']])
  assert.deepEqual(seen, [
    [Buffer.from('acme é').toString('latin1'), 'admin', '1 {', undefined],
    [undefined, undefined, '1 {', undefined],
    [undefined, undefined, '1 {', undefined],
    [undefined, undefined, '1 {', undefined],
  ])
})

test('in a path a value is one segment, or the request is refused', async t => {
  const { proxy, sink } = await started(t)
  assert.equal((await ask(proxy, '/t/7', { tenant: 'ac me' })).status, 200)
  assert.equal((await ask(proxy, '/t/7', { tenant: 12 })).status, 200)
  for (const tenant of [
    'a/b',
    '..',
    '.',
    '',
    '../admin',
    'a%2fb',
    'a\\b',
    '\0',
    '\ud800',
    undefined,
    ['a'],
    null,
  ]) {
    const refused = await ask(proxy, '/t/7', { tenant })
    assert.equal(refused.status, 400, JSON.stringify(tenant))
    assert.equal(reasonOf(refused), 'bad_path')
  }
  assert.deepEqual(
    sink.requestsSeen().map(({ target }) => target),
    ['/tenants/ac%20me/7', '/tenants/12/7'],
  )
  const moved = await ask(proxy, '/moved', { tenant: 'a', sub: 'x&y=z' })
  assert.equal(moved.headers['location'], '/new/a?of=main%2Fx%26y%3Dz')
  assert.equal((await ask(proxy, '/moved', { tenant: '/evil.example' })).status, 400)
})

// Row 57: a token that is used again after its owner logged out, where a list says so. Also one that was good a moment ago.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { guarded, withGuard } from '../harness/guarded.ts'
import { IntrospectionServer } from '../harness/introspection-server.ts'
import { loginFixture } from '../harness/login-fixture.ts'
import { reasonOf } from '../harness/problem.ts'
import { SECRET, sharedToken } from '../harness/tokens.ts'

const NOW = Math.floor(Date.now() / 1000)

function listFile(t: TestContext): { file: string; write: (text: string) => void } {
  const folder = mkdtempSync(path.join(tmpdir(), 'outrigger-revoked-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = path.join(folder, 'revoked.txt')
  const write = (text: string): void => writeFileSync(file, text, { mode: 0o600 })
  write('# nobody\n')
  return { file, write }
}

const bearer = async (claims: Record<string, unknown>) => ({
  authorization: `Bearer ${await sharedToken({ exp: NOW + 3600, iat: NOW, ...claims })}`,
})

test('a token that was good a moment ago is refused from the reload on, and the others stay known', async t => {
  const { file, write } = listFile(t)
  const authentication = `jwt: { main: { issuer: off, audiences: off, secret: ${SECRET}, revoked: { file: "${file}" } } }`
  const more = { authenticate: '{ jwt: main }', authentication }
  const { sink, proxy, get } = await withGuard(t, more)
  const [alice, again, bob] = [
    await bearer({ sub: 'alice', jti: 'a-1' }),
    await bearer({ sub: 'alice', jti: 'a-2', iat: NOW + 2 }),
    await bearer({ sub: 'bob', jti: 'b-1' }),
  ]
  const statuses = async (): Promise<number[]> =>
    Promise.all([alice, again, bob].map(async fields => (await get('/x', fields)).status))
  assert.deepEqual(await statuses(), [200, 200, 200])
  write('jti a-1\n')
  await proxy.apply(guarded(sink.port, more))
  assert.deepEqual(await statuses(), [401, 200, 200])
  const refused = await get('/x', alice)
  assert.equal(reasonOf(refused), 'credentials_invalid')
  assert.match(String(refused.headers['www-authenticate']), /error="invalid_token"/)
  assert.match(await proxy.metrics(), /outrigger_tokens_total\{provider="main",result="checked"\} 3$/m)
  write(`sub alice before ${new Date((NOW + 1) * 1000).toISOString()}\nsub bob\n`)
  await proxy.apply(guarded(sink.port, more))
  assert.deepEqual(await statuses(), [401, 200, 401])
  // What cannot be read leaves in force what was.
  write('everybody\n')
  await assert.rejects(proxy.apply(guarded(sink.port, more)), /line 1/)
  assert.deepEqual(await statuses(), [401, 200, 401])
  write('# nobody\n')
  await proxy.apply(guarded(sink.port, more))
  assert.deepEqual(await statuses(), [200, 200, 200])
})

test('a token that the issuer calls good, and that is kept, is refused too', async t => {
  const issuer = await IntrospectionServer.start()
  t.after(() => issuer.stop())
  issuer.tokens.set('good', { active: true, sub: 'alice' })
  issuer.tokens.set('other', { active: true, sub: 'bob', jti: 'b-1' })
  const { file, write } = listFile(t)
  const more = {
    authenticate: '{ introspection: id }',
    authentication: `introspection: { id: { url: "${issuer.url}", clientId: e, clientSecret: s, revoked: { file: "${file}" } } }`,
  }
  const { sink, proxy, get } = await withGuard(t, more)
  const ask = async (token: string): Promise<number> =>
    (await get('/x', { authorization: `Bearer ${token}` })).status
  assert.deepEqual([await ask('good'), await ask('other')], [200, 200])
  write('sub alice before 2999-01-01T00:00:00Z\n')
  await proxy.apply(guarded(sink.port, more))
  // It does not say when it was issued.
  assert.deepEqual([await ask('good'), await ask('other')], [401, 200])
  assert.equal(issuer.asked.length, 2, 'both are kept')
  write('jti b-1\n')
  await proxy.apply(guarded(sink.port, more))
  assert.deepEqual([await ask('good'), await ask('other')], [200, 401])
})

test('a session whose user is on the list is over, until its browser logs in again', async t => {
  const { file, write } = listFile(t)
  const { proxy, origin, browser, yaml } = await loginFixture(t, { provider: `revoked: { file: "${file}" }` })
  assert.equal((await browser.logIn(`${origin}/x`, 'alice')).status, 200)
  const cookies = new Map(browser.cookies('127.0.0.1'))
  write(`sub alice before ${new Date(Date.now() + 1).toISOString()}\n`)
  await proxy.apply(yaml)
  const script = { headers: { accept: 'application/json' } }
  assert.equal((await browser.ask(`${origin}/x`, script)).status, 401)
  for (const [name, value] of cookies) browser.cookies('127.0.0.1').set(name, value)
  assert.equal((await browser.ask(`${origin}/x`, script)).status, 401, 'a copy of its cookie is no better')
  assert.equal((await browser.logIn(`${origin}/x`, 'alice')).status, 200)
  assert.equal((await browser.ask(`${origin}/x`, script)).status, 200)
})

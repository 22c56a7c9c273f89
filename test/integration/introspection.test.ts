import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { withGuard } from '../harness/guarded.ts'
import { IntrospectionServer } from '../harness/introspection-server.ts'
import { reasonOf } from '../harness/problem.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'

const ALICE = { active: true, sub: 'alice', scope: 'read write', roles: ['ops'], tenant: 'acme' }

async function fixture(t: TestContext, more: { provider?: string; top?: string; clock?: SteppedClock } = {}) {
  const issuer = await IntrospectionServer.start()
  t.after(() => issuer.stop())
  issuer.tokens.set('good', ALICE)
  const provider = `url: "${issuer.url}", clientId: "edge:1", clientSecret: "s3cr&t ü", groups: roles, ${more.provider ?? ''}`
  const { sink, proxy, get } = await withGuard(
    t,
    {
      authenticate: '{ introspection: id }',
      authentication: `introspection: { id: { ${provider} } }`,
      top: more.top ?? '',
    },
    more.clock === undefined ? {} : { clock: more.clock },
  )
  const ask = (token: string) => get('/x', { authorization: `Bearer ${token}` })
  return { issuer, sink, proxy, get, ask }
}

test('the issuer says who calls: once a minute', async t => {
  const clock = new SteppedClock()
  const { issuer, sink, proxy, ask } = await fixture(t, {
    provider: 'claimHeaders: { x-tenant: tenant }, forward: off',
    top: 'consumers: [{ name: web, groups: [gold], jwt: { subject: web } }]\n',
    clock,
  })
  issuer.tokens.set('of-web', { active: true, sub: 'web' })
  for (const token of ['good', 'good', 'of-web']) assert.equal((await ask(token)).status, 200)
  const seen = sink
    .requestsSeen()
    .map(({ headers }) => [
      headers['x-consumer-name'],
      headers['x-consumer-groups'],
      headers['x-tenant'],
      headers['authorization'],
    ])
  assert.deepEqual(seen, [
    ['id/alice', 'ops', 'acme', undefined],
    ['id/alice', 'ops', 'acme', undefined],
    ['web', 'gold', undefined, undefined],
  ])
  // RFC 6749 section 2.3.1: both are form-encoded before they are joined.
  const authorization = `Basic ${Buffer.from('edge%3A1:s3cr%26t+%C3%BC').toString('base64')}`
  assert.deepEqual(issuer.asked[0], { method: 'POST', authorization, token: 'good', hint: 'access_token' })
  assert.equal(issuer.asked.length, 2)
  await proxy.step(59_900)
  assert.equal((await ask('good')).status, 200)
  assert.equal(issuer.asked.length, 2)
  // It was revoked, and is good for no longer than a minute.
  issuer.tokens.delete('good')
  await proxy.step(100)
  const revoked = await ask('good')
  assert.equal(revoked.status, 401)
  assert.equal(reasonOf(revoked), 'credentials_invalid')
  assert.equal(revoked.headers['www-authenticate'], 'Bearer realm="outrigger", error="invalid_token"')
  // For some seconds that is known too.
  await ask('good')
  assert.equal(issuer.asked.length, 3)
  issuer.tokens.set('good', ALICE)
  await proxy.step(5_000)
  assert.equal((await ask('good')).status, 200)
  const text = JSON.stringify([proxy.access, proxy.errors])
  for (const secret of ['s3cr', 'of-web']) assert.ok(!text.includes(secret))
})

test('a token is not good past its end, whatever was kept', async t => {
  const clock = new SteppedClock()
  const { issuer, proxy, ask } = await fixture(t, { clock })
  const exp = Math.floor(clock.wall() / 1000) + 10
  issuer.tokens.set('short', { ...ALICE, exp })
  assert.equal((await ask('short')).status, 200)
  await proxy.step(9_900)
  assert.equal((await ask('short')).status, 200)
  assert.equal(issuer.asked.length, 1)
  await proxy.step(29_100)
  assert.equal((await ask('short')).status, 200, 'clocks may differ by 30 s')
  assert.equal(issuer.asked.length, 2, 'and then it is asked about again')
  await proxy.step(1_000)
  assert.equal(reasonOf(await ask('short')), 'token_expired')
  // The issuer need not be right in every answer.
  issuer.tokens.set('over', { ...ALICE, exp: exp - 100 })
  assert.equal(reasonOf(await ask('over')), 'token_expired')
  issuer.tokens.set('odd', { ...ALICE, exp: 'tomorrow' })
  assert.equal(reasonOf(await ask('odd')), 'credentials_invalid')
})

test('issuer and audience count where the provider names them', async t => {
  const { issuer, ask } = await fixture(t, { provider: 'issuer: https://id.example, audiences: shop' })
  issuer.tokens.set('both', { ...ALICE, iss: 'https://id.example', aud: ['web', 'shop'] })
  issuer.tokens.set('other', { ...ALICE, iss: 'https://id.example', aud: 'web' })
  issuer.tokens.set('foreign', { ...ALICE, iss: 'https://evil.example', aud: 'shop' })
  assert.equal((await ask('both')).status, 200)
  for (const token of ['good', 'other', 'foreign']) assert.equal((await ask(token)).status, 401, token)
})

test('who brings one token at once waits for one answer, and only so many questions are open', async t => {
  const { issuer, proxy, ask } = await fixture(t)
  const gate = Promise.withResolvers<void>()
  issuer.mode = { gate: gate.promise }
  for (let i = 0; i < 60; i++) issuer.tokens.set(`t${i}`, ALICE)
  const many = Array.from({ length: 60 }, (_, i) => ask(`t${i}`))
  const same = Array.from({ length: 10 }, () => ask('t0'))
  await proxy.until('all questions that are asked at once', () => issuer.most === 32)
  gate.resolve()
  for (const { status } of await Promise.all([...many, ...same])) assert.equal(status, 200)
  assert.equal(issuer.asked.length, 60)
  assert.equal(issuer.most, 32)
})

test('row 61: without an answer nobody passes', async t => {
  const clock = new SteppedClock()
  const { issuer, sink, proxy, ask } = await fixture(t, { clock })
  const answers = [
    'closing',
    'redirecting',
    { status: 500 },
    { status: 401 },
    { text: 'x' },
    { text: '[]' },
    { text: '{"active":"true"}' },
    { text: '{"sub":"alice"}' },
    { text: `{"active":true,"sub":"${'x'.repeat(65_536)}"}` },
  ] as const
  for (const [index, mode] of answers.entries()) {
    issuer.mode = mode
    const response = await ask(`new-${index}`)
    assert.equal(response.status, 503, JSON.stringify(mode).slice(0, 60))
    assert.equal(reasonOf(response), 'identity_provider_unavailable')
    await proxy.step(1_000)
  }
  issuer.mode = 'hanging'
  const hanging = ask('new-hanging')
  await proxy.until('the question', () => issuer.asked.at(-1)?.token === 'new-hanging')
  await proxy.step(2_200)
  assert.equal((await hanging).status, 503)
  // After failures in a row nobody asks for a second.
  const asked = issuer.asked.length
  assert.equal((await ask('at-once')).status, 503)
  assert.equal(issuer.asked.length, asked)
  await proxy.step(1_000)
  issuer.mode = 'up'
  assert.equal((await ask('good')).status, 200)
  await issuer.stop()
  assert.equal((await ask('good')).status, 200, 'what was good is good for a minute')
  await proxy.step(60_000)
  assert.equal((await ask('good')).status, 503)
  assert.equal(sink.requestsSeen().length, 2)
})

test('what cannot be a token is refused without asking', async t => {
  const { issuer, ask, get } = await fixture(t)
  for (const token of ['a b', 'ü', 'x'.repeat(8193), '']) {
    const response = await ask(token)
    assert.equal(response.status, 401)
  }
  assert.equal(reasonOf(await get('/x')), 'credentials_missing')
  assert.deepEqual(issuer.asked, [])
})

test('RFC 8705, section 3.2: a token that its issuer calls bound is nobody’s who does not prove it', async t => {
  const { issuer, proxy, ask } = await fixture(t)
  issuer.tokens.set('of-certificate', {
    ...ALICE,
    cnf: { 'x5t#S256': Buffer.alloc(32).toString('base64url') },
  })
  issuer.tokens.set('of-key', { ...ALICE, token_type: 'DPoP', cnf: { jkt: 'x' } })
  issuer.tokens.set('of-both', { ...ALICE, cnf: {} })
  for (const token of ['of-certificate', 'of-key', 'of-both', 'of-key']) {
    const response = await ask(token)
    assert.equal(response.status, 401, token)
    assert.equal(response.headers['www-authenticate'], 'Bearer realm="outrigger", error="invalid_token"')
  }
  assert.ok(proxy.access.every(({ cause }) => cause === 'what the token is bound to was not proved'))
})

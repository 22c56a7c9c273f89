// What a login brings beside who it is: claims of the userinfo endpoint, and tokens for upstreams.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { CookieBrowser } from '../harness/cookie-browser.ts'
import { loginFixture } from '../harness/login-fixture.ts'
import { TokenEndpoint } from '../harness/token-endpoint.ts'

const SCRIPT = { headers: { accept: 'application/json' } }

test('relay: upstreams get the access token, whatever the client sent, and the next one after a refresh', async t => {
  const { issuer, sink, proxy, origin, browser } = await loginFixture(t, {
    provider: 'relay: on',
    tokenSeconds: 2,
  })
  assert.equal((await browser.logIn(`${origin}/x`, 'alice')).status, 200)
  const forged = { headers: { accept: 'application/json', authorization: 'Bearer forged' } }
  assert.equal((await browser.ask(`${origin}/x`, forged)).status, 200)
  const tokens = (): string[] => sink.requestsSeen().map(({ headers }) => headers['authorization'] ?? '')
  const [first = '', second] = tokens()
  assert.match(first, /^Bearer [A-Za-z0-9_-]{40,}$/)
  assert.equal(second, first)
  await pause(2_100)
  assert.equal((await browser.ask(`${origin}/x`, SCRIPT)).status, 200)
  assert.match(tokens()[2] ?? '', /^Bearer /)
  assert.notEqual(tokens()[2], first)
  // While the issuer is away the session goes on, without a token that has ended.
  issuer.mode = 'failing'
  await pause(2_100)
  assert.equal((await browser.ask(`${origin}/x`, forged)).status, 200)
  assert.equal(tokens()[3], '')
  assert.ok(!JSON.stringify([proxy.access, proxy.errors]).includes(first.slice(7)))
})

test('without relay upstreams get no token, and its cookie holds none', async t => {
  const { sink, origin, browser } = await loginFixture(t)
  const { sink: other, origin: relaying, browser: another } = await loginFixture(t, { provider: 'relay: on' })
  await browser.logIn(`${origin}/x`, 'alice')
  await another.logIn(`${relaying}/x`, 'alice')
  assert.equal(sink.requestsSeen()[0]?.headers['authorization'], undefined)
  assert.match(other.requestsSeen()[0]?.headers['authorization'] ?? '', /^Bearer /)
  const size = (one: CookieBrowser): number => one.cookies('127.0.0.1').get('__Host-og~login')?.length ?? 0
  assert.ok(size(browser) < size(another))
})

test('a session’s token is exchanged for one that upstreams take', async t => {
  const endpoint = await TokenEndpoint.start(t)
  const { sink, origin, browser } = await loginFixture(t, {
    provider: `exchange: { url: "${endpoint.url}", clientId: edge, clientSecret: s, resource: "https://orders.example" }`,
  })
  await browser.logIn(`${origin}/x`, 'alice')
  assert.equal((await browser.ask(`${origin}/x`, SCRIPT)).status, 200)
  const tokens = sink.requestsSeen().map(({ headers }) => headers['authorization'])
  assert.deepEqual(tokens, ['Bearer for-somebody-1', 'Bearer for-somebody-1'])
  assert.equal(endpoint.asked[0]?.form['resource'], 'https://orders.example')
  endpoint.instead = { status: 400, json: { error: 'invalid_request' } }
  const other = new CookieBrowser()
  assert.equal((await other.logIn(`${origin}/x`, 'bob')).status, 401)
})

test('userinfo: claims that ID tokens do not have, at the login and after a refresh', async t => {
  const without = await loginFixture(t, { lean: true })
  await without.browser.logIn(`${without.origin}/x`, 'alice')
  assert.equal(without.sink.requestsSeen()[0]?.headers['x-name'], undefined)
  const { issuer, sink, origin, browser } = await loginFixture(t, {
    lean: true,
    provider: 'userinfo: on',
    tokenSeconds: 2,
  })
  assert.equal((await browser.logIn(`${origin}/x`, 'alice')).status, 200)
  await pause(2_100)
  assert.equal((await browser.ask(`${origin}/x`, SCRIPT)).status, 200)
  const seen = sink
    .requestsSeen()
    .map(({ headers }) => [headers['x-consumer-name'], headers['x-consumer-groups'], headers['x-name']])
  assert.deepEqual(seen, [
    ['login/alice', 'alice,user', 'Name of alice'],
    ['login/alice', 'alice,user', 'Name of alice'],
  ])
  assert.equal(issuer.asked.filter(asked => asked === 'GET /me').length, 2)
})

test('the issuer changes its key: who is logged in stays so, and others log in', async t => {
  const { issuer, origin, browser } = await loginFixture(t)
  assert.equal((await browser.logIn(`${origin}/x`, 'alice')).status, 200)
  await issuer.admit(origin)
  assert.equal((await browser.ask(`${origin}/x`, SCRIPT)).status, 200)
  const other = new CookieBrowser()
  assert.equal((await other.logIn(`${origin}/x`, 'bob')).status, 200)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SteppedClock } from '../../../../test/harness/stepped-clock.ts'
import { LiveFixture } from '../../live-fixture.ts'
import { loadJose } from '../jwt/jose.ts'
import type { OidcProvider } from '../schema.ts'
import { loadOpenId } from './openid.ts'
import { readLogin, sessionOf } from './session.ts'
import { Sessions } from './sessions.ts'

const MINUTE = 60_000
const SPEC: OidcProvider = {
  name: 'login',
  issuer: 'http://127.0.0.1:1',
  clientId: 'shop',
  clientSecret: null,
  scopes: ['openid'],
  callback: '/oidc/callback',
  logout: null,
  afterLogout: null,
  userinfo: false,
  relay: false,
  secrets: ['a secret for sessions that is long enough'],
  idle: 30 * MINUTE,
  max: 480 * MINUTE,
  subject: 'sub',
  groups: null,
  claimHeaders: [],
  digest: '',
}

async function fixture() {
  const clock = new SteppedClock()
  const sessions = new Sessions(
    SPEC,
    { jose: await loadJose(), openid: await loadOpenId() },
    new LiveFixture(clock).parts,
  )
  const claims = { sub: 'alice', exp: 1, iat: 1, nonce: 'x' }
  const tokens = { claims, idToken: 'hint', refreshToken: null, expiresIn: 10 }
  const session = sessionOf(tokens, clock.wall(), { id: 's', host: 'shop.example', loginAt: clock.wall() })
  return { clock, sessions, session, text: await sessions.sealer.seal(session) }
}

test('a session is known without opening it again, and is of its host alone', async () => {
  const { sessions, text } = await fixture()
  assert.equal(sessions.known(text, 'shop.example'), undefined)
  const opened = await sessions.open(text, 'shop.example')
  assert.equal(opened?.token.identity.subject, 'alice')
  assert.deepEqual(Object.keys(opened.session.tokens.claims), ['sub'])
  assert.equal(opened.renewed, false)
  assert.equal(sessions.known(text, 'shop.example')?.session.id, 's')
  assert.equal(sessions.known(text, 'other.example'), undefined)
  assert.equal(await sessions.open(text, 'other.example'), null)
})

test('it lasts while it is used, half an hour after, and never longer than from the login on', async () => {
  const { clock, sessions, text } = await fixture()
  let cookie = text
  for (let minutes = 0; minutes < 460; minutes += 20) {
    clock.jump(20 * MINUTE)
    const opened = await sessions.open(cookie, 'shop.example')
    assert.equal(opened?.renewed, true, String(minutes))
    cookie = await sessions.sealer.seal(opened.session)
  }
  clock.jump(19 * MINUTE)
  assert.notEqual(await sessions.open(cookie, 'shop.example'), null)
  clock.jump(MINUTE)
  assert.equal(await sessions.open(cookie, 'shop.example'), null)
  const idle = await fixture()
  assert.notEqual(await idle.sessions.open(idle.text, 'shop.example'), null)
  idle.clock.jump(30 * MINUTE)
  assert.equal(idle.sessions.known(idle.text, 'shop.example'), undefined)
  assert.equal(await idle.sessions.open(idle.text, 'shop.example'), null)
})

test('a session that was ended is over, and a login comes back once', async () => {
  const { sessions, session, text } = await fixture()
  await sessions.open(text, 'shop.example')
  sessions.end(session)
  assert.equal(sessions.known(text, 'shop.example'), undefined)
  assert.equal(await sessions.open(text, 'shop.example'), null)
  assert.equal(sessions.useOnce('a', MINUTE), true)
  assert.equal(sessions.useOnce('a', MINUTE), false)
})

test('a login is of one state, one host and ten minutes', () => {
  const login = { state: 'a', nonce: 'n', verifier: 'v', host: 'shop.example', returnTo: '/', until: 1_000 }
  assert.equal(readLogin(login, 'a', 'shop.example', 999)?.nonce, 'n')
  assert.equal(readLogin(login, 'b', 'shop.example', 999), null)
  assert.equal(readLogin(login, 'a', 'other.example', 999), null)
  assert.equal(readLogin(login, 'a', 'shop.example', 1_000), null)
  for (const other of [null, 'x', [], {}]) assert.equal(readLogin(other, 'a', 'shop.example', 0), null)
})

// R16: the identity provider is down for half an hour and restarts once in between. Nobody whose key is known is refused,
// known token or new one; what is asked of it stays few. On a stepped clock, over real connections.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { withGuard } from '../harness/guarded.ts'
import { KeyServer } from '../harness/identity-provider.ts'
import { turns } from '../harness/in-process.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'
import { SigningKey } from '../harness/tokens.ts'

const OLD = new SigningKey('old')
const NEW = new SigningKey('new')

/** A clock whose wall can be set wrong. */
class WrongClock extends SteppedClock {
  error = 0
  override readonly wall = (): number => Date.UTC(2026, 0, 1) + this.now() + this.error
}

async function fixture(t: TestContext) {
  const issuer = await KeyServer.start()
  t.after(() => issuer.stop())
  issuer.keys = [OLD.jwk]
  const clock = new WrongClock()
  const authentication = `jwt: { main: { issuer: off, audiences: shop, jwks: { url: "${issuer.url}" } } }`
  const { proxy, get } = await withGuard(t, { authenticate: '{ jwt: main }', authentication }, { clock })
  const status = async (key: SigningKey, claims: Record<string, unknown> = {}): Promise<number> => {
    const token = await key.sign(
      { exp: Math.floor(clock.wall() / 1000) + 7200, ...claims },
      { now: clock.wall() },
    )
    return (await get('/x', { authorization: `Bearer ${token}` })).status
  }
  const pass = async (milliseconds: number): Promise<void> => {
    await proxy.step(milliseconds, 10_000)
    await turns(20)
  }
  return { issuer, clock, get, status, pass }
}

test('R16: half an hour without the identity provider refuses nobody whose key is known', async t => {
  const { issuer, clock, get, status, pass } = await fixture(t)
  const lasting = await OLD.sign({ exp: Math.floor(clock.wall() / 1000) + 7200 }, { now: clock.wall() })
  assert.equal(await status(OLD), 200)
  assert.equal(issuer.asked.length, 1)
  issuer.mode = 'closing'
  for (let minute = 0; minute < 30; minute++) {
    await pass(60_000)
    // It comes back for a moment, and is gone again before a minute is over.
    issuer.mode = minute === 14 ? 'up' : minute % 2 === 0 ? 'failing' : 'closing'
    assert.equal(await status(OLD, { jti: String(minute) }), 200, `minute ${minute}`)
    assert.equal((await get('/x', { authorization: `Bearer ${lasting}` })).status, 200)
  }
  assert.ok(issuer.asked.length <= 40, `${issuer.asked.length} fetches`)
  // Nobody can tell of a key that is not known yet: that is no 401.
  assert.equal(await status(NEW), 503)
  issuer.mode = 'up'
  issuer.keys = [OLD.jwk, NEW.jwk]
  await pass(61_000)
  assert.equal(await status(NEW), 200)
})

test('R16: who hangs holds up only those whose keys were never had, and for five seconds', async t => {
  const { issuer, status, pass } = await fixture(t)
  assert.equal(await status(OLD), 200)
  issuer.mode = 'hanging'
  await pass(360_000)
  for (let i = 0; i < 5; i++) assert.equal(await status(OLD, { jti: String(i) }), 200)
  assert.equal(issuer.asked.length, 2)
})

test('a key that was taken away is refused, whatever was verified with it', async t => {
  const { issuer, clock, get, status, pass } = await fixture(t)
  const token = await OLD.sign({ exp: Math.floor(clock.wall() / 1000) + 7200 }, { now: clock.wall() })
  const known = async (): Promise<number> => (await get('/x', { authorization: `Bearer ${token}` })).status
  assert.equal(await known(), 200)
  issuer.keys = [NEW.jwk]
  assert.equal(await status(NEW), 401)
  await pass(31_000)
  assert.equal(await status(NEW), 200)
  assert.equal(await known(), 401)
})

test('R12: a wall clock that is an hour wrong asks nobody more often, and is right when it is right again', async t => {
  const { issuer, clock, status } = await fixture(t)
  const at = clock.wall()
  const good = { iat: Math.floor(at / 1000), exp: Math.floor(at / 1000) + 600 }
  assert.equal(await status(OLD, good), 200)
  for (const [error, expected] of [
    [3_600_000, 401],
    [-3_600_000, 200],
    [0, 200],
  ] as const) {
    clock.error = error
    for (let i = 0; i < 5; i++) assert.equal(await status(OLD, { ...good, jti: `${error} ${i}` }), expected)
  }
  assert.equal(issuer.asked.length, 1)
})

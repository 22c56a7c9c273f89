import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { KeyServer } from '../../../../test/harness/identity-provider.ts'
import { SteppedClock } from '../../../../test/harness/stepped-clock.ts'
import { SigningKey } from '../../../../test/harness/tokens.ts'
import { LiveFixture } from '../../live-fixture.ts'
import { loadJose } from './jose.ts'
import { type FoundKeys, RemoteKeys, type RemoteSource } from './remote-keys.ts'

const KEYS = ['a', 'b', 'c'].map(kid => new SigningKey(kid))
const [A, B] = KEYS.map(key => key.jwk)
const MINUTE = 60_000

async function fixture(
  t: TestContext,
  sourceOf = (server: KeyServer): RemoteSource => ({ kind: 'url', url: server.url }),
) {
  const server = await KeyServer.start()
  t.after(() => server.stop())
  server.keys = [A]
  const clock = new SteppedClock()
  const live = new LiveFixture(clock)
  clock.drive(live.parts.wheel)
  const keys = new RemoteKeys(sourceOf(server), await loadJose(), live.parts)
  const find = async (kid: string | null): Promise<string> => shown(await keys.find('ES256', kid, false))
  return { server, clock, live, keys, find }
}

function shown(found: FoundKeys): string {
  return found === 'unavailable' ? found : String(found.length)
}

/** Lets what was begun on the wire come to its end. */
async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise(resolve => setTimeout(resolve, 2))
}

test('the first token fetches, all who ask at once share that, and then nobody waits', async t => {
  const { server, keys, find } = await fixture(t)
  assert.deepEqual(server.asked, [])
  assert.deepEqual(await Promise.all([find('a'), find('a'), find(null)]), ['1', '1', '1'])
  assert.ok(!(keys.find('ES256', 'a', false) instanceof Promise))
  assert.equal(await find('x'), '0')
  assert.equal(server.asked.length, 1)
})

test('row 51: a kid that nobody has costs at most two fetches a minute', async t => {
  const { server, clock, find } = await fixture(t)
  for (let i = 0; i < 10_000; i++) {
    if (i % 100 === 0) clock.step(600)
    assert.equal(await find(`random-${i}`), '0')
  }
  assert.ok(server.asked.length <= 3, String(server.asked.length))
})

test('a key that is new is found with the next fetch', async t => {
  const { server, clock, find } = await fixture(t)
  await find('a')
  server.keys = [A, B]
  assert.equal(await find('b'), '0')
  clock.step(30_000)
  assert.deepEqual(await Promise.all([find('b'), find('b')]), ['1', '1'])
  assert.equal(server.asked.length, 2)
})

test('an old set is renewed beside the requests; a very old one is waited for', async t => {
  const { server, clock, keys, find } = await fixture(t)
  await find('a')
  clock.step(5 * MINUTE)
  server.keys = [B]
  assert.ok(!(keys.find('ES256', 'a', false) instanceof Promise))
  await settled()
  assert.equal(server.asked.length, 2)
  assert.equal(keys.removals, 1)
  assert.equal(await find('a'), '0')
  clock.step(10 * MINUTE)
  server.keys = [A, B]
  assert.equal(await find('a'), '1')
  assert.equal(keys.removals, 1)
})

test('what was never fetched is unavailable, with growing pauses between the tries', async t => {
  const { server, clock, live, find } = await fixture(t)
  server.mode = 'failing'
  assert.equal(await find('a'), 'unavailable')
  for (let second = 0; second < 600; second++) {
    clock.step(1_000)
    assert.equal(await find('a'), 'unavailable')
  }
  // 1, 2, 4, 8, 16, 32 and then 60 seconds.
  assert.ok(server.asked.length >= 14 && server.asked.length <= 17, String(server.asked.length))
  assert.ok(live.warnings.length > 0)
  server.mode = 'up'
  clock.step(MINUTE)
  assert.equal(await find('a'), '1')
})

test('row 50: keys serve on for a day while the issuer cannot be reached, and not longer', async t => {
  const { server, clock, keys, find } = await fixture(t)
  await find('a')
  server.mode = 'closing'
  for (let minute = 0; minute < 30; minute++) {
    clock.jump(MINUTE)
    const found = keys.find('ES256', 'a', false)
    assert.equal(shown(await found), '1')
    await settled()
    // Whose key is not known may have a new one: nobody can tell.
    if (minute > 10) assert.equal(await find('b'), 'unavailable')
  }
  assert.ok(server.asked.length <= 32, String(server.asked.length))
  clock.jump(24 * 60 * MINUTE)
  assert.equal(await find('a'), 'unavailable')
})

test('what is given up is under way no longer, and no failure', async t => {
  const { server, live, keys, find } = await fixture(t)
  server.mode = 'hanging'
  const found = find('a')
  await settled()
  assert.equal(live.parts.wheel.size, 1)
  keys.close()
  assert.equal(await found, 'unavailable')
  assert.equal(live.parts.wheel.size, 0)
  assert.deepEqual(live.warnings, [])
})

test('who does not answer is not waited for longer than five seconds', async t => {
  const { server, clock, find } = await fixture(t)
  server.mode = 'hanging'
  const found = find('a')
  await settled()
  clock.step(5_100)
  assert.equal(await found, 'unavailable')
})

test('row 52: no redirect, nothing too large, nothing that is no key set', async t => {
  const { server, clock, live, find } = await fixture(t)
  const modes = [
    'redirecting',
    { text: 'x' },
    { text: '[]' },
    { text: '{"keys":{}}' },
    { text: JSON.stringify({ keys: new Array(101).fill(A) }) },
    { text: `{"keys":[],"x":"${'x'.repeat(256 * 1024)}"}` },
  ] as const
  for (const mode of modes) {
    server.mode = mode
    clock.step(MINUTE)
    assert.equal(await find('a'), 'unavailable', JSON.stringify(mode).slice(0, 60))
  }
  assert.equal(live.warnings.length, modes.length)
})

test('keys are discovered from the issuer, which has to name itself and a safe place', async t => {
  const { server, clock, find } = await fixture(t, server => ({ kind: 'discovery', issuer: server.issuer }))
  for (const discovery of [
    ...[
      { issuer: 'https://evil.example' },
      { issuer: undefined },
      { jwks_uri: 'http://id.shop.example/jwks' },
    ],
    ...[{ jwks_uri: 'file:///etc/passwd' }, { jwks_uri: 7 }, { jwks_uri: 'http://169.254.169.254/' }],
  ]) {
    server.discovery = discovery
    assert.equal(await find('a'), 'unavailable', JSON.stringify(discovery))
    clock.step(MINUTE)
  }
  server.discovery = {}
  assert.equal(await find('a'), '1')
  assert.equal(server.asked.at(-1), '/jwks.json')
})

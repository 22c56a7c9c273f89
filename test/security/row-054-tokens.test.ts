// Rows 53 to 56: what a token says of itself never decides how it is read, which key it is checked with or whose it is.
import assert from 'node:assert/strict'
import { createPublicKey } from 'node:crypto'
import { test } from 'node:test'
import { CompactEncrypt, SignJWT } from 'jose'
import { ProxyError } from '../../sidecar/exchange/proxy-error.ts'
import {
  authenticates,
  identityFixture,
  jwtFixture,
} from '../../sidecar/filters/authenticate/identity-fixture.ts'
import type { JwtProvider } from '../../sidecar/filters/authenticate/schema.ts'
import { LiveFixture } from '../../sidecar/filters/live-fixture.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'
import { AUDIENCE, forge, ISSUER, SECRET, SigningKey } from '../harness/tokens.ts'

const RSA = new SigningKey('rsa', 'RS256')
const EC = new SigningKey('ec')
const EVIL = new SigningKey('ec')
const clock = new SteppedClock()

async function asked(provider: Partial<JwtProvider> = {}, live = new LiveFixture(clock)) {
  const keys = { kind: 'set', keys: [RSA.jwk, EC.jwk] } as const
  const main = jwtFixture({ keys, ...provider })
  const ask = await authenticates(
    identityFixture({ jwt: { main } }),
    { ways: [{ kind: 'jwt', name: 'main' }] },
    live,
  )
  return async (token: string): Promise<string> => {
    const { verdict, exchange, waited } = await ask(['authorization', `Bearer ${token}`])
    if (verdict === undefined) return `${exchange.caller?.name}${waited ? '' : ' (known)'}`
    assert.ok(verdict instanceof ProxyError)
    return verdict.reason
  }
}

const now = () => clock.wall()
const payload = () => ({ iss: ISSUER, aud: AUDIENCE, sub: 'alice', exp: Math.floor(now() / 1000) + 600 })

test('row 53: a public key is no secret, whatever the token says of the algorithm', async () => {
  const ask = await asked()
  const pem = createPublicKey({ key: { ...RSA.jwk }, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
  for (const secret of [pem, pem.trim(), JSON.stringify(RSA.jwk), String(RSA.jwk['n'])]) {
    for (const alg of ['HS256', 'HS384', 'HS512']) {
      const token = await new SignJWT(payload())
        .setProtectedHeader({ alg, kid: 'rsa' })
        .sign(Buffer.from(secret.padEnd(64, ' ')))
      assert.equal(await ask(token), 'credentials_invalid')
    }
  }
  assert.equal(await ask(await RSA.sign({}, { now: now() })), 'main/alice')
})

test('row 53: algorithms come from the configuration, and a key is used with its own', async () => {
  const only = await asked({ algorithms: ['RS256'], chosen: true })
  assert.equal(await only(await EC.sign({}, { now: now() })), 'credentials_invalid')
  assert.equal(await only(await RSA.sign({}, { now: now() })), 'main/alice')
  const shared = await asked({ keys: { kind: 'secret', secret: SECRET }, algorithms: ['HS256'] })
  const weaker = await new SignJWT(payload())
    .setProtectedHeader({ alg: 'HS512' })
    .sign(Buffer.from(SECRET.padEnd(64, 'x')))
  assert.equal(await shared(weaker), 'credentials_invalid')
  assert.equal(await shared(await RSA.sign({}, { now: now() })), 'credentials_invalid')
})

test('row 54: none, hints at keys, critical extensions and encrypted tokens are refused', async () => {
  const ask = await asked()
  const good = await EC.sign({}, { now: now() })
  const [, body = '', signature = ''] = good.split('.')
  for (const alg of [
    'none',
    'None',
    'NONE',
    'nOnE',
    '',
    'HS256',
    'ES256K',
    'RSA1_5',
    'toString',
    '__proto__',
  ]) {
    for (const ending of ['', signature, 'AAAA'])
      assert.equal(await ask(forge({ alg, kid: 'ec' }, payload(), ending)), 'credentials_invalid', alg)
    assert.equal(
      await ask(`${Buffer.from(JSON.stringify({ alg })).toString('base64url')}.${body}.`),
      'credentials_invalid',
    )
  }
  const hints = [
    ...[
      { jwk: EVIL.jwk },
      { jku: 'https://evil.example/jwks.json' },
      { x5u: 'https://evil.example/cert.pem' },
    ],
    ...[{ b64: true, crit: ['b64'] }, { kid: '../../dev/null' }, { kid: "x' or '1'='1" }],
  ]
  for (const header of hints)
    assert.equal(
      await ask(await EVIL.sign({}, { now: now(), header })),
      'credentials_invalid',
      JSON.stringify(header),
    )
  // The same hints over a signature that holds: the token is not read in the way that it asks for.
  for (const header of hints.slice(0, 4))
    assert.equal(await ask(await EC.sign({}, { now: now(), header })), 'credentials_invalid')
  const encrypted = await new CompactEncrypt(Buffer.from(JSON.stringify(payload())))
    .setProtectedHeader({ alg: 'RSA-OAEP', enc: 'A256GCM' })
    .encrypt(createPublicKey({ key: { ...RSA.jwk }, format: 'jwk' }))
  assert.equal(await ask(encrypted), 'credentials_invalid')
  assert.equal(await ask(JSON.stringify({ payload: body, signatures: [] })), 'credentials_invalid')
  assert.equal(await ask(good), 'main/alice')
})

test('row 54: a kid chooses among keys, and another key of that name is another key', async () => {
  const ask = await asked()
  assert.equal(await ask(await EVIL.sign({}, { now: now() })), 'credentials_invalid')
  assert.equal(await ask(await EC.sign({}, { now: now(), header: { kid: 'rsa' } })), 'credentials_invalid')
  assert.equal(await ask(await EC.sign({}, { now: now(), header: { kid: undefined } })), 'main/alice')
})

test('row 55: a token for somebody else, of another type, or without what is required', async () => {
  const ask = await asked()
  const table: [claims: Record<string, unknown>, header: Record<string, unknown>, expected: string][] = [
    [{ aud: 'another' }, {}, 'credentials_invalid'],
    [{ aud: undefined }, {}, 'credentials_invalid'],
    [{ iss: 'https://evil.example' }, {}, 'credentials_invalid'],
    [{ iss: undefined }, {}, 'credentials_invalid'],
    [{ exp: undefined }, {}, 'credentials_invalid'],
    [{ exp: Math.floor(now() / 1000) - 31 }, {}, 'token_expired'],
    [{ exp: Math.floor(now() / 1000) - 29 }, {}, 'main/alice'],
    [{ nbf: Math.floor(now() / 1000) + 31 }, {}, 'credentials_invalid'],
    [{}, { typ: 'dpop+jwt' }, 'credentials_invalid'],
    [{}, { typ: 'logout+jwt' }, 'credentials_invalid'],
    [{}, { typ: 'at+jwt' }, 'main/alice'],
    [{}, { typ: 'application/at+jwt' }, 'main/alice'],
  ]
  for (const [claims, header, expected] of table)
    assert.equal(
      await ask(await EC.sign(claims, { now: now(), header })),
      expected,
      JSON.stringify([claims, header]),
    )
  const access = await asked({ types: ['at+jwt'] })
  assert.equal(await access(await EC.sign({}, { now: now() })), 'credentials_invalid')
  assert.equal(await access(await EC.sign({}, { now: now(), header: { typ: 'at+jwt' } })), 'main/alice')
})

test('row 56: a known token is itself only, until it ends, for five minutes, in its own provider', async () => {
  const live = new LiveFixture(clock)
  const ask = await asked({}, live)
  const one = await EC.sign({ sub: 'alice', exp: Math.floor(now() / 1000) + 60 }, { now: now() })
  const two = await EC.sign({ sub: 'alice' }, { now: now() })
  const forged = `${two.split('.').slice(0, 2).join('.')}.${one.split('.')[2]}`
  assert.equal(await ask(one), 'main/alice')
  assert.equal(await ask(one), 'main/alice (known)')
  assert.equal(await ask(forged), 'credentials_invalid')
  assert.equal(await ask(two), 'main/alice')
  assert.equal(await ask(two), 'main/alice (known)')
  // Another provider, with other settings or in a later configuration, has to look for itself.
  const other = await asked({ audiences: ['another'] }, live)
  assert.equal(await other(two), 'credentials_invalid')
  const same = await asked({}, live)
  assert.equal(await same(two), 'main/alice (known)')
  clock.jump(89_999)
  assert.equal(await ask(one), 'main/alice (known)')
  clock.jump(1)
  assert.equal(await ask(one), 'token_expired')
  clock.jump(300_000)
  assert.equal(await ask(two), 'main/alice')
})

test('more new tokens than there is room for are turned away, and what was begun goes on', async () => {
  const ask = await asked()
  const tokens = await Promise.all(
    Array.from({ length: 500 }, (_, i) => EC.sign({ sub: `u${i}` }, { now: now() })),
  )
  const outcomes = await Promise.all(tokens.map(token => ask(token)))
  const turned = outcomes.filter(outcome => outcome === 'overloaded').length
  assert.ok(turned > 0 && turned <= 180, String(turned))
  assert.equal(outcomes.filter(outcome => outcome.startsWith('main/u')).length, 500 - turned)
  assert.equal(await ask(tokens[499] ?? ''), 'main/u499')
})

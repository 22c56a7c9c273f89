import assert from 'node:assert/strict'
import { generateKeyPairSync, hash, type KeyObject } from 'node:crypto'
import { test } from 'node:test'
import { calculateJwkThumbprint, SignJWT } from 'jose'
import { SteppedClock } from '../../../../test/harness/stepped-clock.ts'
import { SigningKey } from '../../../../test/harness/tokens.ts'
import { exchangeFixture } from '../../../exchange/exchange-fixture.ts'
import { ProxyError } from '../../../exchange/proxy-error.ts'
import { LiveFixture } from '../../live-fixture.ts'
import { authenticateFilter } from '../filter.ts'
import { compileIdentity } from '../identity.ts'
import { identityFixture, jwtFixture } from '../identity-fixture.ts'
import type { JwtProvider } from '../schema.ts'

const ISSUER = new SigningKey('issuer')
const clock = new SteppedClock()
const wall = () => Math.floor(clock.wall() / 1000)

async function provider(some: Partial<JwtProvider> = {}) {
  const spec = identityFixture({
    jwt: { main: jwtFixture({ keys: { kind: 'set', keys: [ISSUER.jwk] }, ...some }) },
  })
  const policy = { mode: 'any', ways: [{ kind: 'jwt', name: 'main' }], optional: false, digest: '' } as const
  const settings = { policy, identity: await compileIdentity(spec) }
  const filter = authenticateFilter.create(settings, { name: 'r' }, new LiveFixture(clock))
  return async (headers: string[], fingerprint = '', path = '/orders'): Promise<string> => {
    const identity =
      fingerprint === '' ? null : { spiffe: '', dns: [], subject: '', fingerprint, notAfter: 0 }
    const local = { address: '', port: 0 }
    const peer = { ...local, local, encrypted: true, serverName: '', identity }
    const exchange = exchangeFixture({ method: 'POST', headers, peer })
    exchange.request = {
      method: 'POST',
      scheme: 'https',
      host: 'api.shop.example',
      port: 0,
      path,
      query: 'a=1',
      hasQuery: true,
    }
    const verdict = await filter.onRequest?.(exchange)
    if (verdict === undefined) return exchange.caller?.name ?? 'nobody'
    assert.ok(verdict instanceof ProxyError)
    return verdict.cause
  }
}

const FINGERPRINT = hash('sha256', 'certificate')
const byCertificate = () =>
  ISSUER.sign(
    { cnf: { 'x5t#S256': Buffer.from(FINGERPRINT, 'hex').toString('base64url') } },
    { now: clock.wall() },
  )

test('RFC 8705: a token that is bound to a certificate is good on its connection only', async () => {
  const ask = await provider()
  const token = ['authorization', `Bearer ${await byCertificate()}`]
  for (let i = 0; i < 2; i++) {
    assert.equal(await ask(token, FINGERPRINT), 'main/alice')
    assert.equal(await ask(token, hash('sha256', 'another')), 'the token is bound to another certificate')
    assert.equal(await ask(token), 'the token is bound to another certificate')
  }
  const required = await provider({ proof: 'mtls' })
  assert.equal(await required(token, FINGERPRINT), 'main/alice')
  const free = await ISSUER.sign({}, { now: clock.wall() })
  assert.equal(
    await required(['authorization', `Bearer ${free}`], FINGERPRINT),
    'the token is bound to nothing',
  )
})

class Holder {
  readonly #pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  readonly jwk = this.#pair.publicKey.export({ format: 'jwk' })
  async token(): Promise<string> {
    return ISSUER.sign({ cnf: { jkt: await calculateJwkThumbprint(this.jwk) } }, { now: clock.wall() })
  }
  async proof(
    token: string,
    claims: Record<string, unknown> = {},
    header: Record<string, unknown> = {},
    key: KeyObject = this.#pair.privateKey,
  ): Promise<string> {
    const payload = {
      jti: crypto.randomUUID(),
      htm: 'POST',
      htu: 'https://api.shop.example/orders',
      iat: wall(),
      ath: hash('sha256', token, 'base64url'),
      ...claims,
    }
    return new SignJWT(payload)
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: this.jwk, ...header })
      .sign(key)
  }
}

test('RFC 9449: a token that is bound to a key needs a proof of its own for each request', async () => {
  const ask = await provider()
  const holder = new Holder()
  const token = await holder.token()
  const by = (proof: string, scheme = 'DPoP') => ask(['authorization', `${scheme} ${token}`, 'dpop', proof])
  const proof = await holder.proof(token)
  assert.equal(await by(proof), 'main/alice')
  assert.equal(await by(proof), 'the proof was used before')
  assert.equal(await by(await holder.proof(token)), 'main/alice')
  assert.equal(await by(await holder.proof(token), 'Bearer'), 'what the token is bound to was not proved')
  assert.equal(await ask(['authorization', `DPoP ${token}`]), 'there is not one proof')
  const twice = await holder.proof(token)
  assert.equal(
    await ask(['authorization', `DPoP ${token}`, 'dpop', twice, 'dpop', twice]),
    'there is not one proof',
  )
  for (const [claims, why] of [
    [{ htm: 'GET' }, 'the proof is for another request'],
    [{ htu: 'https://api.shop.example/users' }, 'the proof is for another request'],
    [{ htu: 'https://evil.example/orders' }, 'the proof is for another request'],
    [{ htu: 'http://api.shop.example/orders' }, 'the proof is for another request'],
    [{ htu: 'https://api.shop.example:444/orders' }, 'the proof is for another request'],
    [{ ath: undefined }, 'the proof is for another token'],
    [{ ath: hash('sha256', 'x', 'base64url') }, 'the proof is for another token'],
    [{ iat: wall() - 61 }, 'the proof is of another time'],
    [{ iat: wall() + 31 }, 'the proof is of another time'],
    [{ iat: 'now' }, 'the proof is of another time'],
    [{ jti: '' }, 'the proof has no id'],
  ] as const)
    assert.equal(await by(await holder.proof(token, claims)), why, JSON.stringify(claims))
  assert.equal(
    await by(await holder.proof(token, { htu: 'https://api.shop.example:443/orders' })),
    'main/alice',
  )
})

test('RFC 9449: the proof is signed by the key that the token is bound to, and says so without its secret', async () => {
  const ask = await provider({ proof: 'dpop' })
  const holder = new Holder()
  const other = new Holder()
  const token = await holder.token()
  const by = (proof: string) => ask(['authorization', `DPoP ${token}`, 'dpop', proof])
  assert.equal(await by(await other.proof(token)), 'the proof is of another key')
  assert.equal(await by(await other.proof(token, {}, { jwk: holder.jwk })), 'the signature of the proof')
  const header = 'the header of the proof'
  assert.equal(await by(await holder.proof(token, {}, { typ: 'JWT' })), header)
  assert.equal(await by(await holder.proof(token, {}, { jwk: { ...holder.jwk, d: 'AAAA' } })), header)
  const shared = new SignJWT({}).setProtectedHeader({
    alg: 'HS256',
    typ: 'dpop+jwt',
    jwk: JSON.parse('{"kty":"oct","k":"AAAA"}') as object,
  })
  assert.equal(await by(await shared.sign(Buffer.alloc(32))), header)
  const free = await ISSUER.sign({}, { now: clock.wall() })
  assert.equal(await ask(['authorization', `Bearer ${free}`]), 'the token is bound to nothing')
  assert.equal(
    await ask(['authorization', `DPoP ${free}`, 'dpop', await holder.proof(free)]),
    'the token is bound to nothing',
  )
  assert.equal(await by(await holder.proof(token)), 'main/alice')
})

test('RFC 9449: a key that is none is no proof, and no bug either', async () => {
  const ask = await provider()
  const holder = new Holder()
  const token = await holder.token()
  const { kty, crv, x } = holder.jwk
  for (const jwk of [
    {},
    { kty },
    { kty, crv },
    { kty, crv, x },
    { crv, x, y: x },
    { kty: 'OKP', crv },
    { kty, crv: 'constructor', x, y: x },
    { kty, crv: ['P-256'], x, y: x },
    { kty, crv: { toString: 1, valueOf: 1 }, x, y: x },
  ]) {
    const proof = await holder.proof(token, {}, { jwk })
    const said = await ask(['authorization', `DPoP ${token}`, 'dpop', proof])
    assert.match(said, /^(the header of the proof|the proof is of another key)$/, JSON.stringify(jwk))
  }
})

test('RFC 9449: two spellings of one path are one', async () => {
  const ask = await provider()
  const holder = new Holder()
  const token = await holder.token()
  const by = async (path: string, htu: string) => {
    const proof = await holder.proof(token, { htu: `https://api.shop.example${htu}` })
    return ask(['authorization', `DPoP ${token}`, 'dpop', proof], '', path)
  }
  for (const [path, htu] of [
    ['/a~b', '/a%7Eb'],
    ['/caf%C3%A9', '/caf%c3%a9'],
    ['/caf%C3%A9', '/café'],
    ['/a%5B1%5D%7C', '/a[1]|'],
    ['/a/b', '/a//x/../b'],
  ] as const)
    assert.equal(await by(path, htu), 'main/alice', htu)
  for (const [path, htu] of [
    ['/A', '/a'],
    ['/a%2Bb', '/a+b'],
    ['/a/', '/a'],
  ] as const)
    assert.equal(await by(path, htu), 'the proof is for another request', htu)
})

test('a token that is bound to something else, or to two things, is nobody’s', async () => {
  const ask = await provider()
  for (const cnf of [
    {},
    { kid: 'x' },
    null,
    'x',
    { 'x5t#S256': 'AA' },
    { jkt: 'x', 'x5t#S256': 'x' },
    { jwk: {} },
  ]) {
    const token = await ISSUER.sign({ cnf }, { now: clock.wall() })
    assert.notEqual(
      await ask(['authorization', `Bearer ${token}`], FINGERPRINT),
      'main/alice',
      JSON.stringify(cnf),
    )
  }
})

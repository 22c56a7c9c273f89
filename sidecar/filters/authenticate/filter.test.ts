import assert from 'node:assert/strict'
import { createHmac, hash } from 'node:crypto'
import { test } from 'node:test'
import type { Exchange } from '../../exchange/exchange.ts'
import { headerValue } from '../../exchange/headers.ts'
import type { PeerIdentity } from '../../exchange/peer-identity.ts'
import { ProxyError } from '../../exchange/proxy-error.ts'
import { SECRET, sharedToken } from '../../../test/harness/tokens.ts'
import type { Verdict } from '../filter.ts'
import { LiveFixture } from '../live-fixture.ts'
import { authenticates, consumerFixture, identityFixture, jwtFixture } from './identity-fixture.ts'
import type { ConsumerSpec, IdentitySpec, JwtProvider } from './schema.ts'

const JWT = { kind: 'jwt', name: 'main' } as const
const KEY = { kind: 'apiKey', name: 'clients' } as const
const BASIC = { kind: 'basic', name: 'dev' } as const
const MESH = { kind: 'mtls', name: 'mesh' } as const

const sha256 = (text: string): string => hash('sha256', text)
const keyOf = (key: string, expires: number | null = null, provider: string | null = null) => ({
  sha256: sha256(key),
  expires,
  provider,
})

function shop(
  consumers: ConsumerSpec[] = [],
  jwt: Partial<JwtProvider> = {},
  plans: IdentitySpec['plans'] = [],
): IdentitySpec {
  const keys = { kind: 'secret', secret: SECRET } as const
  return identityFixture(
    {
      jwt: {
        main: jwtFixture({
          keys,
          algorithms: ['HS256'],
          issuer: null,
          audiences: null,
          expires: false,
          ...jwt,
        }),
      },
      apiKey: { clients: { name: 'clients', from: { kind: 'header', name: 'x-api-key' } } },
      basic: { dev: { name: 'dev', realm: 'the "shop"', users: { alice: sha256('wonder:land') } } },
      mtls: { mesh: { name: 'mesh' } },
    },
    consumers,
    plans,
  )
}

/** What became of it, in one line. */
function said({ verdict, exchange }: { verdict: Verdict; exchange: Exchange }): string {
  if (verdict === undefined) return exchange.caller?.name ?? 'nobody'
  assert.ok(verdict instanceof ProxyError)
  assert.equal(exchange.caller, null)
  const challenge = verdict.headers?.[1] ?? ''
  if (verdict.status === 401) assert.equal(verdict.headers?.[0], 'www-authenticate')
  return `${verdict.reason}: ${challenge}`
}

const certificate = (spiffe: string, dns: string[] = []): PeerIdentity => ({
  spiffe,
  dns,
  subject: '',
  fingerprint: '',
  notAfter: 5,
})

test('without any credential: a challenge for each, or nobody where that is allowed', async () => {
  const ask = await authenticates(shop(), { ways: [JWT, KEY, BASIC] })
  assert.equal(
    said(await ask()),
    'credentials_missing: Bearer realm="outrigger", ApiKey realm="outrigger", Basic realm="the shop", charset="UTF-8"',
  )
  assert.match(said(await ask(['authorization', 'Digest x', 'x-other', 'y'])), /^credentials_missing/)
  const optional = await authenticates(shop(), { ways: [JWT, KEY], optional: true })
  const { verdict, exchange } = await optional([
    'x-consumer-name',
    'admin',
    'x-consumer-groups',
    'root',
    'x-consumer-custom-id',
    '1',
    'x-anonymous-consumer',
    'no',
    'accept',
    '*',
  ])
  assert.equal(verdict, undefined)
  assert.equal(exchange.caller, null)
  assert.deepEqual(exchange.upstreamHeaders, ['accept', '*'])
})

test('the first whose credential is there decides: a bad one is never a try at the next, optional or not', async () => {
  const consumers = [consumerFixture({ name: 'web', apiKeys: [keyOf('k')] })]
  const good = ['authorization', `Bearer ${await sharedToken({ sub: 'alice' })}`]
  const bad = ['authorization', 'Bearer nonsense']
  for (const optional of [false, true]) {
    const ask = await authenticates(shop(consumers), { ways: [JWT, KEY], optional })
    assert.equal(said(await ask([...good, 'x-api-key', 'wrong'])), 'main/alice')
    assert.match(said(await ask([...bad, 'x-api-key', 'k'])), /^credentials_invalid: Bearer.*invalid_token/)
    assert.equal(said(await ask(['x-api-key', 'k'])), 'web')
    assert.equal(said(await ask(['x-api-key', 'wrong'])), 'credentials_invalid: ApiKey realm="outrigger"')
    assert.match(said(await ask(['authorization', 'Bearer'])), /^credentials_invalid/)
    assert.match(said(await ask(['authorization', 'Bearer '])), /^credentials_invalid|^credentials_missing/)
    const other = await authenticates(shop(consumers), { ways: [KEY, JWT], optional })
    assert.equal(said(await other([...bad, 'x-api-key', 'k'])), 'web')
    assert.match(said(await other([...good, 'x-api-key', ''])), /^credentials_invalid: ApiKey/)
  }
})

test('of all each has to be there and good, and the one with claims says who calls', async () => {
  const ask = await authenticates(shop(), { mode: 'all', ways: [MESH, JWT] })
  const token = ['authorization', `Bearer ${await sharedToken({ sub: 'alice' })}`]
  const edge = { identity: certificate('spiffe://shop/edge') }
  assert.equal(said(await ask(token, edge)), 'main/alice')
  assert.equal(said(await ask([], edge)), 'credentials_missing: Bearer realm="outrigger"')
  assert.equal(said(await ask(token)), 'credentials_missing: mTLS realm="outrigger"')
  assert.match(said(await ask(['authorization', 'Bearer x'], edge)), /^credentials_invalid/)
  assert.match(said(await ask()), /^credentials_missing: mTLS realm="outrigger", Bearer/)
  const optional = await authenticates(shop(), { mode: 'all', ways: [MESH, JWT], optional: true })
  assert.equal(said(await optional()), 'nobody')
  assert.match(said(await optional(token)), /^credentials_missing: mTLS/)
})

test('keys: by digest, each with its end and its provider, and never upstream', async () => {
  const consumers = [
    consumerFixture({ name: 'old', apiKeys: [keyOf('a', 1_000), keyOf('b', 1_001)] }),
    consumerFixture({ name: 'other', apiKeys: [keyOf('c', null, 'others'), keyOf('d', null, 'clients')] }),
  ]
  const live = new LiveFixture({ now: () => 0, wall: () => 1_000 })
  const ask = await authenticates(shop(consumers), { ways: [KEY] }, live)
  assert.match(said(await ask(['x-api-key', 'a'])), /^credentials_invalid/)
  const { exchange, waited } = await ask(['accept', '*', 'x-api-key', 'b'])
  assert.equal(exchange.caller?.name, 'old')
  assert.equal(exchange.caller.expiresAt, 1_001)
  assert.equal(waited, false)
  assert.deepEqual(exchange.upstreamHeaders, ['accept', '*', 'x-consumer-name', 'old'])
  assert.match(said(await ask(['x-api-key', 'c'])), /^credentials_invalid/)
  assert.equal(said(await ask(['x-api-key', 'd'])), 'other')
  // What is stored opens nothing, and neither does a part of a key or two of them.
  for (const key of [sha256('d'), 'd ', 'D', 'x'.repeat(2_000)])
    assert.match(said(await ask(['x-api-key', key])), /^credentials_invalid/)
  assert.match(said(await ask(['x-api-key', 'd', 'x-api-key', 'd'])), /^credentials_invalid/)
})

test('a key or a token in a cookie is taken out from among the others', async () => {
  const spec = shop([consumerFixture({ name: 'web', apiKeys: [keyOf('k')] })], {
    from: { kind: 'cookie', name: 'token' },
    forward: false,
  })
  const cookies = identityFixture(
    { ...spec.providers, apiKey: { clients: { name: 'clients', from: { kind: 'cookie', name: 'key' } } } },
    spec.consumers,
  )
  const ask = await authenticates(cookies, { ways: [JWT, KEY] })
  const token = await sharedToken({ sub: 'alice' })
  const { exchange } = await ask(['cookie', `a=1; token=${token}; b=2; key=k`, 'cookie', `key=k`])
  assert.equal(exchange.caller?.name, 'main/alice')
  assert.deepEqual(exchange.upstreamHeaders, ['cookie', 'a=1; b=2', 'x-consumer-name', 'main/alice'])
  assert.equal(said(await ask(['cookie', 'key=k'])), 'web')
})

test('a bearer token travels on unless that is off, and basic credentials never do', async () => {
  const headers = ['authorization', `bearer ${await sharedToken({ sub: 'alice' })}`]
  const forwarded = await (await authenticates(shop(), { ways: [JWT] }))(headers)
  assert.ok(forwarded.exchange.upstreamHeaders.includes('authorization'))
  const kept = await (await authenticates(shop([], { forward: false }), { ways: [JWT] }))(headers)
  assert.deepEqual(kept.exchange.upstreamHeaders, ['x-consumer-name', 'main/alice'])
  const ask = await authenticates(
    shop([consumerFixture({ name: 'al', basic: [{ provider: 'dev', subject: 'alice' }] })]),
    {
      ways: [JWT, BASIC],
    },
  )
  const basic = (text: string) => ['authorization', `Basic ${Buffer.from(text).toString('base64')}`]
  const good = await ask(basic('alice:wonder:land'))
  assert.equal(good.exchange.caller?.name, 'al')
  assert.deepEqual(good.exchange.upstreamHeaders, ['x-consumer-name', 'al'])
  for (const text of ['alice:wonder', 'bob:wonder:land', 'alice', ':', ''])
    assert.match(said(await ask(basic(text))), /^credentials_invalid: Basic/, text)
})

test('a certificate is who its SPIFFE ID says, or its DNS name', async () => {
  const ask = await authenticates(
    shop([consumerFixture({ name: 'web', spiffe: ['spiffe://shop/web', 'web.shop.example'] })]),
    {
      ways: [MESH],
    },
  )
  const by = async (identity: PeerIdentity) => said(await ask([], { identity }))
  assert.equal(await by(certificate('spiffe://shop/web')), 'web')
  assert.equal(await by(certificate('', ['x.shop.example', 'web.shop.example'])), 'web')
  assert.equal(await by(certificate('spiffe://shop/other', ['web.shop.example'])), 'mesh/spiffe://shop/other')
  assert.equal(await by(certificate('')), 'mesh/-')
})

test('an entry is named by provider and subject; who has none is provider/subject in the groups of its claim', async () => {
  const consumers = [
    consumerFixture({ name: 'web', groups: ['public', 'gold'], jwt: [{ provider: 'main', subject: 'web' }] }),
    consumerFixture({
      name: 'vip',
      groups: ['gold'],
      plan: 'own',
      jwt: [{ provider: 'main', subject: 'vip' }],
    }),
    consumerFixture({ name: 'else', jwt: [{ provider: 'other', subject: 'alice' }] }),
  ]
  const plans = [
    { name: 'gold', groups: ['gold'], when: null },
    { name: 'own', groups: [], when: null },
  ]
  const claimHeaders = [
    ['x-user-email', 'email'],
    ['x-roles', 'realm.roles'],
    ['x-more', 'realm'],
  ] as const
  const ask = await authenticates(shop(consumers, { groups: 'realm.roles', claimHeaders }, plans), {
    ways: [JWT],
  })
  const call = async (claims: Record<string, unknown>) =>
    (await ask(['authorization', `Bearer ${await sharedToken(claims)}`, 'x-user-email', 'forged'])).exchange
  const web = await call({ sub: 'web', realm: { roles: ['admin'] } })
  assert.deepEqual(
    [web.caller?.name, web.caller?.known, web.caller?.groups, web.caller?.plan],
    ['web', true, ['public', 'gold'], 'gold'],
  )
  assert.equal((await call({ sub: 'vip' })).caller?.plan, 'own')
  const alice = await call({
    sub: 'alice',
    email: 'älice@shop.example',
    scope: 'read write',
    realm: { roles: ['gold', 'a,admin', 7, 'gold', 'x\ny', 'ops', 'admin '] },
  })
  assert.deepEqual(
    [alice.caller?.name, alice.caller?.known, alice.caller?.groups, alice.caller?.plan, alice.caller?.scopes],
    ['main/alice', false, ['gold', 'ops'], 'gold', ['read', 'write']],
  )
  const headers = alice.upstreamHeaders.slice(2)
  assert.deepEqual(headers.slice(0, 2), [
    'x-user-email',
    Buffer.from('älice@shop.example').toString('latin1'),
  ])
  assert.deepEqual(headers.slice(2, 6), ['x-consumer-name', 'main/alice', 'x-consumer-groups', 'gold,ops'])
  // A claim that is not there takes away what somebody else said.
  assert.ok(!(await call({ sub: 'bob' })).upstreamHeaders.includes('x-user-email'))
  // On the wire `admin@shop ` is `admin@shop`, who is somebody else.
  for (const email of ['admin@shop ', '\tadmin@shop', 'a\r\nx: y'])
    assert.ok(!(await call({ sub: 'bob', email })).upstreamHeaders.includes('x-user-email'))
  assert.equal((await call({})).caller?.name, 'main/-')
  assert.equal((await call({ sub: '' })).caller?.name, 'main/-')
})

test('a subject that cannot be written names nobody', async () => {
  const ask = await authenticates(shop(), { ways: [JWT] })
  for (const sub of ['a\nb', 'a\u0000', 'x'.repeat(257), '\ud800', 'admin ', '\u00a0admin', ' '])
    assert.match(
      said(await ask(['authorization', `Bearer ${await sharedToken({ sub })}`])),
      /^credentials_invalid/,
    )
})

test('a number that JSON has rounded is nobody and nobody’s', async () => {
  const web = consumerFixture({ jwt: [{ provider: 'main', subject: '9007199254740992' }] })
  const headers = [['x-user-id', 'id'] as const, ['x-user-all', 'all'] as const]
  const ask = await authenticates(shop([web], { claimHeaders: headers }), { ways: [JWT] })
  const by = async (claims: string) => {
    // As an issuer in another language writes it.
    const payload = Buffer.from(claims).toString('base64url')
    const signed = `${Buffer.from('{"alg":"HS256"}').toString('base64url')}.${payload}`
    const signature = createHmac('sha256', SECRET).update(signed).digest('base64url')
    return ask(['authorization', `Bearer ${signed}.${signature}`])
  }
  assert.equal(said(await by('{"sub":"9007199254740992"}')), 'web')
  assert.equal(said(await by('{"sub":9007199254740991}')), 'main/9007199254740991')
  for (const sub of ['9007199254740993', '-9007199254740993', '1e300'])
    assert.match(said(await by(`{"sub":${sub}}`)), /^credentials_invalid/, sub)
  const { exchange } = await by('{"sub":"a","id":9007199254740993,"all":{"of":[9007199254740993]}}')
  assert.equal(headerValue(exchange.upstreamHeaders, 'x-user-id'), undefined)
  assert.equal(headerValue(exchange.upstreamHeaders, 'x-user-all'), undefined)
  const exact = await by('{"sub":"a","id":12.5,"all":{"of":[-7]}}')
  assert.equal(headerValue(exact.exchange.upstreamHeaders, 'x-user-id'), '12.5')
  assert.equal(headerValue(exact.exchange.upstreamHeaders, 'x-user-all'), '{"of":[-7]}')
})

test('what a header for a claim said before is replaced, whichever provider decides', async () => {
  const web = consumerFixture({ apiKeys: [keyOf('web-key')] })
  const spec = shop([web], { claimHeaders: [['x-user-email', 'email']] })
  const ask = await authenticates(spec, { ways: [JWT, KEY], optional: true })
  for (const [headers, caller, email] of [
    [['authorization', `Bearer ${await sharedToken({ sub: 'a', email: 'a@shop' })}`], 'main/a', 'a@shop'],
    [['authorization', `Bearer ${await sharedToken({ sub: 'a' })}`], 'main/a', undefined],
    [['x-api-key', 'web-key'], 'web', undefined],
    [[], 'nobody', undefined],
  ] as const) {
    const asked = await ask(['x-user-email', 'boss@shop', ...headers])
    assert.equal(said(asked), caller)
    assert.equal(headerValue(asked.exchange.upstreamHeaders, 'x-user-email'), email, caller)
  }
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeFixture } from '../exchange/exchange-fixture.ts'
import type { HeaderList } from '../exchange/headers.ts'
import type { AffinityPolicy } from '../snapshot/policies.ts'
import { candidates } from '../upstream/balancers/candidates-fixture.ts'
import { bindClient, takeToken } from './affinity.ts'

const POLICY: AffinityPolicy = { cookie: 'og', maxAge: null }
const TOKEN = '0123456789abcdef'

function read(cookie: string, policy: AffinityPolicy | null = POLICY): string {
  return takeToken(exchangeFixture({ headers: ['cookie', cookie] }), policy)
}

function written(more: {
  sticky?: string
  status?: number
  proto?: string
  policy?: AffinityPolicy
}): HeaderList {
  const exchange = exchangeFixture()
  if (more.proto !== undefined) exchange.upstreamHeaders = ['x-forwarded-proto', more.proto]
  const headers: HeaderList = ['set-cookie', 'own=1']
  const { sticky = '', status = 200, policy = POLICY } = more
  bindClient(exchange, policy, { status, token: TOKEN, sticky }, headers)
  return headers.slice(2)
}

test('reads the token of our cookie, and nothing that we never write', () => {
  assert.equal(read(`a=1; og=${TOKEN}`), TOKEN)
  assert.equal(read(`og=${TOKEN}`, null), '')
  for (const bad of ['', 'og=', 'og=10.0.0.1:80', `og=${TOKEN}0`, `og=${TOKEN.toUpperCase()}`, `x=${TOKEN}`])
    assert.equal(read(bad), '', bad)
})

test('takes our cookie, and ours alone, out of what goes upstream', () => {
  const goes = (...cookies: string[]): HeaderList => {
    const exchange = exchangeFixture()
    exchange.upstreamHeaders = ['accept', '*/*', ...cookies.flatMap(cookie => ['cookie', cookie])]
    takeToken(exchange, POLICY)
    return exchange.upstreamHeaders.slice(2)
  }
  assert.deepEqual(goes(`a=1; og=${TOKEN}; b=2`), ['cookie', 'a=1; b=2'])
  assert.deepEqual(goes(`og=${TOKEN}`), [])
  assert.deepEqual(goes('a=1', `og=x;og=y`, 'b=2;  c=3'), ['cookie', 'a=1', 'cookie', 'b=2;  c=3'])
  assert.deepEqual(goes('xog=1; og; a=og=2; OG=3'), ['cookie', 'xog=1; og; a=og=2; OG=3'])
})

test('sets the cookie where the client has none or another, and leaves it where it is right', () => {
  const cookie = `og=${TOKEN}; Path=/; HttpOnly; SameSite=Lax`
  assert.deepEqual(written({}), ['set-cookie', cookie])
  assert.deepEqual(written({ sticky: 'ffffffffffffffff' }), ['set-cookie', cookie])
  assert.deepEqual(written({ sticky: TOKEN }), [])
})

test('the cookie is secure where the client came by https, and lives as long as is said', () => {
  assert.match(written({ proto: 'https' })[1] ?? '', /; Secure$/)
  assert.doesNotMatch(written({ proto: 'http' })[1] ?? '', /Secure/)
  assert.match(written({ policy: { cookie: 'og', maxAge: 3600 } })[1] ?? '', /; Max-Age=3600; HttpOnly/)
})

test('a failing gateway binds nobody, an ordinary error does', () => {
  for (const status of [502, 503, 504]) assert.deepEqual(written({ status }), [])
  for (const status of [404, 500]) assert.equal(written({ status }).length, 2)
})

test('an endpoint has one token in every process, another than its neighbour, and it does not hold the address', () => {
  const [first, second] = candidates(1, 1).map(({ endpoint }) => endpoint)
  assert.match(first?.token ?? '', /^[0-9a-f]{16}$/)
  assert.equal(first?.token, candidates(1)[0]?.endpoint.token)
  assert.notEqual(first?.token, second?.token)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jwtFixture } from '../identity-fixture.ts'
import type { JwtProvider } from '../schema.ts'
import { readClaims } from './claims.ts'

const NOW = 1_000_000_000
const GOOD = { iss: 'https://id.shop.example', aud: 'shop', sub: 'alice', exp: 1_000_100 }

function why(claims: Record<string, unknown>, provider: Partial<JwtProvider> = {}): string {
  const read = readClaims({ ...GOOD, ...claims }, jwtFixture(provider), NOW)
  return 'cause' in read ? `${read.expired ? 'expired: ' : ''}${read.cause}` : 'good'
}

test('issuer, audience and end are required', () => {
  assert.equal(why({}), 'good')
  assert.equal(why({ iss: undefined }), 'it is of another issuer')
  assert.equal(why({ iss: 'https://id.shop.example/' }), 'it is of another issuer')
  assert.equal(why({ iss: ['https://id.shop.example'] }), 'it is of another issuer')
  assert.equal(why({ aud: undefined }), 'it is for another audience')
  assert.equal(why({ aud: ['web', 7] }), 'it is for another audience')
  assert.equal(why({ aud: { shop: true } }), 'it is for another audience')
  assert.equal(why({ aud: ['web', 'shop'] }), 'good')
  assert.equal(why({ exp: undefined }), 'there is no exp')
})

test('each may be off, and an end that is there still counts', () => {
  const off = { issuer: null, audiences: null, expires: false }
  assert.equal(why({ iss: undefined, aud: undefined, exp: undefined }, off), 'good')
  assert.equal(why({ exp: 999_000 }, off), 'expired: it has expired')
})

test('times are numbers, and clocks may differ by the skew', () => {
  assert.equal(why({ exp: 999_970.001 }), 'good')
  assert.equal(why({ exp: 999_970 }), 'expired: it has expired')
  assert.equal(why({ exp: 999_970 }, { skew: 60_000 }), 'good')
  assert.equal(why({ nbf: 1_000_030 }), 'good')
  assert.equal(why({ nbf: 1_000_031 }), 'it is not valid yet')
  for (const exp of ['1000100', null, true, Infinity, Number.NaN, [], {}])
    assert.equal(why({ exp }), 'exp is no time')
  for (const time of ['x', null]) {
    assert.equal(why({ nbf: time }), 'nbf is no time')
    assert.equal(why({ iat: time }), 'iat is no time')
  }
})

test('subject, groups and scopes are read where the provider says', () => {
  const provider = jwtFixture({ subject: 'azp', groups: 'realm_access.roles' })
  const claims = { ...GOOD, azp: 'web', realm_access: { roles: ['a', 'b'] }, scp: ['x', 'y'] }
  const read = readClaims(claims, provider, NOW)
  assert.ok('subject' in read)
  assert.deepEqual(
    [read.subject, read.groups, read.scopes, read.expiresAt],
    ['web', ['a', 'b'], ['x', 'y'], 1_000_100_000],
  )
  const bare = readClaims({ ...GOOD, realm_access: 'x' }, provider, NOW)
  assert.ok('subject' in bare)
  assert.deepEqual([bare.subject, bare.groups, bare.scopes], [null, [], []])
})

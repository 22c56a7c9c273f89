import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openRevocations, Revocations } from './revocations.ts'

const SPEC = {
  tokens: ['t-1', '1001'],
  subjects: [
    ['mallory', null],
    ['alice', 5000],
  ] as const,
  digest: '',
}

test('by the identifier of a token, by the caller, and by the caller until a moment', () => {
  const revoked = new Revocations(SPEC)
  const cases: [
    subject: string | null,
    claims: Record<string, unknown>,
    issuedAt: number | null,
    refused: boolean,
  ][] = [
    ['bob', { jti: 't-1' }, 0, true],
    ['bob', { jti: 't-2' }, 0, false],
    ['bob', { jti: ['t-1'] }, 0, false],
    ['bob', { jti: 1001 }, 0, true],
    ['bob', {}, null, false],
    ['mallory', {}, 9e15, true],
    ['mallory', {}, null, true],
    ['alice', {}, 4999, true],
    ['alice', {}, 5000, false],
    ['alice', {}, null, true],
    ['t-1', {}, 0, false],
    [null, { jti: 'alice' }, 0, false],
  ]
  for (const [subject, claims, at, refused] of cases)
    assert.equal(revoked.refuses({ subject, claims }, at), refused, JSON.stringify([subject, claims, at]))
})

test('routes with one list share what is made of it', () => {
  assert.equal(openRevocations(undefined), null)
  assert.equal(openRevocations(SPEC), openRevocations(SPEC))
})

test('of two lines about one caller the one that refuses more holds, in any order', () => {
  const claims = { sub: 'alice' }
  for (const subjects of [
    [
      ['alice', null],
      ['alice', 1_000],
    ],
    [
      ['alice', 3_000],
      ['alice', 1_000],
    ],
    [
      ['alice', 1_000],
      ['alice', 3_000],
    ],
  ] as const)
    assert.equal(
      new Revocations({ tokens: [], subjects, digest: '' }).refuses({ subject: 'alice', claims }, 2_000),
      true,
    )
})

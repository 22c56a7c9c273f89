import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MOST_KEYS, RecentKeys } from './recent-keys.ts'

test('never more keys than the bound, and those that are used stay (row 65)', () => {
  const keys = new RecentKeys<{ n: number }>(Infinity)
  const mine = keys.get('mine', 0, () => ({ n: 7 }))
  for (let i = 0; i < 400_000; i++) {
    keys.get(`k${i}`, 0, () => ({ n: 0 }))
    if (i % 1000 === 0)
      assert.equal(
        keys.get('mine', 0, () => ({ n: 0 })),
        mine,
      )
    if (i % 10_000 === 0) assert.ok(keys.size <= MOST_KEYS + 1)
  }
  assert.equal(keys.get('mine', 0, () => ({ n: 0 })).n, 7)
  assert.equal(keys.get('k5', 0, () => ({ n: 1 })).n, 1, 'what was used long ago is dropped')
})

test('what nobody used for two lives is dropped', () => {
  const keys = new RecentKeys<number>(1000)
  keys.get('a', 0, () => 1)
  assert.equal(
    keys.get('b', 999, () => 2),
    2,
  )
  assert.equal(
    keys.get('b', 1000, () => 3),
    2,
  )
  keys.get('b', 2000, () => 3)
  assert.equal(keys.size, 1)
  assert.equal(
    keys.get('a', 2001, () => 9),
    9,
  )
})

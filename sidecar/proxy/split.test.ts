import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Exchange } from '../exchange/exchange.ts'
import { exchangeFixture } from '../exchange/exchange-fixture.ts'
import type { KeySource } from '../exchange/request-key.ts'
import { seededRandom } from '../runtime/random.ts'
import { compileSplit } from './split.ts'

const USER: KeySource = { kind: 'header', name: 'x-user' }
const PIN: KeySource = { kind: 'header', name: 'x-release' }
const NAMES = ['users', 'users-next', 'users-old', 'shadow']
const RUNS = { numRuns: 60, seed: 11 }

const request = (...headers: string[]): Exchange => exchangeFixture({ headers })

/** A split whose actions are the sides' names. */
function split(weights: readonly number[], pin: KeySource | null = null): (exchange: Exchange) => string {
  const sides = weights.map((weight, at) => ({
    name: NAMES[at] as string,
    weight,
    action: NAMES[at] as string,
  }))
  return compileSplit(sides, [USER], pin, seededRandom(2))
}

const sidesOf = (weights: readonly number[], users: number): string[] => {
  const choose = split(weights)
  return Array.from({ length: users }, (_, user) => choose(request('x-user', `user-${user}`)))
}

const weights = fc
  .array(fc.integer({ min: 0, max: 20 }), { minLength: 2, maxLength: 4 })
  .filter(all => all.some(weight => weight > 0))

test('shares are the weights, by key and without one, and a side of weight 0 gets nothing', () => {
  for (const given of [
    [95, 5],
    [1, 1, 2],
    [50, 0, 50],
    [0, 1],
    [1_000_000, 3, 500_000],
  ]) {
    const total = given.reduce((sum, one) => sum + one, 0)
    const choose = split(given)
    const drawn = Array.from({ length: 20_000 }, () => choose(request()))
    for (const sides of [sidesOf(given, 20_000), drawn]) {
      given.forEach((weight, at) => {
        const share = sides.filter(side => side === NAMES[at]).length / sides.length
        if (weight === 0) assert.equal(share, 0)
        else assert.ok(Math.abs(share - weight / total) < 0.012, `${given.join(' ')}: ${share}`)
      })
    }
  }
})

test('raising a weight moves keys only towards it, lowering it only away', () => {
  fc.assert(
    fc.property(weights, fc.nat(), fc.integer({ min: 1, max: 50 }), (given, which, more) => {
      const at = which % given.length
      const raised = given.map((weight, side) => (side === at ? weight + more : weight))
      const [before, after] = [sidesOf(given, 300), sidesOf(raised, 300)]
      before.forEach((side, user) => {
        if (after[user] !== side) assert.equal(after[user], NAMES[at])
      })
    }),
    RUNS,
  )
})

test('a side that is added takes its share, and moves nobody between the others', () => {
  const [before, after] = [sidesOf([3, 1], 5000), sidesOf([3, 1, 1], 5000)]
  const moved = before.filter((side, user) => after[user] !== side)
  assert.ok(Math.abs(moved.length / 5000 - 0.2) < 0.03, String(moved.length))
  before.forEach((side, user) => assert.ok(after[user] === side || after[user] === NAMES[2]))
})

test('a request may name its side, one of weight 0 too; a name that is no side is ignored', () => {
  const choose = split([1, 0], PIN)
  for (let user = 0; user < 20; user++) {
    const key = ['x-user', String(user)]
    assert.equal(choose(request(...key, 'x-release', 'users-next')), 'users-next')
    for (const other of ['users-prev', 'USERS-NEXT', 'users-next,users', '', '__proto__', 'constructor'])
      assert.equal(choose(request(...key, 'x-release', other)), 'users', other)
    // Two lines are no name.
    assert.equal(choose(request(...key, 'x-release', 'users-next', 'x-release', 'users')), 'users')
  }
  // Where nothing pins, the header is just a header.
  assert.equal(split([1, 0])(request('x-release', 'users-next')), 'users')
})

test('the same key is on the same side in every process and route', () => {
  assert.deepEqual(sidesOf([90, 10], 200), sidesOf([90, 10], 200))
  const choose = compileSplit(
    [
      { name: 'users-next', weight: 10, action: 'users-next' },
      { name: 'users', weight: 90, action: 'users' },
    ],
    [USER],
    null,
  )
  assert.deepEqual(
    Array.from({ length: 200 }, (_, user) => choose(request('x-user', `user-${user}`))),
    sidesOf([90, 10], 200),
  )
})

test('without any weight there is no split', () => {
  assert.throws(() => split([0, 0]))
})

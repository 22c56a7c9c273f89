import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TEST_SETTINGS } from './session-fixture.ts'
import { SessionLimits } from './session-limits.ts'

test('resets: so many at once, and then so many a second', () => {
  const limits = new SessionLimits(TEST_SETTINGS, 0)
  const old = 10_000
  for (let i = 0; i < 200; i++) assert.ok(limits.reset(100, old), `reset ${i}`)
  assert.ok(!limits.reset(100, old))
  // What was too much counts as well.
  let taken = 0
  while (limits.reset(1200, old)) taken++
  assert.equal(taken, 35)
})

test('resets: two streams that end by themselves allow one', () => {
  const limits = new SessionLimits(TEST_SETTINGS, 0)
  for (let i = 0; i < 2000; i++) {
    limits.ended()
    limits.ended()
    assert.ok(limits.reset(0, 10_000), `reset ${i}`)
  }
  let taken = 0
  while (limits.reset(0, 10_000)) taken++
  // What was earned is no more than the burst, of which the last reset took one.
  assert.equal(taken, 199)
})

test('half of the streams reset at once is too many, once there were enough of them', () => {
  const limits = new SessionLimits({ ...TEST_SETTINGS, resetsBurst: 10_000 }, 0)
  for (let i = 0; i < 500; i++) {
    limits.stream()
    assert.ok(limits.reset(0, 10))
  }
  for (let i = 0; i < 500; i++) limits.stream()
  assert.ok(limits.reset(0, 2000), 'those that were reset late do not count')
  assert.ok(!limits.reset(0, 10))
})

test('what we reset ourselves wears a session out, unless it goes by the second or most streams end', () => {
  const limits = new SessionLimits(TEST_SETTINGS, 0)
  const old = 10_000
  for (let i = 0; i < 300; i++) {
    limits.ended()
    limits.ended()
    limits.resetByUs(0, old)
  }
  for (let i = 1; i <= 300; i++) limits.resetByUs(i * 31, old)
  assert.ok(!limits.worn)
  for (let i = 0; i < 100; i++) limits.resetByUs(9300, old)
  assert.ok(limits.worn)
})

test('a quarter of the streams that we reset at once wears a session out', () => {
  const limits = new SessionLimits(TEST_SETTINGS, 0)
  for (let i = 0; i < 251; i++) limits.stream()
  for (let i = 0; i < 62; i++) limits.resetByUs(0, 10)
  assert.ok(!limits.worn)
  limits.resetByUs(0, 10)
  assert.ok(limits.worn)
})

test('control frames: a burst, a rate, and what streams and DATA allow', () => {
  const limits = new SessionLimits(TEST_SETTINGS, 0)
  const count = (now: number) => {
    let taken = 0
    while (limits.control(now)) taken++
    return taken
  }
  assert.equal(count(0), 1000)
  assert.equal(count(1000), 99)
  for (let i = 0; i < 10; i++) limits.data()
  limits.stream()
  assert.equal(count(1000), 59)
  for (let i = 0; i < 10_000; i++) limits.data()
  assert.equal(count(1000), 10_000)
})

test('answers that nobody reads are bounded', () => {
  const limits = new SessionLimits(TEST_SETTINGS, 0)
  for (let i = 0; i < 1000; i++) assert.ok(limits.answered(true))
  assert.ok(!limits.answered(true))
  assert.ok(limits.answered(false))
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { GRAINS, SlidingWindow } from './sliding-window.ts'

const WINDOW = 60_000

/** Asks as a filter does. */
function ask(window: SlidingWindow, now: number, quota: number, cost = 1): boolean {
  if (!window.fits(now, quota, cost)) return false
  window.take(now, quota, cost)
  return true
}

test('one a second, asked once a second, is never refused', () => {
  const window = new SlidingWindow(1000)
  for (let i = 0; i < 100; i++) assert.ok(ask(window, i * 1000, 1))
  assert.ok(!ask(window, 99_999, 1))
})

test('all that came at once is back one window later', () => {
  const window = new SlidingWindow(WINDOW)
  for (let i = 0; i < 100; i++) assert.ok(ask(window, 5, 100))
  assert.ok(!ask(window, 5, 100))
  assert.equal(window.remaining(5, 100), 0)
  assert.equal(window.wait(5, 100, 1), WINDOW)
  assert.ok(!ask(window, WINDOW + 4, 100))
  for (let i = 0; i < 100; i++) assert.ok(ask(window, WINDOW + 5, 100))
})

test('at most the quota in any stretch, and nobody is held more than a grain longer than an exact count would', () => {
  const steps = fc.array(
    fc.record({ pause: fc.integer({ min: 0, max: 4000 }), cost: fc.integer({ min: 1, max: 3 }) }),
    { minLength: 1, maxLength: 300, size: 'max' },
  )
  fc.assert(
    fc.property(steps, fc.integer({ min: 3, max: 60 }), (asked, quota) => {
      const window = new SlidingWindow(WINDOW)
      const passed: { at: number; cost: number }[] = []
      const within = (now: number, stretch: number): number =>
        passed.reduce((sum, one) => (one.at + stretch > now ? sum + one.cost : sum), 0)
      let now = 0
      for (const { pause, cost } of asked) {
        now += pause
        const wait = window.wait(now, quota, cost)
        if (ask(window, now, quota, cost)) {
          passed.push({ at: now, cost })
          assert.ok(within(now, WINDOW) <= quota, 'the bound is broken')
          assert.equal(wait, 0)
        } else {
          assert.ok(within(now, WINDOW * (1 + 1 / GRAINS)) + cost > quota, 'refused without need')
          assert.ok(wait > 0 && wait <= WINDOW)
        }
        assert.ok(window.remaining(now, quota) <= quota - within(now, WINDOW))
      }
    }),
    { numRuns: 200, seed: 1 },
  )
})

test('what was waited for fits', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 3000 }), { minLength: 20, maxLength: 200, size: 'max' }),
      pauses => {
        const window = new SlidingWindow(WINDOW)
        let now = 0
        for (const pause of pauses) {
          now += pause
          const wait = window.wait(now, 10, 2)
          now += wait
          assert.ok(ask(window, now, 10, 2))
        }
      },
    ),
    { numRuns: 50, seed: 1 },
  )
})

test('what is given back is as if it had not been', () => {
  const window = new SlidingWindow(WINDOW)
  assert.ok(ask(window, 0, 3, 2))
  assert.ok(ask(window, 10_000, 3))
  window.giveBack(3, 1)
  assert.equal(window.remaining(10_000, 3), 1)
  assert.ok(ask(window, 10_000, 3))
  assert.equal(window.remaining(WINDOW, 3), 2)
})

test('a quota that becomes smaller keeps the count', () => {
  const window = new SlidingWindow(WINDOW)
  for (let i = 0; i < 50; i++) ask(window, 0, 100)
  assert.equal(window.remaining(1, 60), 10)
  assert.ok(!ask(window, 1, 20))
  assert.equal(window.wait(1, 20, 1), WINDOW - 1)
})

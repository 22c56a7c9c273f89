import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TokenBucket } from './token-bucket.ts'

function ask(bucket: TokenBucket, now: number, quota: number, cost = 1): boolean {
  if (!bucket.fits(now, quota, cost)) return false
  bucket.take(now, quota, cost)
  return true
}

test('holds the burst, and gets one back each interval', () => {
  const bucket = new TokenBucket(60_000, 10)
  for (let i = 0; i < 10; i++) assert.ok(ask(bucket, 0, 100), `the ${i + 1}th`)
  assert.ok(!ask(bucket, 0, 100))
  assert.equal(bucket.wait(0, 100, 1), 600)
  assert.ok(!ask(bucket, 599, 100))
  assert.ok(ask(bucket, 600, 100))
  assert.ok(!ask(bucket, 600, 100))
  assert.equal(bucket.remaining(1800, 100), 2)
  assert.equal(bucket.remaining(1_000_000, 100), 10)
})

test('never more than the burst and what came back since, never less than that by more than one', () => {
  const asked = fc.array(fc.integer({ min: 0, max: 5000 }), { minLength: 1, maxLength: 300, size: 'max' })
  fc.assert(
    fc.property(
      asked,
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 1000 }),
      (pauses, burst, quota) => {
        const bucket = new TokenBucket(60_000, burst)
        let tokens = burst
        let now = 0
        for (const pause of pauses) {
          now += pause
          tokens = Math.min(burst, tokens + (pause * quota) / 60_000)
          const passed = ask(bucket, now, quota)
          assert.ok(!passed || tokens >= 1 - 1e-5, `passed with ${tokens}`)
          assert.ok(passed || tokens < 1 + 1e-5, `refused with ${tokens}`)
          if (passed) tokens -= 1
          assert.ok(Math.abs(bucket.remaining(now, quota) - tokens) < 1 + 1e-5)
        }
      },
    ),
    { numRuns: 200, seed: 1 },
  )
})

test('what is given back is there again, and a smaller burst holds at once', () => {
  const bucket = new TokenBucket(1000, 5)
  ask(bucket, 0, 1, 5)
  bucket.giveBack(1, 2)
  assert.equal(bucket.remaining(0, 1), 2)
  assert.equal(bucket.reset(0, 1), 3000)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Lease } from './lease.ts'
import type { Rate } from './schema.ts'

const SLIDING: Rate = { kind: 'sliding', window: 1000 }
const granted = (ahead: number, reset = 1000) => ({ left: 50, reset, wait: 0, ahead })

/** A lease of five that was granted whole at 0. */
function opened(rate: Rate = SLIDING, reset?: number): Lease {
  const lease = new Lease(5, rate)
  assert.equal(lease.spend(1, 0), false)
  assert.equal(lease.end(lease.begin(1, 0), granted(4, reset), true), true)
  return lease
}

function spends(lease: Lease, now: number): number {
  let count = 0
  while (lease.spend(1, now)) count++
  return count
}

test('one question pays for itself and what was taken ahead, until the count has left the window', () => {
  const lease = opened()
  assert.equal(lease.remaining(0), 54)
  assert.equal(spends(lease, 999), 4)
  assert.equal(spends(opened(), 1000), 0)
})

test('a lease of the calendar ends with its window, one of a bucket when that is full', () => {
  for (const rate of [
    { kind: 'calendar', unit: 'day' },
    { kind: 'bucket', window: 1000, burst: 9 },
  ] as const) {
    assert.equal(spends(opened(rate, 300), 299), 4)
    assert.equal(spends(opened(rate, 300), 300), 0)
  }
})

test('only one question at a time takes ahead, so that less than a lease is ever held', () => {
  const lease = new Lease(5, SLIDING)
  const [first, second] = [lease.begin(1, 0), lease.begin(1, 0)]
  assert.deepEqual([first.ahead, second.ahead], [4, 0])
  assert.equal(lease.end(second, granted(0), true), false, 'it is given back to the store')
  lease.end(first, granted(4), true)
  assert.equal(spends(lease, 1), 4)
  assert.equal(lease.begin(1, 1).ahead, 4)
})

test('what is left pays a part, and comes back where the store refuses or is silent', () => {
  for (const answer of [null, { left: 0, reset: 10, wait: 300, ahead: 0 }]) {
    const lease = opened()
    assert.ok(lease.spend(2, 0))
    const draft = lease.begin(4, 0)
    assert.deepEqual([draft.paid, draft.cost, draft.ahead], [2, 2, 3])
    assert.equal(lease.spend(1, 0), false)
    lease.end(draft, answer, false)
    assert.equal(spends(lease, 0), 2)
  }
})

test('what was refused is refused here for a second at most, and less is asked about', () => {
  const lease = new Lease(5, SLIDING)
  lease.end(lease.begin(3, 0), { left: 2, reset: 10, wait: 5000, ahead: 0 }, false)
  assert.deepEqual([lease.refused(3, 100), lease.refused(2, 100), lease.refused(3, 1000)], [4900, 0, 0])
})

test('what is put back never makes more than a lease, and goes to no later one', () => {
  const lease = opened()
  assert.ok(lease.spend(4, 0))
  const { turn } = lease
  lease.putBack(9, turn)
  assert.equal(spends(lease, 0), 4)
  lease.end(lease.begin(1, 0), granted(0), true)
  lease.putBack(4, turn)
  assert.equal(spends(lease, 0), 0)
})

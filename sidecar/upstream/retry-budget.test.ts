import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { RetryBudget } from './retry-budget.ts'

test('a fifth of the first attempts in flight, three at least, and what else limits it', () => {
  const budget = new RetryBudget()
  const policy = { percent: 20, min: 3 }
  const fill = (firsts: number, most: number | null = null): number => {
    budget.firsts = firsts
    budget.retries = 0
    while (budget.take(policy, most));
    return budget.retries
  }
  assert.deepEqual(
    [0, 1, 15, 19, 20, 64, 1000].map(firsts => fill(firsts)),
    [3, 3, 3, 3, 4, 12, 200],
  )
  assert.equal(fill(1000, 7), 7)
  assert.equal(fill(0, 0), 0)
  budget.retries = 12
  budget.firsts = 10
  assert.equal(budget.take(policy, null), false)
})

test('whatever comes and goes, nothing is let in beyond the share of that moment', () => {
  const step = fc.record({
    kind: fc.constantFrom('begin', 'fail', 'answer', 'over'),
    percent: fc.integer({ min: 0, max: 100 }),
    min: fc.integer({ min: 0, max: 5 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), steps => {
      const budget = new RetryBudget()
      for (const { kind, percent, min } of steps) {
        if (kind === 'begin') budget.firsts++
        else if (kind === 'answer' && budget.firsts > 0) budget.firsts--
        else if (kind === 'over' && budget.retries > 0) budget.retries--
        else if (kind === 'fail' && budget.firsts > 0) {
          budget.firsts--
          const before = budget.retries
          const taken = budget.take({ percent, min }, null)
          assert.equal(budget.retries, taken ? before + 1 : before)
          assert.equal(taken, before < Math.max(min, Math.floor((budget.firsts * percent) / 100)))
        }
      }
    }),
    { numRuns: 200 },
  )
})

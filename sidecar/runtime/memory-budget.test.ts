import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryBudget } from './memory-budget.ts'

test('roomy below the mark, exhausted only a tenth above it', () => {
  const budget = new MemoryBudget(1000)
  assert.equal(budget.limit, 1000)
  const states: [used: number, roomy: boolean, exhausted: boolean][] = [
    [0, true, false],
    [999, true, false],
    [1000, false, false],
    [1100, false, false],
    [1101, false, true],
  ]
  for (const [used, roomy, exhausted] of states) {
    budget.take(used - budget.used)
    assert.deepEqual([budget.used, budget.roomy, budget.exhausted], [used, roomy, exhausted])
  }
  budget.give(1101)
  assert.deepEqual([budget.used, budget.roomy, budget.exhausted], [0, true, false])
})

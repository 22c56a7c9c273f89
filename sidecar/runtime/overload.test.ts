import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryBudget } from './memory-budget.ts'
import { Overload } from './overload.ts'
import { seededRandom } from './random.ts'

const CALM = { lag: 0, memory: 0.5 }

function make(): { overload: Overload; budget: MemoryBudget } {
  const budget = new MemoryBudget(1000)
  return { overload: new Overload(budget, seededRandom(1)), budget }
}

/** The share of a thousand requests that is refused. */
function refused(overload: Overload, active = 100): number {
  let count = 0
  for (let i = 0; i < 1000; i++) if (overload.refuses(active) !== '') count++
  return count / 1000
}

test('a loop that is late for less than a second refuses nobody', () => {
  const { overload } = make()
  for (const lag of [500, 500, 500, 20, 500, 500, 500, 99]) {
    overload.observe({ ...CALM, lag })
    assert.equal(refused(overload), 0)
  }
})

test('lag that lasts refuses a share that grows while it stays, never all, and falls again', () => {
  const { overload } = make()
  const shares: number[] = []
  for (let i = 0; i < 60; i++) {
    overload.observe({ ...CALM, lag: 150 })
    shares.push(refused(overload))
  }
  assert.deepEqual(shares.slice(0, 3), [0, 0, 0])
  assert.ok((shares[3] ?? 0) > 0.05 && (shares[3] ?? 0) < 0.2, shares.join())
  assert.ok((shares.at(-1) ?? 0) > 0.9 && (shares.at(-1) ?? 0) < 0.99, shares.join())
  assert.equal(overload.cause, 'lag')
  assert.equal(overload.closing, false)
  for (let i = 0; i < 30; i++) overload.observe(CALM)
  assert.equal(refused(overload), 0)
  assert.equal(overload.cause, '')
  assert.equal(overload.shed.lag > 0, true)
})

test('a load of three times what the loop can do settles where the lag is at its mark', () => {
  const { overload } = make()
  // The lag grows with what is admitted beyond the capacity, and what waits is worked off when less is.
  let backlog = 0
  let admitted = 0
  for (let i = 0; i < 400; i++) {
    const work = 3 * (1 - overload.share) * 250 + 3 * overload.share * 25
    backlog = Math.max(0, backlog + work - 250)
    overload.observe({ ...CALM, lag: Math.min(400, backlog) })
    if (i >= 200) admitted += 3 * (1 - overload.share)
  }
  // With refusals that cost a tenth of a request, 0.78 is all that there is.
  assert.ok(admitted / 200 > 0.6, `${admitted / 200} of the capacity`)
})

test('memory: keep-alive ends at 92 %, requests at 95 %, and both come back', () => {
  const { overload } = make()
  for (const [memory, closing, share] of [
    [0.919, false, 0],
    [0.92, true, 0],
    [0.949, true, 0],
    [0.95, true, 1],
    [1.2, true, 1],
    [0.94, true, 0],
    [0.5, false, 0],
  ] as const) {
    overload.observe({ lag: 0, memory })
    assert.equal(overload.closing, closing, `${memory}`)
    assert.equal(overload.connections(1000), share === 1 ? 64 : 1000)
    assert.equal(overload.connections(10), 10)
    assert.equal(refused(overload), share, `${memory}`)
    assert.equal(overload.cause, share === 1 ? 'memory' : '')
  }
  assert.deepEqual(overload.shed, { lag: 0, memory: 2000, buffers: 0 })
})

test('full buffers refuse at once, between two observations', () => {
  const { overload, budget } = make()
  budget.take(1101)
  assert.equal(overload.refuses(1), 'buffers')
  assert.equal(overload.share, 1)
  budget.give(1101)
  assert.equal(overload.refuses(1), '')
  assert.equal(overload.shed.buffers, 1)
})

test('short of memory, a few at a time are served all the same; with full buffers none', () => {
  const { overload, budget } = make()
  overload.observe({ lag: 0, memory: 0.99 })
  assert.equal(refused(overload, 8), 0)
  assert.equal(refused(overload, 9), 1)
  budget.take(1101)
  assert.equal(refused(overload, 1), 1)
})

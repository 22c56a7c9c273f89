import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sendMutatedPaths } from './mutated-paths.ts'

for (const [guard, seed] of [
  ['groups', 32],
  ['expression', 33],
] as const) {
  test(`row 31: 3,000 mutated paths pass no rule of authorize by ${guard}`, async () => {
    const ends = await sendMutatedPaths(3000, seed, guard)
    // A run in which nearly all is refused, or nothing, tests little.
    assert.ok(ends.passed > 450 && ends.forbidden > 150 && ends.refused > 450, JSON.stringify(ends))
  })
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sendMutatedPaths } from './mutated-paths.ts'

test('row 31: 5,000 mutated paths: refused, or the upstream sees the path that was decided', async () => {
  const ends = await sendMutatedPaths(5000, 31)
  // A run in which nearly all is refused, or nothing, tests little.
  assert.ok(ends.passed > 750 && ends.forbidden > 250 && ends.refused > 750, JSON.stringify(ends))
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { caseCount, seed } from '../fuzz/random-source.ts'
import { sendMutatedPaths } from './mutated-paths.ts'

const CASES = caseCount(100_000)

test(`row 31: ${CASES} mutated paths: refused, or the upstream sees the path that was decided`, async () => {
  const ends = await sendMutatedPaths(CASES, seed())
  // A run in which nearly all is refused, or nothing, tests little.
  const least = Math.min(ends.passed / CASES, ends.refused / CASES)
  assert.ok(least > 0.15 && ends.forbidden / CASES > 0.05, JSON.stringify(ends))
})

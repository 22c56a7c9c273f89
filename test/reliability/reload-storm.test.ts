import assert from 'node:assert/strict'
import { test } from 'node:test'
import { storm } from './reload-storm.ts'

test('ten changes a second, a fifth of them wrong, under 300 requests a second: nothing fails and the tunnel stays', async () => {
  const outcome = await storm(300, 4)
  const shown = JSON.stringify(outcome)
  assert.deepEqual(outcome.load.failed, {}, shown)
  assert.equal(outcome.load.ok, outcome.load.sent, shown)
  assert.ok(outcome.load.sent > 1000, shown)
  assert.ok(outcome.seen >= outcome.valid * 0.6, shown)
  assert.ok(outcome.echoed >= 30, shown)
})

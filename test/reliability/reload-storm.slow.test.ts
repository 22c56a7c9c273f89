import assert from 'node:assert/strict'
import { test } from 'node:test'
import { storm } from './reload-storm.ts'

// OUTRIGGER_STORM_SECONDS=60 for the whole experiment.
const SECONDS = Number(process.env['OUTRIGGER_STORM_SECONDS'] ?? 15)
const MIB = 1_048_576

test(`ten changes a second, a fifth of them wrong, under 1,000 requests a second for ${SECONDS} s`, async () => {
  const outcome = await storm(1000, SECONDS)
  const shown = JSON.stringify(outcome)
  assert.deepEqual(outcome.load.failed, {}, shown)
  assert.equal(outcome.load.ok, outcome.load.sent, shown)
  assert.ok(outcome.load.sent >= 900 * SECONDS, shown)
  // Each valid change is met by a request, where two did not come so close that they were one.
  assert.ok(outcome.seen >= outcome.valid * 0.8, shown)
  assert.ok(outcome.echoed >= 9 * SECONDS, shown)
  // An upstream that does not change keeps its connections.
  assert.ok(outcome.upstreamConnections <= 64 + 1, shown)
  assert.ok(outcome.heap[1] - outcome.heap[0] < 6 * MIB, shown)
})

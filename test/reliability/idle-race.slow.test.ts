import assert from 'node:assert/strict'
import { test } from 'node:test'
import { raceIdle } from './idle-race.ts'

test('ten thousand requests around the moment at which the upstream closes: no safe method fails, no POST is sent twice', async () => {
  const outcome = await raceIdle({ idle: 300, spread: 10, how: 'destroy', clients: 256, seconds: 15 })
  assert.ok(outcome.requests >= 10_000, JSON.stringify(outcome))
  assert.ok(outcome.races > 0, JSON.stringify(outcome))
  assert.deepEqual(
    Object.keys(outcome.failed).filter(method => method !== 'POST'),
    [],
    JSON.stringify(outcome),
  )
  assert.deepEqual(outcome.duplicated, [])
  assert.deepEqual(outcome.invented, [])
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { raceIdle } from './idle-race.ts'

for (const how of ['destroy', 'fin'] as const) {
  test(`requests that meet an upstream closing its idle connections (${how}): safe methods never fail, no POST is sent twice`, async () => {
    const outcome = await raceIdle({ idle: 40, spread: 4, how, clients: 48, seconds: 2 })
    assert.ok(outcome.requests > 500, JSON.stringify(outcome))
    // Else nothing was tested.
    assert.ok(outcome.races > 0, JSON.stringify(outcome))
    assert.deepEqual(
      Object.keys(outcome.failed).filter(method => method !== 'POST'),
      [],
      JSON.stringify(outcome),
    )
    assert.deepEqual(outcome.duplicated, [])
    assert.deepEqual(outcome.invented, [])
  })
}

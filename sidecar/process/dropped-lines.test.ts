import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeLog } from '../admin/admin-fixture.ts'
import type { LogFields } from '../telemetry/process-log.ts'
import { DroppedLines } from './dropped-lines.ts'

test('what a log loses is told once, with the reason, and again when it loses more', t => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  let dropped = 0
  const told: unknown[] = []
  const log = Object.assign(new FakeLog(), {
    warn: (message: string, fields?: LogFields) => void told.push([message, fields]),
  })
  const lines = new DroppedLines(log, [
    { name: 'access', dropped: () => dropped, cause: () => 'ENOSPC' },
    { name: 'audit', dropped: () => 0, cause: () => '' },
  ])
  t.mock.timers.tick(10_000)
  assert.deepEqual(told, [])
  dropped = 3
  t.mock.timers.tick(20_000)
  const message = 'lines of a log are dropped'
  assert.deepEqual(told, [[message, { log: 'access', lines: 3, cause: 'ENOSPC' }]])
  dropped = 5
  lines.stop()
  assert.deepEqual(told.slice(1), [[message, { log: 'access', lines: 2, cause: 'ENOSPC' }]])
  dropped = 9
  t.mock.timers.tick(20_000)
  assert.equal(told.length, 2)
})

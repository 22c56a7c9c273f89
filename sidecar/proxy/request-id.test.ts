import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requestIds } from './request-id.ts'

test('request ids do not repeat, and a new block is random again', () => {
  let blocks = 0
  const next = requestIds(() => `${++blocks}`.padStart(20, '0'))
  const ids = new Set(Array.from({ length: 70_000 }, next))
  assert.equal(ids.size, 70_000)
  assert.equal(blocks, 2)
  assert.match(requestIds()(), /^[0-9a-f]{24}$/)
  assert.notEqual(requestIds()(), requestIds()())
})

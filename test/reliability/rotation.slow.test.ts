import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rotate } from './rotation.ts'

test('R17: certificates on both sides replaced each second under load: no failed handshake', async t => {
  const rotation = await rotate(8)
  t.diagnostic(`${rotation.requests} requests, ${rotation.certificates} certificates seen`)
  assert.deepEqual([rotation.failed, rotation.failedHandshakes], [{}, ''])
  assert.ok(rotation.requests > 100, `${rotation.requests} requests`)
  assert.ok(rotation.certificates >= 4, `${rotation.certificates} certificates`)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectionLimit, memoryLimit } from './machine-limits.ts'

const GIB = 2 ** 30

test('client connections are bounded by descriptors, of which each may need two, by memory, and by ten thousand', () => {
  assert.equal(connectionLimit(1_048_576, null), 10_000)
  assert.equal(connectionLimit(null, null), 10_000)
  assert.equal(connectionLimit(256, null), 96)
  assert.equal(connectionLimit(1024, null), 480)
  assert.equal(connectionLimit(null, GIB / 8), 1024)
  assert.equal(connectionLimit(256, GIB / 8), 96)
  // Whatever the machine has, it serves somebody.
  assert.equal(connectionLimit(16, null), 1)
  assert.equal(connectionLimit(null, 1000), 1)
})

test('the memory for buffers is a quarter of the container’s, or 256 MiB', () => {
  assert.equal(memoryLimit(null), GIB / 4)
  assert.equal(memoryLimit(GIB), GIB / 4)
  assert.equal(memoryLimit(3), 0)
})

test('this machine has limits that can be read', () => {
  assert.ok(connectionLimit() >= 1 && connectionLimit() <= 10_000)
  assert.ok(memoryLimit() > 1_048_576)
})

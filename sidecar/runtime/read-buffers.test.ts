import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryBudget } from './memory-budget.ts'
import { ReadBuffers } from './read-buffers.ts'

const SIZE = 65_536

test('a buffer is counted while anybody holds a part of it, and read into again by its reader alone', () => {
  const budget = new MemoryBudget(1e9)
  const buffers = new ReadBuffers(budget)
  const buffer = buffers.take()
  assert.equal(buffer.length, SIZE)
  assert.ok(buffers.isSole(buffer))
  const [head, tail] = [buffer.subarray(0, 10), buffer.subarray(10, 20)]
  buffers.retain(head)
  buffers.retain(tail)
  assert.ok(!buffers.isSole(buffer))
  buffers.release(tail)
  assert.ok(!buffers.isSole(buffer))
  buffers.release(head)
  assert.ok(buffers.isSole(buffer))
  assert.deepEqual([buffers.held, budget.used], [1, SIZE])
  buffers.release(buffer)
  assert.deepEqual([buffers.held, budget.used], [0, 0])
})

test('what is given back is taken again, whole, whatever part gave it back last', () => {
  const buffers = new ReadBuffers(new MemoryBudget(1e9))
  const buffer = buffers.take()
  const part = buffer.subarray(100, 200)
  buffers.retain(part)
  buffers.release(buffer)
  assert.equal(buffers.held, 1)
  buffers.release(part)
  const again = buffers.take()
  assert.equal(again.buffer, buffer.buffer)
  assert.deepEqual([again.byteOffset, again.length], [0, SIZE])
  assert.notEqual(buffers.take().buffer, again.buffer)
})

test('memory of others, and the shared buffer, are nobody’s to count', () => {
  const budget = new MemoryBudget(1e9)
  const buffers = new ReadBuffers(budget)
  for (const foreign of [Buffer.from('x'), buffers.shared, buffers.shared.subarray(1, 2)]) {
    buffers.retain(foreign)
    buffers.release(foreign)
    buffers.release(foreign)
  }
  assert.deepEqual([buffers.held, budget.used], [0, 0])
})

test('a hundred that were held at once leave at most 64 behind', () => {
  const buffers = new ReadBuffers(new MemoryBudget(1e9))
  const all = Array.from({ length: 100 }, () => buffers.take())
  const memory = new Set(all.map(buffer => buffer.buffer))
  for (const buffer of all) buffers.release(buffer)
  const again = Array.from({ length: 100 }, () => buffers.take())
  assert.equal(again.filter(buffer => memory.has(buffer.buffer)).length, 64)
})

test('poisoned, the shared buffer holds nothing of the last read; else it is left as it is', () => {
  const poisoned = new ReadBuffers(new MemoryBudget(1), () => {}, true)
  poisoned.shared.write('secret!')
  poisoned.used(6)
  assert.equal(poisoned.shared.toString('latin1', 0, 7), '\xdb'.repeat(6) + '!')
  const plain = new ReadBuffers(new MemoryBudget(1), () => {}, false)
  plain.shared.write('secret')
  plain.used(6)
  assert.equal(plain.shared.toString('latin1', 0, 6), 'secret')
})

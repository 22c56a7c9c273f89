import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { DynamicTable, ENTRY_OVERHEAD } from './dynamic-table.ts'

test('holds the newest entries that fit, however often it grows and goes round', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('add' as const), length: fc.integer({ min: 0, max: 120 }) }),
    fc.record({ kind: fc.constant('resize' as const), length: fc.integer({ min: 0, max: 4096 }) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), steps => {
      const table = new DynamicTable(4096)
      // The plain way: newest first.
      let model: [name: string, value: string, faults: number][] = []
      let capacity = 4096
      const fit = (): void => {
        let size = 0
        model = model.filter(
          ([name, value]) => (size += name.length + value.length + ENTRY_OVERHEAD) <= capacity,
        )
        let kept = 0
        size = 0
        for (const [name, value] of model) {
          size += name.length + value.length + ENTRY_OVERHEAD
          if (size > capacity) break
          kept++
        }
        model.length = kept
      }
      for (const [number, { kind, length }] of steps.entries()) {
        if (kind === 'add') {
          table.add(`n${number}`, 'v'.repeat(length), number & 15)
          model.unshift([`n${number}`, 'v'.repeat(length), number & 15])
        } else table.resize((capacity = length))
        fit()
        assert.equal(table.count, model.length)
        let size = 0
        for (const [age, [name, value, faults]] of model.entries()) {
          const entry = table.inserted - 1 - age
          assert.deepEqual(
            [table.name(entry), table.value(entry), table.faults(entry)],
            [name, value, faults],
          )
          size += name.length + value.length + ENTRY_OVERHEAD
        }
        assert.equal(table.size, size)
      }
      table.clear()
      assert.deepEqual([table.count, table.size], [0, 0])
    }),
    { numRuns: 100 },
  )
})

test('one larger than the table empties it (RFC 7541 section 4.4)', () => {
  const table = new DynamicTable(100)
  table.add('a', 'b', 0)
  table.add('a', 'b'.repeat(68), 0)
  assert.deepEqual([table.count, table.size, table.inserted], [0, 0, 1])
  table.add('a', 'b'.repeat(67), 0)
  assert.deepEqual([table.count, table.size], [1, 100])
})

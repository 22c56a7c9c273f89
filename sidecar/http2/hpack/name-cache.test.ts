import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { NameCache } from './name-cache.ts'

test('a name is what its bytes say, however many others had its place', () => {
  const cache = new NameCache()
  const name = fc.oneof(
    fc.constantFrom('', ':path', 'te', 'x-a', 'x-b', 'n'.repeat(64), 'n'.repeat(65), '\xff\x00'),
    fc.integer({ min: 0, max: 5000 }).map(number => `x-${number}`),
  )
  fc.assert(
    fc.property(fc.array(name, { maxLength: 100 }), names => {
      for (const text of names) {
        const bytes = Buffer.from(`a${text}z`, 'latin1')
        const found = cache.find(bytes, 1, bytes.length - 1)
        bytes.fill(0xdb)
        assert.equal(found, text)
      }
    }),
    { numRuns: 200 },
  )
})

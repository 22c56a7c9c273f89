import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { OpenStreams } from './open-streams.ts'
import type { Stream } from './stream.ts'

/** What the table asks of a stream. */
const stream = (id: number) => ({ id }) as Stream

test('property: it holds what a Map would', () => {
  const steps = fc.array(
    fc.record({ gap: fc.nat({ max: 40 }), remove: fc.nat({ max: 3 }), which: fc.nat() }),
    {
      maxLength: 300,
    },
  )
  const property = fc.property(steps, list => {
    const open = new OpenStreams()
    const model = new Map<number, Stream>()
    let id = 1
    for (const { gap, remove, which } of list) {
      const one = stream((id += 2 * (gap + 1)))
      open.add(one)
      model.set(id, one)
      for (let i = 0; i < remove && model.size > 0; i++) {
        const gone = [...model.values()][(which + i) % model.size] as Stream // within its size
        model.delete(gone.id)
        open.remove(gone)
        open.remove(gone)
      }
      assert.equal(open.size, model.size)
      for (const [key, value] of model) assert.equal(open.get(key), value)
      assert.equal(open.get(id + 2), undefined)
      assert.equal(open.list().length, model.size)
    }
  })
  fc.assert(property, { numRuns: 100 })
})

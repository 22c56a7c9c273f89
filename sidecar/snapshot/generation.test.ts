import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Generation } from './generation.ts'
import { Holder } from './holder.ts'
import type { Snapshot } from './snapshot.ts'

function snapshot(hash: string): Snapshot {
  return { hash, entries: new Map(), upstreams: new Map(), routes: new Map(), logPolicy: () => 'all' }
}

test('a generation lives as long as it serves or a request reads it, and is released once', () => {
  const released: string[] = []
  const make = (hash: string): Generation => new Generation(snapshot(hash), () => released.push(hash))
  const holder = new Holder(make('a'))
  const first = holder.take('web')
  assert.equal(first.snapshot.hash, 'a')
  holder.swap(make('b'))
  const second = holder.take('web')
  assert.equal(second.snapshot.hash, 'b')
  assert.deepEqual(released, [])
  first.give()
  assert.deepEqual(released, ['a'])
  assert.ok(first.ended)
  second.give()
  assert.deepEqual(released, ['a'])
  assert.ok(!second.ended)
  holder.swap(make('c'))
  assert.deepEqual(released, ['a', 'b'])
  assert.equal(holder.swaps, 2)
})

test('an address that drains is served by the last generation that had it, until it has drained or serves again', () => {
  const released: string[] = []
  const make = (hash: string): Generation => new Generation(snapshot(hash), () => released.push(hash))
  const old = make('old')
  const holder = new Holder(old)
  holder.swap(make('new'))
  assert.deepEqual(released, ['old'])

  const kept = make('kept')
  holder.swap(kept)
  holder.retire('gone', kept)
  holder.swap(make('next'))
  assert.equal(holder.take('gone'), kept)
  assert.equal(holder.take('web').snapshot.hash, 'next')
  holder.restore('gone')
  assert.equal(holder.take('gone').snapshot.hash, 'next')
  assert.deepEqual(released, ['old', 'new'])
  kept.give()
  assert.deepEqual(released, ['old', 'new', 'kept'])
  holder.restore('gone')
})

test('one that is given back more often than it was taken is a bug that shows', () => {
  const generation = new Generation(snapshot('a'), () => {})
  generation.give()
  assert.throws(() => generation.give(), /given back twice/)
})

test('whatever the order of requests and swaps, every generation but the serving one is released exactly once', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.constant('take'), fc.constant('swap'), fc.nat(50)), { maxLength: 200 }),
      steps => {
        const released = new Map<string, number>()
        let number = 0
        const make = (): Generation => {
          const hash = String(number++)
          return new Generation(snapshot(hash), () => released.set(hash, (released.get(hash) ?? 0) + 1))
        }
        const holder = new Holder(make())
        const taken: Generation[] = []
        for (const step of steps) {
          if (step === 'take') taken.push(holder.take('web'))
          else if (step === 'swap') holder.swap(make())
          else if (typeof step === 'number' && taken.length > 0)
            taken.splice(step % taken.length, 1)[0]?.give()
          for (const one of taken) assert.ok(!one.ended)
          assert.ok(!holder.current.ended)
        }
        for (const one of taken) one.give()
        assert.equal(released.size, number - 1)
        for (const count of released.values()) assert.equal(count, 1)
        assert.ok(!released.has(holder.current.snapshot.hash))
      },
    ),
    { numRuns: 200 },
  )
})

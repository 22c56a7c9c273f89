import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Registry } from './registry.ts'
import type { IdentityKey, Lease } from './registry.ts'

interface Thing {
  readonly name: string
}

/** A registry, and what it opened and closed, in order. */
function setUp(): { registry: Registry; events: string[]; acquire: (key: IdentityKey) => Lease<Thing> } {
  const registry = new Registry()
  const events: string[] = []
  let opened = 0
  const acquire = (key: IdentityKey): Lease<Thing> =>
    registry.acquire(
      key,
      () => {
        const name = `thing ${++opened}`
        events.push(`open ${name}`)
        return { name }
      },
      thing => events.push(`close ${thing.name}`),
    )
  return { registry, events, acquire }
}

test('opened by the first lease, shared, closed with the last', () => {
  const { registry, events, acquire } = setUp()
  const first = acquire(['pool', 'a', 80])
  const second = acquire(['pool', 'a', 80])
  assert.equal(first.value, second.value)
  assert.equal(registry.size, 1)
  assert.deepEqual(registry.keys(), ['["pool","a",80]'])
  first.release()
  assert.deepEqual(events, ['open thing 1'])
  second.release()
  assert.deepEqual(events, ['open thing 1', 'close thing 1'])
  assert.equal(registry.size, 0)
  acquire(['pool', 'a', 80]).release()
  assert.equal(events.at(-1), 'close thing 2')
})

test('a second release throws and takes nothing from the others', () => {
  const { registry, events, acquire } = setUp()
  const first = acquire(['pool'])
  const second = acquire(['pool'])
  first.release()
  assert.throws(() => first.release(), /lease released twice: \["pool"\]/)
  assert.equal(registry.size, 1)
  second.release()
  assert.deepEqual(events, ['open thing 1', 'close thing 1'])
})

test('what could not be opened is not there', () => {
  const registry = new Registry()
  const open = (): never => {
    throw new Error('no')
  }
  assert.throws(() => registry.acquire(['a'], open, () => undefined), /no/)
  assert.equal(registry.size, 0)
})

test('what cannot be closed is gone all the same', () => {
  const registry = new Registry()
  const lease = registry.acquire(
    ['a'],
    () => 1,
    () => {
      throw new Error('stuck')
    },
  )
  assert.throws(() => lease.release(), /stuck/)
  assert.equal(registry.size, 0)
})

test('while a thing is closed, the same key opens another', () => {
  const registry = new Registry()
  let inner: Lease<number> | null = null
  const outer = registry.acquire(
    ['a'],
    () => 1,
    () => {
      inner = registry.acquire(
        ['a'],
        () => 2,
        () => undefined,
      )
    },
  )
  outer.release()
  assert.equal((inner as Lease<number> | null)?.value, 2) // set inside the callback
  assert.equal(registry.size, 1)
})

test('different keys never share', () => {
  const part = fc.oneof(
    fc.constantFrom('a', 'b', 'null', '1', 'Infinity', '","', '\ud800', '\udfff', 'NaN'),
    fc.constantFrom(0, 1, -1, 1.5, Infinity, -Infinity, NaN),
    fc.boolean(),
    fc.constant(null),
  )
  const key = fc.array(part, { maxLength: 3 })
  fc.assert(
    fc.property(key, key, (one, other) => {
      const { acquire } = setUp()
      const isSame = one.length === other.length && one.every((value, i) => Object.is(value, other[i]))
      assert.equal(acquire(one).value === acquire(other).value, isSame)
    }),
    { numRuns: 2000 },
  )
})

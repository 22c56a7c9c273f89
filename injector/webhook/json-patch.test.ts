import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { jsonPatch } from '../../test/harness/fake-kubernetes-store.ts'
import { patchOf } from './json-patch.ts'

test('nothing where nothing differs, and members that are undefined are not there', () => {
  assert.deepEqual(patchOf({ a: [1, { b: null }] }, { a: [1, { b: null }] }), [])
  assert.deepEqual(patchOf({ a: 1 }, { a: 1, b: undefined }), [])
  assert.deepEqual(patchOf({ a: 1, b: 2 }, { a: 1, b: undefined }), [{ op: 'remove', path: '/b' }])
})

test('what is put in front of a list leaves the others where they are', () => {
  const before = { containers: [{ name: 'a', env: [{ name: 'X' }], deep: { kept: true } }, { name: 'b' }] }
  const after = {
    containers: [
      { name: 'outrigger' },
      { name: 'a', env: [{ name: 'X' }, { name: 'Y' }], deep: { kept: true } },
      { name: 'b' },
    ],
  }
  assert.deepEqual(patchOf(before, after), [
    { op: 'add', path: '/containers/0', value: { name: 'outrigger' } },
    { op: 'add', path: '/containers/1/env/1', value: { name: 'Y' } },
  ])
})

test('a port that loses its name is a port that changed', () => {
  const before = { ports: [{ name: 'http', containerPort: 80 }, { containerPort: 81 }] }
  const after = { ports: [{ containerPort: 80 }, { containerPort: 81 }] }
  assert.deepEqual(patchOf(before, after), [{ op: 'remove', path: '/ports/0/name' }])
})

test('keys with the characters of a pointer, and keys that objects have by birth', () => {
  const before = JSON.parse('{"a/b":{"~1":1},"__proto__":{"x":1},"constructor":2,"":3}')
  const after = JSON.parse('{"a/b":{"~1":2},"__proto__":{"x":2},"constructor":4,"":5,"toString":6}')
  assert.deepEqual(patchOf(before, after), [
    { op: 'replace', path: '/a~1b/~01', value: 2 },
    { op: 'replace', path: '/__proto__/x', value: 2 },
    { op: 'replace', path: '/constructor', value: 4 },
    { op: 'replace', path: '/', value: 5 },
    { op: 'add', path: '/toString', value: 6 },
  ])
  assert.equal(({} as Record<string, unknown>)['x'], undefined)
})

test('applied to what was, a patch gives what is to be', () => {
  const key = fc.constantFrom('name', 'a', 'a/b', '~', '~1', '', '0', 'x')
  const { value } = fc.letrec(tie => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom<unknown>(null, true, 0, 1, '', 'a', 'b'),
      fc.array(tie('value'), { maxLength: 5 }),
      fc.dictionary(key, tie('value'), { maxKeys: 5, noNullPrototype: true }),
    ),
  }))
  fc.assert(
    fc.property(value, value, (before, after) => {
      const text = JSON.stringify(before)
      assert.deepEqual(jsonPatch(before, patchOf(before, after)), after)
      assert.equal(JSON.stringify(before), text)
    }),
    { numRuns: 1000 },
  )
})

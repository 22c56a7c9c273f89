import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { returnPath } from './navigation.ts'

test('the way back is a path of this origin, or its root', () => {
  for (const good of ['/', '/a', '/a/b?x=1&y=%20#', '/%5Cevil', '/a//b', '/@evil', '/.evil'])
    assert.equal(returnPath(good), good)
  for (const bad of [
    ...[
      '',
      'a',
      '//evil.example',
      '/\\evil.example',
      '///x',
      '/\\/x',
      'https://evil.example',
      'javascript:alert(1)',
    ],
    ...['/a\\b', '/a b', '/a\r\nset-cookie: x=y', '/\t/evil', '/ü', '/\u0000', `/${'x'.repeat(2_048)}`],
  ])
    assert.equal(returnPath(bad), '/', JSON.stringify(bad))
  fc.assert(
    fc.property(fc.string(), text => {
      assert.equal(new URL(returnPath(`/${text}`), 'https://shop.example').origin, 'https://shop.example')
    }),
    { numRuns: 1_000 },
  )
})

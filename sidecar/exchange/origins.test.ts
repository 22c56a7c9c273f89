import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileOrigins } from './origins.ts'

test('exact origins, a star for labels, a lone star for all', () => {
  const allows = compileOrigins(['https://shop.example', 'https://*.shop.example:8443'])
  for (const origin of [
    'https://shop.example',
    'https://a.shop.example:8443',
    'https://a.b.shop.example:8443',
  ])
    assert.equal(allows(origin), true, origin)
  for (const origin of [
    'http://shop.example',
    'https://shop.example:8443',
    'https://a.shop.example',
    'https://evil.example/.shop.example:8443',
    'https://user@a.shop.example:8443',
    'https://a..shop.example:8443',
    'https://.shop.example:8443',
    '',
    'null',
  ])
    assert.equal(allows(origin), false, origin)
  assert.equal(compileOrigins(['*'])('null'), true)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { addressText, isLoopback, parseAddress } from './address-text.ts'
import { canonicalJson, contentHash } from './hash.ts'
import { parsePath } from './match-text.ts'
import { parseDuration, parseSize, sizeText } from './quantities.ts'
import { nearest } from './suggestion.ts'
import { parseTemplate } from './template.ts'
import { Wrong } from './scalars.ts'

test('durations and sizes', () => {
  for (const [written, ms] of [
    ['250ms', 250],
    ['5s', 5000],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['7d', 604_800_000],
  ] as const)
    assert.equal(parseDuration(written, ''), ms)
  for (const wrong of ['', '5', 5, '5 s', '1.5s', '-1s', '5S', '0s', '5w', true, null, '9999999d', '5s '])
    assert.ok(parseDuration(wrong, '') instanceof Wrong, String(wrong))
  for (const [written, bytes] of [
    ['512B', 512],
    ['64KiB', 65_536],
    ['1MiB', 1_048_576],
    ['1GiB', 1_073_741_824],
  ] as const) {
    assert.equal(parseSize(written, ''), bytes)
    assert.equal(sizeText(bytes), written)
  }
  for (const wrong of ['1KB', '1kib', 1, '1', '1.5MiB', '-1B', ''])
    assert.ok(parseSize(wrong, '') instanceof Wrong)
})

test('addresses are read and written back', () => {
  for (const text of ['127.0.0.1:80', ':80', '[::]:8080', '[::1]:1', 'unix:/run/a.sock', '0.0.0.0:0']) {
    const address = parseAddress(text, 'listen')
    assert.ok(typeof address !== 'string', text)
    assert.equal(addressText(address), text)
  }
  assert.deepEqual(parseAddress('Users-1.shop:8080', 'connect'), {
    kind: 'tcp',
    host: 'users-1.shop',
    port: 8080,
  })
  for (const text of [
    'a',
    'a:',
    'a:99999',
    '::1',
    '[::1',
    '[x]:1',
    'a b:1',
    '999.1.1.1:1',
    ':1',
    'unix:',
    'http://a:1',
    'a:0',
  ])
    assert.equal(typeof parseAddress(text, 'connect'), 'string', text)
  assert.equal(typeof parseAddress('users:80', 'listen'), 'string')
  assert.ok(isLoopback({ kind: 'tcp', host: '127.8.0.1', port: 1 }))
  assert.ok(!isLoopback({ kind: 'tcp', host: '', port: 1 }))
})

test('any text is an address or a sentence', () => {
  fc.assert(
    fc.property(fc.string(), text => {
      const address = parseAddress(text, 'connect')
      return typeof address === 'string' ? address.length > 0 : address.kind === 'unix' || address.port > 0
    }),
  )
})

test('templates', () => {
  assert.deepEqual(parseTemplate("/a/{id}/{'{'}x{'}'}{ request.host }"), [
    { text: '/a/' },
    { expression: 'id' },
    { text: '/{x}' },
    { expression: 'request.host' },
  ])
  for (const wrong of ['{', '}', '{}', '{ }', 'a{b', "{'{'"])
    assert.equal(typeof parseTemplate(wrong), 'string', wrong)
})

test('paths are canonical, and say one thing in one way', () => {
  const read = (path: string) => parsePath(path, path)
  assert.deepEqual(read('/'), { kind: 'prefix', path: '' })
  assert.deepEqual(read('/**'), { kind: 'prefix', path: '' })
  assert.deepEqual(read('/api/'), read('/api'))
  assert.deepEqual(read('/%7euser'), { kind: 'prefix', path: '/~user' })
  assert.deepEqual(read('/a%2fb'), { kind: 'prefix', path: '/a%2Fb' })
  assert.deepEqual(read('/users/{id}/'), { kind: 'template', path: '/users/{id}', below: false })
  assert.deepEqual(read('/users/{id}/**'), { kind: 'template', path: '/users/{id}', below: true })
})

test('the nearest name is near', () => {
  const names = ['upstream', 'upstreams', 'timeout', 'url']
  assert.equal(nearest('upstrem', names), 'upstream')
  assert.equal(nearest('tiemout', names), 'timeout')
  assert.equal(nearest('ulr', names), 'url')
  assert.equal(nearest('redirect', names), undefined)
  assert.equal(nearest('retries', ['retry', ...names]), 'retry')
  assert.equal(nearest('timeoutMillis', names), 'timeout')
  assert.equal(nearest('authn', ['authenticate', 'authorize']), undefined)
})

test('equal values have equal hashes, whatever the order of their keys', () => {
  assert.equal(contentHash({ a: 1, b: [{ c: 2, d: undefined }] }), contentHash({ b: [{ c: 2 }], a: 1 }))
  assert.notEqual(contentHash([1, 2]), contentHash([2, 1]))
  fc.assert(
    fc.property(
      fc.jsonValue(),
      value => canonicalJson(JSON.parse(canonicalJson(value))) === canonicalJson(value),
    ),
  )
})

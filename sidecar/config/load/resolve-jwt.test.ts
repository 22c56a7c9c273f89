import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProviderFile } from './provider-fixture.ts'

const jwks = new ProviderFile('jwks', 'jwks.json')

const KEY = { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA', kid: 'one' }

test('a key set in a file is part of the configuration: it is watched, and a change of it is a change of the routes', () => {
  const first = jwks.load(JSON.stringify({ keys: [KEY] }))
  const second = jwks.load(JSON.stringify({ keys: [{ ...KEY, kid: 'two' }] }))
  assert.ok(first.ok && second.ok)
  assert.ok(first.config.files.includes(jwks.path))
  const route = (loaded: typeof first) => loaded.config.listeners[0]?.routes[0]?.hash
  assert.notEqual(route(first), route(second))
  const keys = first.config.identity.providers.jwt['main']?.keys
  assert.deepEqual(keys, { kind: 'set', keys: [KEY] })
})

test('a set without a key loads, with a warning: every token is refused', () => {
  const loaded = jwks.load('{ "keys": [] }')
  assert.ok(loaded.ok)
  assert.match(loaded.warnings.join(), /jwks.json holds no key/)
})

test('what is no set of public keys is an error that says why', () => {
  for (const [text, why] of [
    ['x', /is no JSON/],
    ['[]', /is no key set/],
    ['{"keys":{}}', /is no key set/],
    ['{"keys":["x"]}', /something that is no key/],
    [JSON.stringify({ keys: [{ ...KEY, d: 'AA' }] }), /secret or private key/],
    [JSON.stringify({ keys: [{ kty: 'oct', k: 'AA' }] }), /secret or private key/],
    [JSON.stringify({ keys: Array.from({ length: 101 }, () => KEY) }), /more than 100 keys/],
    [JSON.stringify({ keys: [], x: 'x'.repeat(256 * 1024) }), /larger than 256 KiB/],
  ] as const) {
    const loaded = jwks.load(text)
    assert.ok(!loaded.ok)
    assert.match(loaded.errors.map(error => error.message).join(), why)
  }
  const missing = jwks.load(null)
  assert.ok(!missing.ok)
  assert.equal(missing.errors[0]?.path, 'authentication.jwt.main.jwks.file')
})

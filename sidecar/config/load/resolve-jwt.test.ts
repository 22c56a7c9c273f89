import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { loadConfig } from './load.ts'

const folder = mkdtempSync(join(tmpdir(), 'outrigger-jwks-'))
after(() => rmSync(folder, { recursive: true }))
const file = join(folder, 'edge.yaml')
const jwks = join(folder, 'jwks.json')
writeFileSync(
  file,
  `version: 1
service: shop
listeners:
  - { name: web, role: edge, address: ":8080", authenticate: { jwt: main }, respond: {} }
authentication:
  jwt: { main: { issuer: https://id.shop.example, audiences: shop, jwks: { file: ./jwks.json } } }
`,
)

function load(text: string) {
  writeFileSync(jwks, text, { mode: 0o600 })
  return loadConfig([file], { secrets: true, cwd: folder })
}

const KEY = { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA', kid: 'one' }

test('a key set in a file is part of the configuration: it is watched, and a change of it is a change of the routes', () => {
  const first = load(JSON.stringify({ keys: [KEY] }))
  const second = load(JSON.stringify({ keys: [{ ...KEY, kid: 'two' }] }))
  assert.ok(first.ok && second.ok)
  assert.ok(first.config.files.includes(jwks))
  const route = (loaded: typeof first) => loaded.config.listeners[0]?.routes[0]?.hash
  assert.notEqual(route(first), route(second))
  const keys = first.config.identity.providers.jwt['main']?.keys
  assert.deepEqual(keys, { kind: 'set', keys: [KEY] })
})

test('a set without a key loads, with a warning: every token is refused', () => {
  const loaded = load('{ "keys": [] }')
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
    const loaded = load(text)
    assert.ok(!loaded.ok)
    assert.match(loaded.errors.map(error => error.message).join(), why)
  }
  rmSync(jwks)
  const missing = loadConfig([file], { secrets: true, cwd: folder })
  assert.ok(!missing.ok)
  assert.equal(missing.errors[0]?.path, 'authentication.jwt.main.jwks.file')
})

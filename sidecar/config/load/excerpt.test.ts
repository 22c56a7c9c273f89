import assert from 'node:assert/strict'
import { test } from 'node:test'
import { excerptOf, hideSecrets } from './excerpt.ts'

test('what stands under the name of a secret is hidden, with its length', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['admin: { token: abc, address: x }', 'admin: { token: ***, address: x }'],
    ['  clientSecret: "a b\\"c" # why', '  clientSecret: "******" # why'],
    ["  'x-api-key': 'abc'", "  'x-api-key': '***'"],
    ['{"secret":"abc","a":"b"}', '{"secret":"***","a":"b"}'],
    ['set: { authorization: "Basic abc", x: y }', 'set: { authorization: "*********", x: y }'],
    ['set: { cookie: "a=b", x: y }', 'set: { cookie: "***", x: y }'],
    ['secret: "not closed, at all', 'secret: "******************'],
    ['secretx: abc', 'secretx: ***'],
    ['apiKeys: [{ sha256: abc }]', 'apiKeys: [{ sha256: *** }]'],
    ['redis: "redis://u:abc@host:1"', 'redis: "redis://u:***@host:1"'],
    ['redis: "redis://${env:U}:a:c@host:1"', 'redis: "redis://${env:U}:***@host:1"'],
    ['url: http://abc@host', 'url: http://***@host'],
  ]
  for (const [written, shown] of cases) assert.equal(hideSecrets(written), shown)
})

test('names, words, references and maps stay', () => {
  const lines = [
    'cors: { origins: "https://shop.example", credentials: on }',
    'affinity: { cookie: og }',
    'token: ${env:TOKEN}',
    'authorization: "Bearer ${file:/run/secrets/x}"',
    'redis: "redis://u:${env:PASSWORD}@host:1"',
    'redis: redis://${env:USER}@host:1',
    `apiKeys: [{ sha256: ${'0a'.repeat(32)} }]`,
    'anyOf: [apiKey: clients, jwt: main]',
    'claimHeaders: { authorization: sub }',
    'api: { tokenFile: /run/token }',
    'apiKey: { clients: { header: x-api-key } }',
    'match: { path: /token }',
    'to: "https://{x}.shop.example/@{y}"',
    'password:',
  ]
  for (const line of lines) assert.equal(hideSecrets(line), line)
})

test('a long line is cut, and what the cut goes through is hidden too', () => {
  const line = `secret: "${'a'.repeat(200)}"`
  assert.equal(excerptOf(line), `secret: "${'*'.repeat(151)}...`)
  const many = `${'{"a":"'.repeat(40_000)}${'://a:'.repeat(1_000)}@`
  const start = performance.now()
  hideSecrets(many)
  assert.ok(performance.now() - start < 1_000)
})

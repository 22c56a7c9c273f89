import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProviderFile } from './provider-fixture.ts'

const list = new ProviderFile('revoked', 'revoked.txt')

test('tokens and callers, a line each; the list is watched, and what is kept of tokens stays', () => {
  const first = list.load(
    '# who left\r\n\r\njti 3f 0c\n  sub alice before 2026-11-24T12:00:00Z\nsub  bob before\nsub carl \n',
  )
  const second = list.load('# nobody\n')
  assert.ok(first.ok && second.ok)
  assert.ok(first.config.files.includes(list.path))
  const [one, two] = [first, second].map(loaded => loaded.config.identity.providers.jwt['main'])
  assert.deepEqual(one?.revoked?.tokens, ['3f 0c'])
  assert.deepEqual(one.revoked.subjects, [
    ['alice', Date.parse('2026-11-24T12:00:00Z')],
    ['bob before', null],
    ['carl', null],
  ])
  assert.deepEqual([two?.revoked?.tokens, two?.revoked?.subjects], [[], []])
  assert.equal(one.digest, two?.digest)
  const hashes = [first, second].map(loaded => loaded.config.listeners[0]?.routes[0]?.hash)
  assert.notEqual(hashes[0], hashes[1])
})

test('what is not understood is an error with its line, and nothing of it is shown', () => {
  for (const [text, why] of [
    ['jti a\neyJhbGciOiJIUzI1NiJ9.e30.x', /line 2 of the file .\/revoked.txt is not understood/],
    ['sub alice before yesterday', /line 1/],
    ['jti', /line 1/],
    ['', /is empty/],
    [Array.from({ length: 10_001 }, (_, index) => `jti ${index}`).join('\n'), /more than 10000 entries/],
  ] as const) {
    const loaded = list.load(text)
    assert.ok(!loaded.ok)
    const said = loaded.errors.map(error => error.message).join()
    assert.match(said, why)
    assert.doesNotMatch(said, /eyJ|yesterday/)
  }
})

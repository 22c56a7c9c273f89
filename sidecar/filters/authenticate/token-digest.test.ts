import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import type { Peer } from '../../exchange/exchange.ts'
import { tokenDigest } from './token-digest.ts'

function peer(): Peer {
  return {
    address: '192.0.2.1',
    port: 1,
    local: { address: '192.0.2.2', port: 2 },
    encrypted: false,
    serverName: '',
    identity: null,
  }
}

test('the digest of a token, whatever its connection brought before', () => {
  const one = peer()
  for (const token of ['a', 'a', 'b', 'a', '', 'x'.repeat(5000), 'x'.repeat(5000), '\xe9\xff', '\xe9\xff'])
    assert.equal(tokenDigest(one, token), hash('sha256', token, 'base64url'), token)
})

test('a connection remembers its own token, and none that is long', () => {
  const [one, other] = [peer(), peer()]
  tokenDigest(one, 'token')
  assert.deepEqual(one.token, { text: 'token', digest: hash('sha256', 'token', 'base64url') })
  assert.equal(other.token, undefined)
  tokenDigest(other, 'x'.repeat(5000))
  assert.equal(other.token, undefined)
})

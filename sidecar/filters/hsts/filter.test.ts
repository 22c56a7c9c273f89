import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeFixture } from '../../exchange/exchange-fixture.ts'
import { hstsFilter } from './filter.ts'

const peer = {
  address: '192.0.2.1',
  port: 1,
  serverName: '',
  identity: null,
  local: { address: '', port: 0 },
}

test("the field is set over TLS, instead of the upstream's, and never on a plain connection", () => {
  const filter = hstsFilter('max-age=60')
  const secure = ['strict-transport-security', 'max-age=1']
  filter.onResponse?.(exchangeFixture({ peer: { ...peer, encrypted: true } }), secure)
  assert.deepEqual(secure, ['strict-transport-security', 'max-age=60'])
  const plain = ['content-type', 'text/plain']
  filter.onResponse?.(exchangeFixture({ peer: { ...peer, encrypted: false } }), plain)
  assert.deepEqual(plain, ['content-type', 'text/plain'])
})

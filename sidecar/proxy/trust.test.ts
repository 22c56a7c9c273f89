import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clientAddress, compileTrust } from './trust.ts'

test('the client is the first from the right who is not trusted', () => {
  const peer = '192.0.2.9'
  const trusted = [peer, '10.0.0.0/8', 'fd00::/8']
  const client = (forwardedFor: string, ranges: string[] = trusted, from = peer) =>
    clientAddress({ address: from, identity: null }, forwardedFor, compileTrust(ranges))
  assert.equal(client('1.2.3.4', []), peer)
  assert.equal(client('1.2.3.4', ['10.0.0.0/8']), peer)
  assert.equal(client(''), peer)
  assert.equal(client('1.2.3.4'), '1.2.3.4')
  assert.equal(client('6.6.6.6, 1.2.3.4, 10.1.1.1'), '1.2.3.4')
  assert.equal(client('10.2.2.2,10.1.1.1'), '10.2.2.2')
  assert.equal(client('6.6.6.6, junk, 10.1.1.1'), '10.1.1.1')
  assert.equal(client('6.6.6.6, '), peer)
  assert.equal(client(',6.6.6.6'), '6.6.6.6')
  assert.equal(client('unknown'), peer)
  assert.equal(client('1.2.3.4:5678'), '1.2.3.4')
  assert.equal(client('[2001:db8::1]:80, fd00::1'), '2001:db8::1')
  assert.equal(client('2001:db8::1'), '2001:db8::1')
  assert.equal(client('1.2.3.4, ::ffff:10.0.0.1'), '1.2.3.4')
  assert.equal(client('fe80::1%eth0'), peer)
  assert.equal(client('1.2.3.4', trusted, '::ffff:10.9.9.9'), '1.2.3.4')
  assert.equal(client('1.2.3.4', trusted, ''), '')
})

test('trust is of ranges of both families, asked again and again', () => {
  const trust = compileTrust(['10.0.0.0/8', '192.0.2.1', '2001:db8::/32'])
  for (let again = 0; again < 2; again++) {
    for (const address of ['10.255.0.1', '::ffff:10.0.0.1', '192.0.2.1', '2001:db8:1::1'])
      assert.equal(trust.has(address), true, address)
    for (const address of ['11.0.0.1', '192.0.2.2', '2001:db9::1', '::a00:1', '', 'localhost', '10.1'])
      assert.equal(trust.has(address), false, address)
  }
  for (const range of ['10.0.0.0/33', 'proxy.example', '10.0.0.0/x', ''])
    assert.throws(() => compileTrust([range]), range)
  assert.equal(compileTrust([]).empty, true)
})

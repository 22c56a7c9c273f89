import assert from 'node:assert/strict'
import type { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { identityOf, isOneOf } from './peer-identity.ts'

/** What `identityOf` reads of a certificate, without a certificate. */
function saying(subjectAltName: string): X509Certificate {
  const read = {
    subjectAltName,
    subject: 'CN=victim.example\nO=x',
    fingerprint256: 'AB:CD',
    validToDate: new Date(7),
  }
  // Node makes certificates of DER only; the names are all that is read here.
  return read as unknown as X509Certificate
}

test('one SPIFFE ID and DNS names are read; the common name is no name', () => {
  const identity = identityOf(saying('DNS:Orders.Example, URI:spiffe://shop/orders, IP Address:10.0.0.1'))
  assert.deepEqual(identity, {
    spiffe: 'spiffe://shop/orders',
    dns: ['orders.example'],
    subject: 'CN=victim.example,O=x',
    fingerprint: 'abcd',
    notAfter: 7,
  })
  assert.ok(identity !== null)
  assert.equal(isOneOf(identity, new Set(['victim.example'])), false)
  assert.equal(isOneOf(identity, new Set(['spiffe://shop/orders'])), true)
  assert.equal(isOneOf(identity, new Set(['orders.example'])), true)
  assert.equal(isOneOf(identity, new Set(['spiffe://shop/orders/', ''])), false)
})

test('two SPIFFE IDs, an odd one and text that reads in two ways are refused', () => {
  assert.equal(identityOf(saying('URI:spiffe://shop/a, URI:spiffe://shop/b')), null)
  for (const odd of [
    'spiffe://shop/a/../b',
    'spiffe://shop/a/',
    'spiffe://Shop/a',
    'spiffe://shop/a?x',
    'SPIFFE://shop/a',
  ])
    assert.equal(identityOf(saying(`URI:${odd}`)), null, odd)
  assert.equal(identityOf(saying('DNS:a"b')), null)
  assert.equal(identityOf(saying('something else')), null)
})

test('a DNS name that holds a comma stays one name', () => {
  const identity = identityOf(saying('DNS:"evil.example, DNS:victim.example", DNS:a.example'))
  assert.deepEqual(identity?.dns, ['evil.example, dns:victim.example', 'a.example'])
})

test('no names at all are an identity without names', () => {
  assert.deepEqual(identityOf(saying(''))?.dns, [])
})

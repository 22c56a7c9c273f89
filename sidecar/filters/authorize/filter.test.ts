import assert from 'node:assert/strict'
import { test } from 'node:test'
import { callerFixture, exchangeFixture } from '../../exchange/exchange-fixture.ts'
import type { Exchange } from '../../exchange/exchange.ts'
import { ProxyError } from '../../exchange/proxy-error.ts'
import { LiveFixture } from '../live-fixture.ts'
import { authorizeFilter } from './filter.ts'
import type { AuthorizeConditions } from './schema.ts'

const NOTHING: AuthorizeConditions = { peers: null, groups: null, scopes: null, when: null }

function peered(names: { readonly spiffe?: string; readonly dns?: readonly string[] }): Exchange {
  const identity = { spiffe: '', dns: [], subject: '', fingerprint: '', notAfter: 0, ...names }
  const local = { address: '', port: 0 }
  const peer = { address: '192.0.2.9', port: 1, local, encrypted: true, serverName: '', identity }
  return exchangeFixture({ peer })
}

function called(caller: Parameters<typeof callerFixture>[0]): Exchange {
  const exchange = exchangeFixture()
  exchange.caller = callerFixture(caller)
  return exchange
}

/** What a rule says to a request: the cause of the refusal, or that it goes on. */
function verdict(conditions: Partial<AuthorizeConditions>, exchange: Exchange): string {
  const policy = { enforced: { ...NOTHING, ...conditions }, reported: null, rule: 'route.orders' }
  const said = authorizeFilter.create(policy, { name: 'orders' }, new LiveFixture()).onRequest?.(exchange)
  if (said === undefined) return 'allowed'
  assert.ok(said instanceof ProxyError)
  assert.equal(said.reason, 'forbidden')
  assert.equal(said.detail, '')
  return said.cause
}

test('peers: one exact name of the certificate', () => {
  const peers = ['spiffe://shop/edge', 'web.shop.example']
  assert.equal(verdict({ peers }, peered({ spiffe: 'spiffe://shop/edge' })), 'allowed')
  assert.equal(verdict({ peers }, peered({ dns: ['x.example', 'web.shop.example'] })), 'allowed')
  for (const spiffe of ['spiffe://shop/edge/x', 'spiffe://shop/Edge', 'spiffe://shop/edg', ''])
    assert.equal(verdict({ peers }, peered({ spiffe })), 'authorize: peers', spiffe)
  for (const dns of ['a.web.shop.example', '*.shop.example'])
    assert.equal(verdict({ peers }, peered({ dns: [dns] })), 'authorize: peers', dns)
  assert.equal(verdict({ peers }, exchangeFixture()), 'authorize: peers', 'no certificate')
})

test('groups: one of them, whole', () => {
  const groups = ['support', 'admin']
  assert.equal(verdict({ groups }, called({ groups: ['x', 'admin'] })), 'allowed')
  for (const other of [['user'], ['user,admin'], ['Admin'], ['admin '], ['__proto__'], []])
    assert.equal(verdict({ groups }, called({ groups: other })), 'authorize: groups', String(other))
  assert.equal(verdict({ groups }, exchangeFixture()), 'authorize: groups', 'nobody is known')
})

test('scopes: all of them', () => {
  const scopes = ['orders:read', 'orders:write']
  assert.equal(verdict({ scopes }, called({ scopes: ['orders:write', 'x', 'orders:read'] })), 'allowed')
  for (const other of [['orders:read'], ['orders:read orders:write'], []])
    assert.equal(verdict({ scopes }, called({ scopes: other })), 'authorize: scopes', String(other))
  assert.equal(verdict({ scopes }, exchangeFixture()), 'authorize: scopes')
})

test('all that is given has to hold', () => {
  const exchange = peered({ spiffe: 'spiffe://shop/edge' })
  exchange.caller = callerFixture({ groups: ['support'], scopes: ['a'] })
  const all = { peers: ['spiffe://shop/edge'], groups: ['support'], scopes: ['a'] }
  assert.equal(verdict(all, exchange), 'allowed')
  assert.equal(verdict({ ...all, peers: ['spiffe://shop/web'] }, exchange), 'authorize: peers')
  assert.equal(verdict({ ...all, groups: ['admin'] }, exchange), 'authorize: groups')
  assert.equal(verdict({ ...all, scopes: ['a', 'b'] }, exchange), 'authorize: scopes')
})

test('what is empty refuses everybody', () => {
  const exchange = peered({ spiffe: 'spiffe://shop/edge' })
  exchange.caller = callerFixture({ groups: ['support'], scopes: ['a'] })
  assert.equal(verdict({}, exchange), 'authorize: empty')
  assert.equal(verdict({ peers: [] }, exchange), 'authorize: peers')
  assert.equal(verdict({ groups: [] }, exchange), 'authorize: groups')
  assert.equal(verdict({ scopes: [] }, exchange), 'authorize: scopes')
})

test('what only reports lets everybody pass and says so', () => {
  const live = new LiveFixture()
  const policy = {
    enforced: { ...NOTHING, groups: ['staff'] },
    reported: { ...NOTHING, scopes: ['later'] },
    rule: 'defaults + route.orders',
  }
  const filter = authorizeFilter.create(policy, { name: 'orders' }, live)
  assert.equal(filter.onRequest?.(called({ groups: ['staff'] })), undefined)
  assert.equal(filter.onRequest?.(called({ groups: ['staff'], scopes: ['later'] })), undefined)
  assert.ok(filter.onRequest?.(called({ scopes: ['later'] })) instanceof ProxyError)
  assert.deepEqual(live.warnings, ['authorize would refuse a request'])
  const counts = [...live.counted].map(([key, { value }]) => [/"decision":"(\w+)"/.exec(key)?.[1], value])
  assert.deepEqual(counts, [
    ['allow', 1],
    ['deny', 1],
    ['would_deny', 1],
  ])
})

test('allow and deny: the address of the client, IPv4 in IPv6 as IPv4', () => {
  const from = (address: string): Exchange => {
    const exchange = exchangeFixture()
    exchange.clientAddress = address
    return exchange
  }
  const allow = ['10.0.0.0/8', '192.0.2.7', 'fd00::/8']
  for (const address of ['10.255.0.1', '192.0.2.7', 'fd12::1', '::ffff:10.0.0.1'])
    assert.equal(verdict({ allow }, from(address)), 'allowed', address)
  for (const address of [
    '11.0.0.1',
    '192.0.2.8',
    'fe80::1',
    '::1',
    '::ffff:11.0.0.1',
    '',
    '10.0.0.1, 1.1.1.1',
    '010.0.0.1',
  ])
    assert.equal(verdict({ allow }, from(address)), 'authorize: allow', address)
  const deny = ['203.0.113.0/24', '2001:db8::/32']
  for (const address of ['203.0.114.1', '2001:db9::1'])
    assert.equal(verdict({ deny }, from(address)), 'allowed', address)
  for (const address of ['203.0.113.9', '::ffff:203.0.113.9', '2001:db8:1::1', ''])
    assert.equal(verdict({ deny }, from(address)), 'authorize: deny', address)
  assert.equal(verdict({ allow, deny: ['10.1.0.0/16'] }, from('10.1.2.3')), 'authorize: deny')
  assert.equal(verdict({ allow: [] }, from('10.1.2.3')), 'authorize: allow')
})

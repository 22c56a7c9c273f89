import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { cookieValue } from './cookies.ts'
import type { CanonicalRequest } from './canonical-request.ts'
import type { Exchange } from './exchange.ts'
import { callerFixture, exchangeFixture } from './exchange-fixture.ts'
import { hash32 } from './hash32.ts'
import { queryValue } from './query.ts'
import {
  addressKey,
  compileCountingKey,
  compileRequestHash,
  compileRequestKey,
  type KeySource,
} from './request-key.ts'

function request(headers: string[] = [], more: Partial<CanonicalRequest> = {}): Exchange {
  const exchange = exchangeFixture({ headers })
  exchange.request = {
    method: 'GET',
    scheme: 'http',
    host: 'a.example',
    port: 0,
    path: '/users/7',
    query: '',
    hasQuery: false,
    ...more,
  }
  exchange.clientAddress = '192.0.2.1'
  return exchange
}
const keyOf = (exchange: Exchange, ...sources: KeySource[]): string | null =>
  compileRequestKey(sources)(exchange)

test('IPv4 is its own key, IPv6 its /64, however it is written', () => {
  assert.equal(addressKey('192.0.2.1'), '192.0.2.1')
  assert.equal(addressKey('::ffff:192.0.2.1'), '192.0.2.1')
  assert.equal(addressKey(''), null)
  const same = ['2001:db8:0:7::1', '2001:0db8::7:1:2:3:4', '2001:DB8:0:7:ffff::', '2001:db8:0:7::192.0.2.1']
  for (const address of same) assert.equal(addressKey(address), '2001:db8:0:7::/64', address)
  assert.equal(addressKey('::1'), '0:0:0:0::/64')
  assert.equal(addressKey('::'), '0:0:0:0::/64')
  assert.equal(addressKey('fe80::1%eth0'), 'fe80:0:0:0::/64')
  assert.equal(addressKey('1:2:3:4:5:6:7:8'), '1:2:3:4::/64')
  assert.notEqual(addressKey('2001:db8:0:8::1'), addressKey('2001:db8:0:7::1'))
})

test('the first that the request has decides, and none is null', () => {
  const by: KeySource[] = [
    { kind: 'header', name: 'x-user' },
    { kind: 'cookie', name: 'id' },
  ]
  assert.equal(keyOf(request(['x-user', 'ann', 'cookie', 'id=bob']), ...by), 'ann')
  assert.equal(keyOf(request(['cookie', 'id=bob']), ...by), 'bob')
  assert.equal(keyOf(request(['x-user', '', 'cookie', 'id=bob']), ...by), 'bob')
  assert.equal(keyOf(request(), ...by), null)
  assert.equal(keyOf(request(), ...by, { kind: 'all' }), '')
})

test('two lines of a header are one value', () => {
  assert.equal(keyOf(request(['x-a', '1', 'x-b', '-', 'x-a', '2']), { kind: 'header', name: 'x-a' }), '1, 2')
})

test('a consumer is the caller, and the address while nobody is known', () => {
  const exchange = request()
  assert.equal(keyOf(exchange, { kind: 'consumer' }), '192.0.2.1')
  exchange.caller = callerFixture({ name: 'partner', groups: ['gold', 'all'] })
  assert.equal(keyOf(exchange, { kind: 'consumer' }), 'partner')
  assert.equal(keyOf(exchange, { kind: 'address' }), '192.0.2.1')
})

test('the group is the first of the caller, and a claim is text, a number or a boolean', () => {
  const exchange = request()
  assert.equal(keyOf(exchange, { kind: 'group' }), null)
  assert.equal(keyOf(exchange, { kind: 'claim', name: 'tenant' }), null)
  const claims = { tenant: 7, realm: { name: 'shop' }, 'a.b': 'dotted', list: ['x'], empty: '' }
  exchange.caller = callerFixture({ groups: ['gold', 'all'], claims })
  assert.equal(keyOf(exchange, { kind: 'group' }), 'gold')
  const claim = (name: string) => keyOf(exchange, { kind: 'claim', name })
  assert.deepEqual(['tenant', 'realm.name', 'a.b'].map(claim), ['7', 'shop', 'dotted'])
  assert.deepEqual(['list', 'empty', 'realm', 'realm.x', 'toString', 'realm.__proto__.x'].map(claim), [
    null,
    null,
    null,
    null,
    null,
    null,
  ])
})

test('path, parameter and query are read as they were routed', () => {
  const exchange = request([], { query: 'a=1&user=%C3%A9+x&user=2', hasQuery: true })
  exchange.params = { id: '7' }
  assert.equal(keyOf(exchange, { kind: 'path' }), '/users/7')
  assert.equal(keyOf(exchange, { kind: 'param', name: 'id' }), '7')
  assert.equal(keyOf(exchange, { kind: 'param', name: 'other' }), null)
  assert.equal(keyOf(exchange, { kind: 'query', name: 'user' }), 'é x')
  assert.equal(keyOf(exchange, { kind: 'query', name: 'b' }), null)
})

test('the first query parameter of a name, decoded on both sides', () => {
  assert.equal(queryValue('a%62=1&ab=2', 'ab'), '1')
  assert.equal(queryValue('ab', 'ab'), '')
  assert.equal(queryValue('ab=%zz', 'ab'), '%zz')
  assert.equal(queryValue('=1&&x', 'ab'), null)
  assert.equal(queryValue('x=ab=3', 'ab'), null)
})

test('the first cookie of a name decides, over all lines, and strictly', () => {
  const cookie = (...lines: string[]): string | null =>
    cookieValue(
      lines.flatMap(line => ['cookie', line]),
      'og',
    )
  assert.equal(cookie('og=1; og=2'), '1')
  assert.equal(cookie('a=1;og=2 ; b=3'), '2')
  assert.equal(cookie('a=1', 'b=2;\tog=3'), '3')
  assert.equal(cookie('og="q"'), 'q')
  assert.equal(cookie('og='), '')
  for (const absent of ['', 'OG=1', 'xog=1', 'og', 'og =1', 'a=og=1', ' ;;; '])
    assert.equal(cookie(absent), null, absent)
  // The first decides even where it is nothing: another reader must not see another one than we.
  for (const bad of ['og=a b; og=1', 'og="a; og=1', 'og=a,b', 'og=\\', 'og=\xe9', `og=${'x'.repeat(4097)}`])
    assert.equal(cookie(bad), null, bad)
  assert.equal(cookie(`og=${'x'.repeat(4096)}`)?.length, 4096)
})

test('no cookie line throws, and what is found is a cookie-value', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('o', 'g', '=', ';', '"', ' ', '\t', 'a', ',', '\xff') }),
      line => {
        const value = cookieValue(['cookie', line], 'og')
        if (value !== null) assert.match(value, /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/)
      },
    ),
    { numRuns: 500, seed: 1 },
  )
})

test('a hash is of the key, -1 without one, and nothing where nothing is hashed', () => {
  const hash = compileRequestHash([{ kind: 'header', name: 'x-user' }])
  assert.equal(hash?.(request(['x-user', 'ann'])), hash32('ann'))
  assert.equal(hash?.(request()), -1)
  assert.equal(compileRequestHash([]), null)
})

test('a counting key is there for every request, bounded, and no value can be another one', () => {
  const key = (
    sources: Parameters<typeof compileCountingKey>[0],
    headers: string[],
    name?: string,
  ): string => {
    const exchange = exchangeFixture({ headers })
    exchange.clientAddress = '192.0.2.9'
    if (name !== undefined) exchange.caller = callerFixture({ name })
    return compileCountingKey(sources)(exchange)
  }
  const tenant = { kind: 'header', name: 'x-tenant' } as const
  const shop = { kind: 'header', name: 'x-shop' } as const
  assert.notEqual(key([{ kind: 'consumer' }], [], '192.0.2.9'), key([{ kind: 'consumer' }], []))
  assert.notEqual(key([tenant], ['x-tenant', '@192.0.2.9']), key([tenant], []))
  assert.equal(key([tenant], ['x-tenant', '']), key([tenant], []))
  assert.notEqual(
    key([tenant, shop], ['x-tenant', 'a', 'x-shop', 'bc']),
    key([tenant, shop], ['x-tenant', 'ab', 'x-shop', 'c']),
  )
  assert.notEqual(key([tenant, shop], ['x-tenant', 'a']), key([tenant, shop], ['x-shop', 'a']))
  const long = 'x'.repeat(8000)
  assert.ok(key([tenant], ['x-tenant', long]).length <= 64)
  assert.notEqual(key([tenant], ['x-tenant', long]), key([tenant], ['x-tenant', `${long}y`]))
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), fc.string({ maxLength: 200 }), (one, two) => {
      assert.ok(
        one === two ||
          one === '' ||
          two === '' ||
          key([tenant], ['x-tenant', one]) !== key([tenant], ['x-tenant', two]),
      )
    }),
    { numRuns: 100, seed: 1 },
  )
})

test('the version that is asked for is a key, and a request without one has none', () => {
  const source = { kind: 'accept', name: 'vnd.shop' } as const
  assert.equal(keyOf(request(['accept', 'application/vnd.shop.v2+json']), source), 'v2')
  assert.equal(keyOf(request(['accept', '*/*']), source), null)
  const count = compileCountingKey([source])
  assert.equal(count(request(['accept', '*/*'])), count(request()))
  assert.notEqual(count(request(['accept', 'application/vnd.shop.v2+json'])), count(request()))
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Exchange } from '../exchange/exchange.ts'
import { exchangeFixture } from '../exchange/exchange-fixture.ts'
import { type HeaderList, headerValue, headerValues } from '../exchange/headers.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import { canonicalize } from '../routing/canonical-request.ts'
import type { Role } from '../snapshot/policies.ts'
import { RESERVED, RESERVED_PREFIXES } from '../exchange/reserved-names.ts'
import { HOP_BY_HOP } from './reserved-headers.ts'
import { compileTrust } from './trust.ts'
import { type HeaderPlan, prepareUpstreamHeaders, responseHeaders } from './upstream-headers.ts'

const PEER = '192.0.2.9'
const NOWHERE = { address: '', port: 0 }

function exchange(headers: HeaderList, host = 'shop.example:8443', address = PEER): Exchange {
  const made = exchangeFixture({
    headers,
    peer: { address, port: 1, local: NOWHERE, encrypted: true, serverName: '', identity: null },
  })
  const request = canonicalize('GET', '/x', host, true, 'HTTP/1.1')
  assert.ok(!(request instanceof ProxyError))
  made.request = request
  return made
}

const plan = (role: Role, trusted: string[] = []): HeaderPlan => ({
  role,
  trust: compileTrust(trusted),
  reserved: new Set(['x-tenant']),
  nextId: () => 'fresh',
})

function prepared(
  role: Role,
  headers: HeaderList,
  trusted: string[] = [],
  address = PEER,
): HeaderList | string {
  const one = exchange(headers, undefined, address)
  return prepareUpstreamHeaders(one, plan(role, trusted))?.reason ?? one.upstreamHeaders
}

/** What we add for an untrusted client on inbound and edge. */
const OURS = [
  ...['x-forwarded-for', PEER, 'x-forwarded-proto', 'https', 'x-forwarded-host', 'shop.example:8443'],
  ...['via', '1.1 outrigger', 'x-request-id', 'fresh'],
]

test('row 12: golden lists of what goes up', () => {
  const received = [
    ...['host', 'shop.example', 'accept', '*/*', 'connection', 'Keep-Alive, X-Debug , te', 'x-debug', '1'],
    ...[
      'keep-alive',
      'timeout=5',
      'te',
      'gzip, Trailers',
      'transfer-encoding',
      'chunked',
      'content-length',
      '4',
    ],
    ...[
      'upgrade',
      'h2c',
      'http2-settings',
      'AAA',
      'proxy-authorization',
      'Basic x',
      'proxy-connection',
      'close',
    ],
    ...[
      'expect',
      '100-continue',
      'cookie',
      'a=1',
      'cookie',
      'b=2',
      'authorization',
      'Bearer t',
      'trailer',
      'x-sum',
    ],
    ...[
      'x-forwarded-for',
      '198.51.100.1',
      'x-user-id',
      '1',
      'x-request-id',
      'theirs',
      'content-type',
      'text/plain',
    ],
  ]
  const kept = [
    ...['accept', '*/*', 'cookie', 'a=1', 'cookie', 'b=2', 'authorization', 'Bearer t', 'trailer', 'x-sum'],
    ...['content-type', 'text/plain', 'te', 'trailers'],
  ]
  assert.deepEqual(prepared('edge', received), [...kept, ...OURS])
  assert.deepEqual(prepared('inbound', received), [...kept, ...OURS])
  assert.deepEqual(prepared('outbound', received), [
    ...kept.slice(0, 10),
    ...['x-forwarded-for', '198.51.100.1', 'x-user-id', '1', 'content-type', 'text/plain', 'te', 'trailers'],
    ...['via', '1.1 outrigger', 'x-request-id', 'theirs'],
  ])
})

test('row 12: golden lists of what comes back', () => {
  assert.deepEqual(
    responseHeaders([
      ...[
        'server',
        'app',
        'connection',
        'close, X-Trace',
        'x-trace',
        '1',
        'keep-alive',
        'timeout=5',
        'date',
        'now',
      ],
      ...[
        'content-length',
        '5',
        'transfer-encoding',
        'chunked',
        'upgrade',
        'h2',
        'proxy-authenticate',
        'Basic',
      ],
      ...[
        'set-cookie',
        'a=1',
        'via',
        '1.1 inner',
        'set-cookie',
        'b=2, c',
        'trailer',
        'x',
        'www-authenticate',
        'Basic',
      ],
    ]),
    [
      ...['server', 'app', 'date', 'now', 'set-cookie', 'a=1', 'set-cookie', 'b=2, c', 'trailer', 'x'],
      ...['www-authenticate', 'Basic', 'via', '1.1 inner, 1.1 outrigger'],
    ],
  )
})

test('row 11: what connection nominates never takes away what we add', () => {
  const ours = [
    'x-forwarded-for',
    'x-forwarded-proto',
    'x-forwarded-host',
    'via',
    'x-request-id',
    'forwarded',
  ]
  const received = [
    'connection',
    ours.join(','),
    'connection',
    'X-Gone',
    'x-gone',
    '1',
    'x-kept',
    '1',
    'via',
    '1.1 a',
  ]
  assert.deepEqual(prepared('edge', received), ['x-kept', '1', ...OURS])
})

const names = fc
  .oneof(
    fc.constantFrom(...RESERVED),
    fc
      .tuple(fc.constantFrom(...RESERVED_PREFIXES), fc.stringMatching(/^[a-z0-9-]{0,8}$/))
      .map(parts => parts.join('')),
  )
  .filter(name => !HOP_BY_HOP.includes(name))

test('row 13: no reserved name passes from a client that is not trusted; all pass from one that is', () => {
  const rebuilt = new Set(['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'forwarded'])
  fc.assert(
    fc.property(
      names,
      fc.constantFrom<Role>('inbound', 'edge'),
      fc.constantFrom<string[]>([], ['10.0.0.0/8']),
      (name, role, trust) => {
        const stripped = prepared(role, ['accept', '*/*', name, 'evil'], trust)
        assert.deepEqual(stripped, ['accept', '*/*', ...OURS])
        const believed = prepared(role, [name, 'told'], ['192.0.2.0/24'])
        assert.ok(
          rebuilt.has(name) || (typeof believed !== 'string' && headerValue(believed, name) === 'told'),
        )
        const outbound = prepared('outbound', [name, 'told'])
        assert.ok(typeof outbound !== 'string' && headerValue(outbound, name) === 'told')
      },
    ),
    { numRuns: 400 },
  )
})

test('row 14: an underscore is refused at the edge, deleted inbound, kept outbound', () => {
  for (const name of ['x_user_id', 'x-user_id', 'x_forwarded-for', '_', 'content_length']) {
    assert.equal(prepared('edge', [name, '1']), 'bad_request', name)
    assert.deepEqual(
      prepared('inbound', [name, '1'], ['192.0.2.0/24']),
      prepared('inbound', [], ['192.0.2.0/24']),
    )
    const outbound = prepared('outbound', [name, '1'])
    assert.ok(typeof outbound !== 'string' && headerValue(outbound, name) === '1')
  }
})

test('row 15: forwarded fields from untrusted and trusted peers', () => {
  const received = [
    ...['x-forwarded-for', '198.51.100.7', 'x-forwarded-for', '203.0.113.1', 'x-forwarded-proto', 'http'],
    ...['x-forwarded-host', 'outer.example', 'x-forwarded-prefix', '/p', 'x-forwarded-port', '81'],
    ...['forwarded', 'for=198.51.100.7', 'x-original-url', '/admin', 'x-request-id', 'outer-1'],
  ]
  assert.deepEqual(prepared('edge', received), OURS)
  assert.deepEqual(prepared('edge', received, [PEER]), [
    ...['x-forwarded-prefix', '/p', 'x-forwarded-port', '81', 'x-original-url', '/admin'],
    ...['x-forwarded-for', `198.51.100.7, 203.0.113.1, ${PEER}`, 'x-forwarded-proto', 'http'],
    ...['x-forwarded-host', 'outer.example'],
    ...['forwarded', `for=198.51.100.7, for=${PEER};proto=https;host="shop.example:8443"`],
    ...['via', '1.1 outrigger', 'x-request-id', 'outer-1'],
  ])
  const odd = prepared(
    'inbound',
    [
      'x-forwarded-proto',
      'https,http',
      'x-forwarded-host',
      'a"b',
      'x-request-id',
      'a b',
      'forwarded',
      'for=x',
    ],
    ['2001:db8::/32'],
    '2001:db8::1',
  )
  assert.deepEqual(odd, [
    ...[
      'x-forwarded-for',
      '2001:db8::1',
      'x-forwarded-proto',
      'https',
      'x-forwarded-host',
      'shop.example:8443',
    ],
    ...['forwarded', 'for=x, for="[2001:db8::1]";proto=https;host="shop.example:8443"'],
    ...['via', '1.1 outrigger', 'x-request-id', 'fresh'],
  ])
})

test('row 16: what may stand once and stands twice is refused', () => {
  for (const name of ['authorization', 'content-type', 'origin', 'referer', 'range', 'user-agent']) {
    assert.equal(prepared('edge', [name, 'a', 'accept', '*/*', name, 'a']), 'bad_request', name)
    assert.notEqual(prepared('edge', [name, 'a', 'accept', '*/*', 'accept', 'x']), 'bad_request')
  }
})

test('row 18: __proto__ is a name like any other', () => {
  for (const name of ['__proto__', 'constructor', 'hasownproperty'])
    assert.deepEqual(prepared('outbound', [name, '1']), [
      name,
      '1',
      'via',
      '1.1 outrigger',
      'x-request-id',
      'fresh',
    ])
})

test('row 20: a request that passed here ten times is a loop', () => {
  const times = (count: number) => ['via', Array.from({ length: count }, () => '1.1 outrigger').join(', ')]
  assert.equal(prepared('inbound', times(10)), 'loop_detected')
  assert.equal(prepared('outbound', times(10)), 'loop_detected')
  assert.notEqual(prepared('inbound', times(9)), 'loop_detected')
  assert.equal(prepared('inbound', [...times(5), ...times(5)]), 'loop_detected')
  const others = Array.from(
    { length: 20 },
    () => '1.1 outrigger-two, 1.1 outrigger.example, 2 my-outrigger',
  ).join()
  assert.notEqual(prepared('inbound', ['via', others]), 'loop_detected')
})

test('trace context passes when it is valid and goes when it is not', () => {
  const parent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  const values = (headers: HeaderList): string[] => {
    const list = prepared('edge', headers)
    assert.ok(typeof list !== 'string')
    return [...headerValues(list, 'traceparent'), ...headerValues(list, 'tracestate')]
  }
  assert.deepEqual(values(['tracestate', 'a=1', 'traceparent', parent, 'tracestate', 'b=2']), [
    parent,
    'a=1',
    'b=2',
  ])
  assert.deepEqual(values(['traceparent', parent, 'tracestate', '===']), [parent])
  assert.deepEqual(values(['traceparent', `${parent}x`, 'tracestate', 'a=1']), [])
  assert.deepEqual(values(['traceparent', parent, 'traceparent', parent]), [])
  assert.deepEqual(values(['tracestate', 'a=1']), [])
})

test('the client of a request is found through trusted peers, and is the app itself on outbound', () => {
  const client = (role: Role): string => {
    const one = exchange(['x-forwarded-for', '1.2.3.4'])
    assert.equal(prepareUpstreamHeaders(one, plan(role, [PEER])), null)
    return one.clientAddress
  }
  assert.equal(client('edge'), '1.2.3.4')
  assert.equal(client('inbound'), '1.2.3.4')
  assert.equal(client('outbound'), PEER)
})

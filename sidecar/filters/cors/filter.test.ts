import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Exchange } from '../../exchange/exchange.ts'
import { exchangeFixture } from '../../exchange/exchange-fixture.ts'
import { LiveFixture } from '../live-fixture.ts'
import type { HeaderList } from '../../exchange/headers.ts'
import { ProxyError } from '../../exchange/proxy-error.ts'
import { corsFilter } from './filter.ts'
import type { CorsPolicy } from './schema.ts'

const SHOP = 'https://shop.example'
const POLICY: CorsPolicy = {
  origins: [SHOP, 'https://*.apps.example', 'http://*.dev.example:8080'],
  methods: ['GET', 'PUT'],
  headers: ['content-type', 'x-tenant'],
  expose: ['x-total'],
  credentials: true,
  maxAge: 600,
}

const preflight = (origin: string, method = 'PUT', asked?: string): Exchange =>
  exchangeFixture({
    method: 'OPTIONS',
    headers: [
      ...['origin', origin, 'access-control-request-method', method],
      ...(asked === undefined ? [] : ['access-control-request-headers', asked]),
    ],
  })

/** Status and fields of the answer to a preflight. */
function answer(exchange: Exchange, part: Partial<CorsPolicy> = {}): [number, HeaderList] {
  const filter = corsFilter.create({ ...POLICY, ...part }, { name: 'r' }, new LiveFixture())
  const verdict = filter.onRequest?.(exchange)
  assert.ok(verdict !== undefined && !(verdict instanceof Promise))
  const headers = verdict instanceof ProxyError ? [] : [...verdict.headers]
  filter.onResponse?.(exchange, headers)
  return [verdict.status, headers]
}

/** The fields of a response with these to a request from an origin. */
function response(
  origin: string | null,
  headers: HeaderList = [],
  part: Partial<CorsPolicy> = {},
): HeaderList {
  const filter = corsFilter.create({ ...POLICY, ...part }, { name: 'r' }, new LiveFixture())
  const exchange = exchangeFixture({ headers: origin === null ? [] : ['origin', origin] })
  assert.equal(filter.onRequest?.(exchange), undefined)
  filter.onResponse?.(exchange, headers)
  return headers
}

const VARY = ['vary', 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers']

test('a preflight is answered and goes no further', () => {
  assert.deepEqual(answer(preflight(SHOP, 'PUT', 'X-Tenant, content-type')), [
    204,
    [
      ...[
        'access-control-allow-methods',
        'GET, PUT',
        'access-control-allow-headers',
        'content-type, x-tenant',
      ],
      ...['access-control-max-age', '600', ...VARY],
      ...['access-control-allow-origin', SHOP, 'access-control-allow-credentials', 'true'],
    ],
  ])
  assert.deepEqual(
    answer(preflight(SHOP, 'PURGE', 'x-a, X-B'), { methods: ['*'], headers: ['*'], credentials: false }),
    [
      204,
      [
        ...['access-control-allow-methods', 'PURGE', 'access-control-allow-headers', 'x-a, X-B'],
        ...['access-control-max-age', '600', ...VARY, 'access-control-allow-origin', SHOP],
      ],
    ],
  )
  assert.equal(answer(preflight(SHOP, 'POST'))[0], 204)
})

test('a preflight that is not allowed is refused and says nothing', () => {
  for (const refused of [
    preflight('https://evil.example'),
    preflight('null'),
    preflight(SHOP, 'DELETE'),
    preflight(SHOP, 'put'),
    preflight(SHOP, 'PUT', 'x-other'),
    preflight(SHOP, 'PUT', 'x-tenant, x-other'),
  ]) {
    const [status, headers] = answer(refused)
    assert.equal(status, 403)
    assert.ok(!headers.includes('access-control-allow-methods'))
  }
  assert.deepEqual(answer(preflight('https://evil.example')), [403, VARY])
})

test('OPTIONS without what makes a preflight goes on', () => {
  const filter = corsFilter.create(POLICY, { name: 'r' }, new LiveFixture())
  for (const headers of [[], ['origin', SHOP], ['access-control-request-method', 'PUT']])
    assert.equal(filter.onRequest?.(exchangeFixture({ method: 'OPTIONS', headers })), undefined)
})

test('a response says who may read it, whatever the upstream said', () => {
  const fields = [
    ...['access-control-allow-origin', SHOP, 'access-control-allow-credentials', 'true'],
    ...['access-control-expose-headers', 'x-total'],
  ]
  assert.deepEqual(response(SHOP), ['vary', 'Origin', ...fields])
  assert.deepEqual(response(SHOP, ['access-control-allow-origin', '*', 'vary', 'accept', 'vary', 'x']), [
    ...['vary', 'accept, x, Origin', ...fields],
  ])
  assert.deepEqual(response(SHOP, ['vary', 'ORIGIN']), ['vary', 'ORIGIN', ...fields])
  assert.deepEqual(response(SHOP, ['vary', '*']), ['vary', '*', ...fields])
  assert.deepEqual(response(null), ['vary', 'Origin'])
  assert.deepEqual(response('https://evil.example', ['access-control-allow-origin', '*']), ['vary', 'Origin'])
  assert.deepEqual(response('null'), ['vary', 'Origin'])
})

test('every origin: the same answer for all, and never with credentials', () => {
  const open = { origins: ['*'], credentials: false, expose: [] }
  assert.deepEqual(response('https://any.example', [], open), ['access-control-allow-origin', '*'])
  assert.deepEqual(response('null', [], open), ['access-control-allow-origin', '*'])
  assert.throws(() => response(SHOP, [], { origins: ['*'] }))
})

test('a wildcard is labels below a domain, of one scheme and port', () => {
  const allowed = (origin: string) => response(origin).includes('access-control-allow-origin')
  for (const origin of ['https://a.apps.example', 'https://a.b.apps.example', 'http://x.dev.example:8080'])
    assert.equal(allowed(origin), true, origin)
  for (const origin of [
    ...[
      'https://apps.example',
      'https://.apps.example',
      'http://a.apps.example',
      'https://a.apps.example:444',
    ],
    ...[
      'https://evil.example/.apps.example',
      'https://evil.example:1.apps.example',
      'https://u@a.apps.example',
    ],
    ...[
      'https://evilapps.example',
      'https://a.apps.example.evil',
      'http://x.dev.example',
      'https://A.apps.example',
    ],
    ...['https://apps.example.apps.example.', 'https://#.apps.example', `${SHOP}.evil`, `${SHOP}/`, ''],
  ])
    assert.equal(allowed(origin), false, origin)
})

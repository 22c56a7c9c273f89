import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Exchange } from '../exchange/exchange.ts'
import { exchangeFixture } from '../exchange/exchange-fixture.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import { canonicalize, canonicalPath } from '../routing/canonical-request.ts'
import type { RewritePolicy } from '../snapshot/policies.ts'
import { compileHost, compileRedirect, compileRewrite } from './rewrite.ts'

function exchange(
  target: string,
  params: Record<string, string> | null = null,
  host = 'Shop.example:8443',
): Exchange {
  const made = exchangeFixture({ method: target === '*' ? 'OPTIONS' : 'GET', target })
  const request = canonicalize(made.method, target, host === '' ? null : host, false, 'HTTP/1.0')
  assert.ok(!(request instanceof ProxyError), target)
  made.request = request
  made.params = params
  return made
}

const policy = (part: Partial<RewritePolicy>): RewritePolicy => ({
  stripPrefix: null,
  path: null,
  host: null,
  ...part,
})
const shown = (result: string | ProxyError): string => (typeof result === 'string' ? result : result.reason)

test('without a rewrite the canonical path goes up with the query as it was sent', () => {
  const write = compileRewrite(null, '')
  const cases = [
    ['/a/b', '/a/b'],
    ['/a?', '/a?'],
    ['/a//b/../%63?x=%zz&&', '/a/c?x=%zz&&'],
    ['http://shop.example:8443/a?b', '/a?b'],
    ['*', '*'],
  ]
  for (const [target = '', expected] of cases) assert.equal(write(exchange(target)), expected)
})

test('row 27: the base path stands in front of what is canonical already', () => {
  const write = compileRewrite(null, '/base')
  assert.equal(write(exchange('/')), '/base/')
  assert.equal(write(exchange('/ho/%2E%2E/hi?q')), '/base/hi?q')
  assert.equal(write(exchange('//x')), '/base/x')
  assert.equal(write(exchange('*')), '*')
})

test('row 26: a prefix is stripped at the end of a segment only', () => {
  const write = compileRewrite(policy({ stripPrefix: '/api' }), '')
  const cases = [
    ['/api', '/'],
    ['/api/', '/'],
    ['/api?x', '/?x'],
    ['/api/x?y', '/x?y'],
    ['/api/api', '/api'],
    ['/apix', '/apix'],
    ['/api../x', '/api../x'],
    ['/api//x', '/x'],
    ['/other', '/other'],
  ]
  for (const [target = '', expected] of cases) assert.equal(write(exchange(target)), expected, target)
  assert.equal(compileRewrite(policy({ stripPrefix: '/api' }), '/v2')(exchange('/api/x')), '/v2/x')
})

test('a path template takes parameters as segments', () => {
  const write = compileRewrite(policy({ path: '/v2/{id}/item' }), '/b')
  const cases = [
    ['7', '/b/v2/7/item?q'],
    ['a b', '/b/v2/a%20b/item?q'],
    ['café', '/b/v2/caf%C3%A9/item?q'],
    ['a@b:c', '/b/v2/a@b:c/item?q'],
    ['100%', '/b/v2/100%25/item?q'],
    ['%41', 'bad_path'],
    ['a?b#c', '/b/v2/a%3Fb%23c/item?q'],
    // What only a regex can bring.
    ['x/y', '/b/v2/x/y/item?q'],
    ['..', 'bad_path'],
    ['x/../../y', 'bad_path'],
    ['', 'bad_path'],
    ['/x', 'bad_path'],
    ['a;b', 'bad_path'],
    ['a\\b', 'bad_path'],
    ['a\r\nb', 'bad_path'],
  ]
  for (const [id = '', expected] of cases)
    assert.equal(shown(write(exchange('/x?q', { id }))), expected, JSON.stringify(id))
  assert.equal(shown(write(exchange('/x', {}))), 'bad_path')
  assert.equal(shown(write(exchange('/x'))), 'bad_path')
  assert.equal(
    compileRewrite(policy({ path: '/é/{request.path}' }), '')(exchange('/x')) instanceof ProxyError,
    true,
  )
  assert.equal(
    compileRewrite(policy({ path: "/é{request.path}/{'{'}" }), '')(exchange('/x')),
    '/%C3%A9/x/%7B',
  )
  assert.throws(() => compileRewrite(policy({ path: '/{claims.sub}' }), ''))
})

test('row 19: nothing that is filled in begins a new line', () => {
  const path = compileRewrite(policy({ path: '/v2/{id}' }), '')
  const redirects = ['/to/{id}', '/to?x={id}', 'https://{request.host}/{id}?y={id}#{id}'].map(compileRedirect)
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('\u010d\u010a', '%0d%0a', '\r\nx: y')),
      id => {
        for (const write of [path, ...redirects]) {
          let result: string | ProxyError
          try {
            result = write(exchange('/x?a=%0d%0a', { id }))
          } catch (error) {
            // A lone surrogate never comes out of a path.
            assert.ok(error instanceof URIError)
            continue
          }
          if (typeof result === 'string') assert.match(result, /^[\x21-\x7e]+$/)
        }
        const written = path(exchange('/x', { id: id.toWellFormed() }))
        if (typeof written === 'string') assert.equal(canonicalPath(written), written)
      },
    ),
  )
  assert.equal(path(exchange('/x', { id: '\u010d\u010a' })), '/v2/%C4%8D%C4%8A')
})

test('redirects', () => {
  const cases: [to: string, target: string, location: string, params?: Record<string, string>][] = [
    ['https://{request.host}{request.uri}', '/a?b=%zz', 'https://shop.example/a?b=%zz'],
    ['https://other.example{request.path}', '/a//b', 'https://other.example/a/b'],
    ['https://other.example', '/a', 'https://other.example'],
    ['https://o.example?from={request.path}', '/a', 'https://o.example?from=/a'],
    ['/login?to={id}&x={id}#{id}', '/a', '/login?to=a%26b&x=a%26b#a%26b', { id: 'a&b' }],
    ['/users/{id}', '/a', '/users/a@b%20c', { id: 'a@b c' }],
    ['{request.uri}', '//evil.example/x', '/evil.example/x'],
    ['/{id}', '/a', 'bad_path', { id: '/evil.example' }],
    ['{id}', '/a', 'bad_path', { id: 'javascript:alert(1)' }],
    ['{id}', '/a', 'bad_path', { id: '//evil.example' }],
    ['/{id}', '/a', 'bad_path'],
    ['/{id}', '/a', 'bad_path', { id: '..' }],
    ['/ü', '/a', '/%C3%BC'],
  ]
  for (const [to, target, location, params] of cases)
    assert.equal(shown(compileRedirect(to)(exchange(target, params ?? null))), location, to)
  assert.equal(shown(compileRedirect('https://{request.host}/')(exchange('/', null, ''))), 'bad_path')
})

test('the Host that goes upstream, by role and by rewrite', () => {
  const host = (...given: Parameters<typeof compileHost>) => compileHost(...given)(exchange('/'))
  assert.equal(host(null, 'inbound', 'app:3000', false), 'shop.example:8443')
  assert.equal(host(null, 'inbound', 'app:3000', true), 'shop.example:8443')
  assert.equal(host(null, 'edge', 'app', false), 'shop.example:8443')
  assert.equal(host(null, 'edge', 'app', true), 'app')
  assert.equal(host(null, 'outbound', 'users', false), 'users')
  assert.equal(host(policy({ host: 'keep' }), 'outbound', 'users', false), 'shop.example:8443')
  assert.equal(host(policy({ host: 'x.example' }), 'inbound', 'app', false), 'x.example')
  assert.equal(compileHost(null, 'inbound', 'app:3000', false)(exchange('/', null, '')), 'app:3000')
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ProxyError } from '../exchange/proxy-error.ts'
import { canonicalize, canonicalizeConnect, canonicalPath } from './canonical-request.ts'
import { parseHost } from './host-name.ts'

const read = (target: string, host: string | null = 'a', method = 'GET') =>
  canonicalize(method, target, host, false, 'HTTP/1.1')

/** `path?query`, or the reason of the refusal. */
function shown(target: string, host: string | null = 'a', method = 'GET'): string {
  const result = read(target, host, method)
  if (result instanceof ProxyError) return result.reason
  return result.path + (result.hasQuery ? `?${result.query}` : '')
}

const PATHS: [target: string, canonical: string][] = [
  ['/', '/'],
  ['/a/b', '/a/b'],
  ['/a/b/', '/a/b/'],
  ['/.well-known/x', '/.well-known/x'],
  ['/..a/...', '/..a/...'],
  ["/a-b_c~d.e!$&'()*+,=:@f", "/a-b_c~d.e!$&'()*+,=:@f"],
  ['/a?', '/a?'],
  ['/a?b=1&c=%zz;?/..//\\', '/a?b=1&c=%zz;?/..//\\'],
  ['?a', 'bad_path'],
  ['', 'bad_path'],
  ['a', 'bad_path'],
  // Row 21
  ['//admin', '/admin'],
  ['///a//b///', '/a/b/'],
  ['//evil.example/..', '/'],
  // Row 22
  ['/a/./b', '/a/b'],
  ['/a/../b', '/b'],
  ['/a/%2e%2E/b', '/b'],
  ['/a/.%2e/b', '/b'],
  ['/a/b/..', '/a/'],
  ['/a/b/.', '/a/b/'],
  ['/a//../b', '/b'],
  ['/..', 'bad_path'],
  ['/a/../..', 'bad_path'],
  ['/%2e%2e/a', 'bad_path'],
  ['/.', '/'],
  // Row 23
  ['/a%2fb', 'bad_path'],
  ['/a%2Fb', 'bad_path'],
  ['/a%5cb', 'bad_path'],
  ['/a\\b', 'bad_path'],
  ['/a%00', 'bad_path'],
  ['/a%0d%0ab', 'bad_path'],
  ['/a%7f', 'bad_path'],
  // Row 24
  ['/a;b', 'bad_path'],
  ['/a%3bb', 'bad_path'],
  // Row 25
  ['/%252e%252e', 'bad_path'],
  ['/%25%34%31', 'bad_path'],
  ['/100%25', '/100%25'],
  ['/100%25g', '/100%25g'],
  // Row 30
  ['/%ff', 'bad_path'],
  ['/%c0%af', 'bad_path'],
  ['/%ed%a0%80', 'bad_path'],
  ['/caf%c3%a9', '/caf%C3%A9'],
  ['/caf\u00e9', 'bad_path'],
  ['/\u2025/', 'bad_path'],
  ['/a b', 'bad_path'],
  ['/a\tb', 'bad_path'],
  ['/a\r\nb', 'bad_path'],
  ['/a\n', 'bad_path'],
  ['/a?b\n', 'bad_path'],
  ['/a\0', 'bad_path'],
  ['/a\x7f', 'bad_path'],
  ['/a#b', 'bad_path'],
  ['/a?b#c', 'bad_path'],
  ['/a?b c', 'bad_path'],
  ['/a?\u00ff', 'bad_path'],
  ['/%', 'bad_path'],
  ['/%4', 'bad_path'],
  ['/%4g', 'bad_path'],
  ['/%41%7e%2d', '/A~-'],
  ['/%3a%2B', '/%3A%2B'],
  ['/a[1]{x}|"<>^`', '/a%5B1%5D%7Bx%7D%7C%22%3C%3E%5E%60'],
  ['/A', '/A'],
  // Absolute-form
  ['http://a/b?c', '/b?c'],
  ['HTTP://A:80/b', '/b'],
  ['https://a/b', '/b'],
  ['http://a', '/'],
  ['http://a?x', '/?x'],
  ['http://a//b/../c', '/c'],
  ['http://b/', 'bad_host'],
  ['http://a:81/', 'bad_host'],
  ['http://u@a/', 'bad_host'],
  ['http:///b', 'bad_host'],
  ['http://a#b', 'bad_path'],
  ['ftp://a/b', 'bad_path'],
  ['a:443', 'bad_path'],
  ['*', 'bad_path'],
]

test('rows 21 to 30: each target has one path or none', () => {
  for (const [target, canonical] of PATHS) assert.equal(shown(target), canonical, JSON.stringify(target))
  assert.equal(shown('*', 'a', 'OPTIONS'), '*')
  assert.equal(shown('*?x', 'a', 'OPTIONS'), 'bad_path')
  assert.equal(shown('http://a:443/', 'a:80'), 'bad_host')
})

const HOSTS: [sent: string, host: string | null, port?: number][] = [
  ['Shop.Example', 'shop.example', 0],
  ['shop.example.', 'shop.example', 0],
  ['shop.example:8080', 'shop.example', 8080],
  ['shop.example.:8080', 'shop.example', 8080],
  ['my_app', 'my_app', 0],
  ['127.0.0.1:65535', '127.0.0.1', 65535],
  ['[::1]', '[::1]', 0],
  ['[0:0:0:0:0:0:0:1]:80', '[::1]', 80],
  ['[2001:DB8::A]', '[2001:db8::a]', 0],
  ['', null],
  ['.', null],
  ['a..b', null],
  ['.a', null],
  ['a..', null],
  ['a:', null],
  ['a:0', null],
  ['a:080', null],
  ['a:65536', null],
  ['a:b', null],
  ['u@a', null],
  ['a/b', null],
  ['a b', null],
  ['a,b', null],
  ['a%2eb', null],
  ['a\0b', null],
  ['a\n', null],
  ['a\u3002b', null],
  ['a\u00adb', null],
  ['::1', null],
  ['[::1', null],
  ['[fe80::1%25eth0]', null],
  ['[1]', null],
  ['127.1', null],
  ['1.2.3.4.5', null],
  ['256.1.1.1', null],
  ['01.1.1.1', null],
  ['0x7f.0x1', null],
  ['2130706433', null],
  ['x'.repeat(64), null],
  [`${'x.'.repeat(127)}x`, null],
]

test('rows 17 and 73: a host has one spelling or is refused', () => {
  for (const [sent, host, port] of HOSTS)
    for (let again = 0; again < 2; again++) {
      const parsed = parseHost(sent)
      assert.deepEqual(parsed, host === null ? null : { host, port }, JSON.stringify(sent))
    }
  assert.equal(shown('/', ''), 'bad_host')
  assert.equal(shown('/', null), 'bad_host')
})

test('a request of HTTP/1.0 may have no host, or have it in its target', () => {
  const bare = canonicalize('GET', '/x', null, false, 'HTTP/1.0')
  assert.ok(!(bare instanceof ProxyError))
  assert.equal(bare.host, '')
  assert.ok(Object.isFrozen(bare), 'nobody may change what others have read')
  const full = canonicalize('GET', 'http://B:81/x', null, true, 'HTTP/1.0')
  assert.deepEqual(full, {
    method: 'GET',
    scheme: 'https',
    host: 'b',
    port: 81,
    path: '/x',
    query: '',
    hasQuery: false,
  })
})

test('CONNECT names a host and a port', () => {
  assert.deepEqual(canonicalizeConnect('Users:80'), { host: 'users', port: 80 })
  for (const target of ['users', 'users:', '/users:80', 'http://users:80', 'u@users:80', 'users:0']) {
    const result = canonicalizeConnect(target)
    assert.ok(result instanceof ProxyError && result.reason === 'bad_host', target)
  }
})

const piece = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom('/', '.', '..', '//', '/./', '/../', 'a', 'B', '%2e', '%2E', '%41'),
  },
  fc.constantFrom('%2f', '%5C', '%25', '%', '%00', '%c3%a9', '%ff', ';', '\\', '?', '#', '[', '|', '~', '@'),
  fc.string({ unit: 'binary', maxLength: 2 }),
)
const anyTarget = fc.array(piece, { maxLength: 12 }).map(pieces => `/${pieces.join('')}`)

test('property: what is canonical stays as it is, and holds nothing that has two readings', () => {
  fc.assert(
    fc.property(anyTarget, target => {
      const first = read(target)
      if (first instanceof ProxyError) return
      assert.match(
        first.path,
        /^\/(?:[\w!$&'()*+,=:@~.-]|%[0-9A-F]{2})*(?:\/(?:[\w!$&'()*+,=:@~.-]|%[0-9A-F]{2})+)*\/?$/,
      )
      assert.doesNotMatch(first.path, /\/\/|\/\.{1,2}(?:\/|$)|%(?:2F|5C|00|3B)/)
      assert.equal(canonicalPath(first.path), first.path)
      assert.deepEqual(read(first.path + (first.hasQuery ? `?${first.query}` : '')), first)
    }),
    { numRuns: 3000 },
  )
})

test('property: on plain input it agrees with the WHATWG URL parser', () => {
  const plain = fc.array(fc.constantFrom('a', 'bc', '.', '..', '%2e', '-', '%C3%A9', '@'), {
    minLength: 1,
    maxLength: 8,
  })
  fc.assert(
    fc.property(plain, segments => {
      const target = `/x/y/z/u/v/w/q/r/${segments.join('/')}`
      const url = new URL(`http://a${target}`)
      assert.equal(shown(target), url.pathname)
    }),
    { numRuns: 1000 },
  )
})

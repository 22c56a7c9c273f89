import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ProxyError } from '../exchange/proxy-error.ts'
import { readRequestHead, type RequestHead } from './request-head.ts'

/** The fields of a plain GET, some of them replaced (null: left out), and more behind. */
function list(pseudo: Record<string, string | null> = {}, ...more: string[]): string[] {
  const all = { ':method': 'GET', ':scheme': 'http', ':path': '/a', ':authority': 'a.example', ...pseudo }
  return [...Object.entries(all).flatMap(([name, value]) => (value === null ? [] : [name, value])), ...more]
}

function read(headers: string[], ended = true, extended = true): RequestHead {
  const head = readRequestHead(headers, ended, 100, extended)
  assert.ok(!(head instanceof ProxyError), head instanceof ProxyError ? head.detail : '')
  return head
}

function refused(headers: string[], ended = true, extended = true): ProxyError {
  const head = readRequestHead(headers, ended, 100, extended)
  assert.ok(head instanceof ProxyError, JSON.stringify(head))
  return head
}

describe('a request', () => {
  test('of all four pseudo fields becomes method, target and host', () => {
    assert.deepEqual(read(list({}, 'accept', '*/*', 'x-a', '')), {
      method: 'GET',
      target: '/a',
      headers: ['host', 'a.example', 'accept', '*/*', 'x-a', ''],
      length: 'none',
      tunnel: null,
      expectsContinue: false,
    })
  })

  test('may say its host by the field alone, or by both where they are the same', () => {
    assert.deepEqual(read(list({ ':authority': null }, 'x', 'y', 'host', 'b.example')).headers, [
      'x',
      'y',
      'host',
      'b.example',
    ])
    assert.deepEqual(read(list({}, 'host', 'A.Example', 'x', 'y')).headers, ['host', 'a.example', 'x', 'y'])
  })

  test('has its cookies joined where the first stood (section 8.2.3)', () => {
    assert.deepEqual(read(list({}, 'cookie', 'a=1', 'x', 'y', 'cookie', 'b=2', 'cookie', 'c=3')).headers, [
      'host',
      'a.example',
      'cookie',
      'a=1; b=2; c=3',
      'x',
      'y',
    ])
  })

  test('has the length that it says, an unknown one while the stream is open, else none', () => {
    assert.equal(read(list({ ':method': 'POST' }, 'content-length', '5'), false).length, 5)
    assert.equal(read(list({ ':method': 'POST' }), false).length, 'unknown')
    assert.equal(read(list({ ':method': 'POST' })).length, 0, 'in HTTP/1 that has to be said')
    assert.equal(read(list({ ':method': 'DELETE' })).length, 'none')
    assert.equal(read(list({}, 'content-length', '0')).length, 0)
  })

  test('waits for 100 only with a body to come', () => {
    assert.equal(read(list({ ':method': 'PUT' }, 'expect', '100-Continue'), false).expectsContinue, true)
    assert.equal(read(list({ ':method': 'PUT' }, 'expect', '100-continue')).expectsContinue, false)
    assert.equal(refused(list({}, 'expect', 'miracles')).reason, 'expectation_failed')
  })

  test('may name trailers in te, and nothing else', () => {
    assert.ok(read(list({}, 'te', 'trailers')).headers.includes('te'))
    assert.equal(refused(list({}, 'te', 'trailers, deflate')).reason, 'bad_request')
  })

  test('with a target longer than allowed can be answered', () => {
    assert.equal(read(list({ ':path': `/${'a'.repeat(99)}` })).target.length, 100)
    assert.equal(refused(list({ ':path': `/${'a'.repeat(100)}` })).reason, 'uri_too_long')
  })

  test('CONNECT keeps its authority as the target', () => {
    const plain = { ':method': 'CONNECT', ':scheme': null, ':path': null, ':authority': 'a.example:443' }
    assert.equal(read(list(plain)).target, 'a.example:443')
    assert.equal(refused(list({ ...plain, ':authority': 'a.example' })).reason, 'bad_request')
    assert.equal(refused(list({ ...plain, ':path': '/' })).reason, 'bad_request')
    assert.equal(refused(list(plain), false).reason, 'bad_request')
  })

  test('extended CONNECT is a GET that asks for a protocol (RFC 8441)', () => {
    const socket = { ':method': 'CONNECT', ':protocol': 'WebSocket' }
    const head = read(list(socket, 'sec-websocket-version', '13'), false)
    assert.equal(head.method, 'GET')
    assert.equal(head.tunnel, 'websocket')
    assert.equal(head.length, 'none')
    assert.equal(head.target, '/a')
    assert.equal(refused(list(socket), false, false).reason, 'bad_request', 'it was not offered')
    assert.equal(refused(list({ ...socket, ':path': null }), false).reason, 'bad_request')
    assert.equal(refused(list({ ...socket, ':method': 'GET' }), false).reason, 'bad_request')
    assert.equal(refused(list(socket, 'content-length', '1'), false).reason, 'bad_request')
  })
})

describe('malformed is', () => {
  const cases: Record<string, string[]> = {
    'no method': list({ ':method': null }),
    'an empty method': list({ ':method': '' }),
    'a method that is no token': list({ ':method': 'G ET' }),
    'no scheme': list({ ':scheme': null }),
    'a scheme of another kind': list({ ':scheme': 'ftp' }),
    'no path': list({ ':path': null }),
    'an empty path': list({ ':path': '' }),
    'a path with a space': list({ ':path': '/a HTTP/1.1' }),
    'a path with a line break': list({ ':path': '/a\r\nx: y' }),
    'a path with a fragment': list({ ':path': '/a#b' }),
    'a path beyond ASCII': list({ ':path': '/\xe4' }),
    'a path in absolute form': list({ ':path': 'http://a.example/a' }),
    'a path without a slash': list({ ':path': 'a' }),
    'an authority with a space': list({ ':authority': 'a.example b' }),
    'an empty authority': list({ ':authority': '' }),
    'no host at all': list({ ':authority': null }),
    'an empty host': list({ ':authority': null }, 'host', ''),
    'two hosts': list({ ':authority': null }, 'host', 'a.example', 'host', 'a.example'),
    'a host that is not the authority': list({}, 'host', 'b.example'),
    'the method twice': list({}, ':method', 'GET'),
    'the path twice': [':path', '/b', ...list()],
    'the scheme twice': [':scheme', 'http', ...list()],
    'the authority twice': [':authority', 'a.example', ...list()],
    'a pseudo field of responses': [':status', '200', ...list()],
    'an unknown pseudo field': [':what', 'x', ...list()],
    'a pseudo field behind a field': list({ ':path': null }, 'x', 'y', ':path', '/a'),
    'an unknown pseudo field behind a field': list({}, 'x', 'y', ':what', '/a'),
    connection: list({}, 'connection', 'close'),
    'keep-alive': list({}, 'keep-alive', 'timeout=1'),
    'proxy-connection': list({}, 'proxy-connection', 'keep-alive'),
    'transfer-encoding': list({}, 'transfer-encoding', 'chunked'),
    upgrade: list({}, 'upgrade', 'websocket'),
    'te: gzip': list({}, 'te', 'gzip'),
    'two lengths': list({}, 'content-length', '0', 'content-length', '0'),
    'a signed length': list({}, 'content-length', '+0'),
    'a list of lengths': list({}, 'content-length', '0, 0'),
    'an empty length': list({}, 'content-length', ''),
    'a length beyond 2^53': list({}, 'content-length', '9007199254740993'),
    'a length without a body': list({}, 'content-length', '1'),
  }
  for (const [what, headers] of Object.entries(cases))
    test(what, () => assert.equal(refused(headers).reason, 'bad_request'))
})

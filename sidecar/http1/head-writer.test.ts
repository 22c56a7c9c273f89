import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProxyError } from '../exchange/proxy-error.ts'
import { parseRequestHead, parseResponseHead } from './head-parser.ts'
import { chunkHead, DateHeader, lastChunk, writeRequestHead, writeResponseHead } from './head-writer.ts'
import type { Framing } from './message.ts'

const PLAIN = { date: null, connection: null, length: null } as const
const LIMITS = { headerBytes: 16_384, headerFields: 100, urlBytes: 8192 }

test('a request head: host first, framing last', () => {
  assert.equal(
    writeRequestHead('POST', '/a?b', 'a.example:80', ['x-a', 'b', 'x-a', '\xe4'], 5),
    'POST /a?b HTTP/1.1\r\nhost: a.example:80\r\nx-a: b\r\nx-a: \xe4\r\ncontent-length: 5\r\n\r\n',
  )
  assert.match(writeRequestHead('GET', '/', 'a', [], 'chunked'), /\r\ntransfer-encoding: chunked\r\n\r\n$/)
  assert.equal(writeRequestHead('GET', '/', 'a', [], 'none'), 'GET / HTTP/1.1\r\nhost: a\r\n\r\n')
  assert.match(writeRequestHead('POST', '/', 'a', [], 0), /\r\ncontent-length: 0\r\n\r\n$/)
})

test('a response head', () => {
  assert.equal(
    writeResponseHead(404, ['x-a', 'b'], 5, { date: 'D', connection: 'close', length: null }),
    'HTTP/1.1 404 Not Found\r\nx-a: b\r\ndate: D\r\nconnection: close\r\ncontent-length: 5\r\n\r\n',
  )
  const framing = (value: Framing, length: number | null = null) =>
    writeResponseHead(200, [], value, { ...PLAIN, length }).slice('HTTP/1.1 200 OK\r\n'.length)
  assert.equal(framing('chunked'), 'transfer-encoding: chunked\r\n\r\n')
  assert.equal(framing('close'), '\r\n')
  assert.equal(framing('none'), '\r\n')
  assert.equal(framing('none', 7), 'content-length: 7\r\n\r\n')
  assert.equal(framing(0), 'content-length: 0\r\n\r\n')
})

test('a status without a name has none, and one out of range is a bug', () => {
  assert.match(writeResponseHead(299, [], 0, PLAIN), /^HTTP\/1.1 299 \r\n/)
  for (const status of [0, 99, 600, 200.5, NaN]) assert.throws(() => writeResponseHead(status, [], 0, PLAIN))
})

test('what was written is read again as the same', () => {
  const headers = ['accept', '*/*', 'x-a', '', 'x-b', 'c\td', 'x-c', '\x80\xff']
  const request = parseRequestHead(writeRequestHead('PUT', '/x', 'h', headers, 3), LIMITS)
  assert.ok(!(request instanceof ProxyError))
  assert.deepEqual(request.headers, ['host', 'h', ...headers, 'content-length', '3'])
  const response = parseResponseHead(writeResponseHead(200, headers, 'chunked', PLAIN), LIMITS, 'GET')
  assert.ok(!(response instanceof ProxyError))
  assert.deepEqual(response.headers, [...headers, 'transfer-encoding', 'chunked'])
})

test('nothing that would end a line or become another character is written', () => {
  // As latin1, U+010D U+010A would be CR LF.
  for (const value of [
    'a\r\nb: c',
    'a\n',
    '\r',
    '\0',
    '\x7f',
    '\x01',
    '\u0100',
    '\u010d\u010a',
    '\u{1f600}',
    '\u2028',
  ]) {
    assert.throws(() => writeRequestHead('GET', '/', 'a', ['x-a', value], 'none'), JSON.stringify(value))
    assert.throws(() => writeRequestHead('GET', '/', value, [], 'none'), JSON.stringify(value))
    assert.throws(() => writeRequestHead('GET', `/${value}`, 'a', [], 'none'), JSON.stringify(value))
    assert.throws(() => writeResponseHead(200, ['x-a', value], 0, PLAIN), JSON.stringify(value))
    assert.throws(() => lastChunk(['x-a', value]), JSON.stringify(value))
  }
  for (const name of ['', ' a', 'a ', 'a:', 'a\r\n', 'a\0', '\xe4', 'a\u010a', 'a(']) {
    assert.throws(() => writeRequestHead('GET', '/', 'a', [name, 'b'], 'none'), JSON.stringify(name))
    assert.throws(() => writeRequestHead(name, '/', 'a', [], 'none'), JSON.stringify(name))
    assert.throws(() => writeResponseHead(200, [name, 'b'], 0, PLAIN), JSON.stringify(name))
  }
  for (const target of ['', '/ ', '/a b', '/\t', '/\x80', '/\u0120']) {
    assert.throws(() => writeRequestHead('GET', target, 'a', [], 'none'), JSON.stringify(target))
  }
})

test('chunks', () => {
  assert.equal(chunkHead(255), 'ff\r\n')
  assert.equal(lastChunk(null), '0\r\n\r\n')
  assert.equal(lastChunk(['a', 'b']), '0\r\na: b\r\n\r\n')
})

test('the date is made anew when the second changes, in either direction', () => {
  let wall = Date.UTC(1994, 10, 6, 8, 49, 37, 250)
  const date = new DateHeader({ now: () => 0, wall: () => wall })
  assert.equal(date.value, 'Sun, 06 Nov 1994 08:49:37 GMT')
  wall += 749
  assert.equal(date.value, 'Sun, 06 Nov 1994 08:49:37 GMT')
  wall += 1
  assert.equal(date.value, 'Sun, 06 Nov 1994 08:49:38 GMT')
  wall -= 10_000
  assert.equal(date.value, 'Sun, 06 Nov 1994 08:49:28 GMT')
})

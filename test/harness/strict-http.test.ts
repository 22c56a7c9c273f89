import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MalformedMessage, readRequest, readRequests, readResponse } from './strict-http.ts'

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')

test('a response with a length', () => {
  const wire = bytes('HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 2\r\n\r\nokHTTP')
  const response = readResponse(wire, 'GET', false)
  assert.ok(response)
  assert.equal(response.status, 200)
  assert.equal(response.headers['x-a'], '1, 2')
  assert.deepEqual(response.raw[0], ['X-A', '1'])
  assert.equal(response.body.toString(), 'ok')
  assert.equal(response.length, wire.length - 4)
  assert.equal(response.complete, true)
})

test('chunks and trailers', () => {
  const response = readResponse(
    bytes('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\nt: 1\r\n\r\n'),
    'GET',
    false,
  )
  assert.equal(response?.body.toString(), 'abc')
  assert.deepEqual(response?.trailers, [['t', '1']])
})

test('every cut of a response is incomplete, and says so when the connection ends', () => {
  for (const text of [
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc',
  ]) {
    const headEnd = text.indexOf('\r\n\r\n') + 4
    for (let cut = 0; cut < text.length; cut++) {
      assert.equal(readResponse(bytes(text.slice(0, cut)), 'GET', false), null)
      const ended = readResponse(bytes(text.slice(0, cut)), 'GET', true)
      if (cut < headEnd) assert.equal(ended, null)
      else assert.equal(ended?.complete, false, `cut at ${cut}`)
    }
    assert.equal(readResponse(bytes(text), 'GET', true)?.complete, true)
  }
})

test('responses without a body, and one that ends with the connection', () => {
  assert.equal(
    readResponse(bytes('HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n'), 'GET', false)?.framing,
    'none',
  )
  assert.equal(
    readResponse(bytes('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n'), 'HEAD', false)?.framing,
    'none',
  )
  const open = bytes('HTTP/1.1 200 OK\r\n\r\nabc')
  assert.equal(readResponse(open, 'GET', false), null)
  assert.equal(readResponse(open, 'GET', true)?.body.toString(), 'abc')
})

test('informational responses come with the final one', () => {
  const text =
    'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n'
  const response = readResponse(bytes(text), 'GET', false)
  assert.equal(response?.status, 204)
  assert.deepEqual(
    response?.informational.map(one => one.status),
    [103, 100],
  )
  assert.equal(response?.length, text.length)
})

test('what is not exactly as written is an error', () => {
  const head = 'GET / HTTP/1.1\r\nhost: a\r\n'
  for (const text of [
    'GET  / HTTP/1.1\r\nhost: a\r\n\r\n',
    'GET / HTTP/1.1\r\n\r\n',
    'GET / HTTP/2.0\r\nhost: a\r\n\r\n',
    'GET / HTTP/1.1\nhost: a\r\n\r\n',
    'GET / HTTP/1.1\nhost: a',
    '\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n',
    `${head}host: b\r\n\r\n`,
    `${head}a : b\r\n\r\n`,
    `${head}a: b\r\n folded\r\n\r\n`,
    `${head}a: b\x00c\r\n\r\n`,
    `${head}a: b\rc\r\n\r\n`,
    `${head}content-length: +1\r\n\r\nx`,
    `${head}content-length: 1\r\ncontent-length: 1\r\n\r\nx`,
    `${head}content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    `${head}transfer-encoding: xchunked\r\n\r\n`,
    `${head}transfer-encoding: chunked\xa0\r\n\r\n0\r\n\r\n`,
    `${head}transfer-encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n`,
    `${head}transfer-encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n`,
  ]) {
    assert.throws(() => readRequest(bytes(text)), MalformedMessage, JSON.stringify(text))
  }
})

test('pipelined requests are told apart', () => {
  const one = 'POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n'
  const { requests, rest } = readRequests(
    bytes(`${one}GET /b HTTP/1.1\r\nhost: a\r\n\r\nGET /c HTTP/1.1\r\n`),
  )
  assert.deepEqual(
    requests.map(request => request.target),
    ['/a', '/b'],
  )
  assert.equal(rest.toString(), 'GET /c HTTP/1.1\r\n')
})

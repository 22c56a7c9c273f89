import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProxyError } from '../exchange/proxy-error.ts'
import { parseResponseHead } from './head-parser.ts'
import type { HeadLimits, ResponseHead } from './message.ts'

const LIMITS: HeadLimits = { headerBytes: 16_384, headerFields: 100, urlBytes: 8192 }

function response(text: string, method = 'GET'): ResponseHead {
  const head = parseResponseHead(text, LIMITS, method)
  if (head instanceof ProxyError) throw new Error(`${head.reason} ${head.cause}`)
  return head
}

function refusal(head: unknown): ProxyError {
  assert.ok(head instanceof ProxyError, `accepted: ${JSON.stringify(head)}`)
  return head
}

test('a response head is read into its parts', () => {
  assert.deepEqual(
    response('HTTP/1.1 404 Not  \xe4\r\nContent-Length: 5\r\nKeep-Alive: timeout=7, max=9\r\n\r\n'),
    {
      status: 404,
      reason: 'Not  \xe4',
      version: 'HTTP/1.1',
      headers: ['content-length', '5', 'keep-alive', 'timeout=7, max=9'],
      framing: 5,
      keepAlive: true,
      keepAliveHint: 7,
    },
  )
})

test('the framing of a response by status, method and fields', () => {
  const framing = (status: number, method: string, ...lines: string[]) =>
    response([`HTTP/1.1 ${status} x`, ...lines, '', ''].join('\r\n'), method).framing
  assert.equal(framing(200, 'GET'), 'close')
  assert.equal(framing(200, 'GET', 'Content-Length: 0'), 0)
  assert.equal(framing(599, 'GET', 'Transfer-Encoding: chunked'), 'chunked')
  assert.equal(framing(200, 'HEAD', 'Content-Length: 5'), 'none')
  assert.equal(framing(200, 'HEAD', 'Transfer-Encoding: chunked'), 'none')
  assert.equal(framing(200, 'HEAD'), 'none')
  assert.equal(framing(204, 'GET', 'Content-Length: 5'), 'none')
  assert.equal(framing(304, 'GET', 'Content-Length: 5'), 'none')
  assert.equal(framing(304, 'GET', 'Transfer-Encoding: chunked'), 'none')
  assert.equal(framing(100, 'POST'), 'none')
  assert.equal(framing(101, 'GET'), 'none')
})

test('a response keeps its connection where its end is known', () => {
  const kept = (head: string) => response(`${head}\r\n\r\n`).keepAlive
  assert.equal(kept('HTTP/1.1 200 OK\r\nContent-Length: 1'), true)
  assert.equal(kept('HTTP/1.1 204 x'), true)
  assert.equal(kept('HTTP/1.1 200 OK'), false)
  assert.equal(kept('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close'), false)
  assert.equal(kept('HTTP/1.0 200 OK\r\nContent-Length: 1'), false)
  assert.equal(kept('HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive'), true)
  assert.equal(kept('HTTP/1.0 200 OK\r\nConnection: keep-alive'), false)
})

test('the hint of keep-alive', () => {
  const hint = (value: string) => response(`HTTP/1.1 204 x\r\nKeep-Alive: ${value}\r\n\r\n`).keepAliveHint
  assert.equal(hint('timeout=5'), 5)
  assert.equal(hint('max=3, Timeout = 60'), 60)
  assert.equal(hint('timeout="5"'), 5)
  assert.equal(hint('xtimeout=5'), null)
  assert.equal(hint('timeout=99999999999'), null)
  assert.equal(hint('max=5'), null)
  assert.equal(response('HTTP/1.1 204 x\r\n\r\n').keepAliveHint, null)
})

test('a response that is refused is the upstream’s fault, and its detail is kept from clients', () => {
  const error = refusal(parseResponseHead('HTTP/1.1 200 OK\r\nX-A : b\r\n\r\n', LIMITS, 'GET'))
  assert.equal(error.reason, 'upstream_bad_response')
  assert.equal(error.detail, '')
  assert.notEqual(error.cause, '')
  const large = refusal(
    parseResponseHead('HTTP/1.1 200 OK\r\nA: b\r\n\r\n', { ...LIMITS, headerFields: 0 }, 'GET'),
  )
  assert.equal(large.reason, 'upstream_bad_response')
})

test('what an informational response, 204 and HTTP/1.0 must not say', () => {
  const refused = (head: string) => refusal(parseResponseHead(`${head}\r\n\r\n`, LIMITS, 'GET')).cause
  assert.match(refused('HTTP/1.1 103 x\r\nTransfer-Encoding: chunked'), /transfer-encoding/)
  assert.match(refused('HTTP/1.1 204 x\r\nTransfer-Encoding: chunked'), /transfer-encoding/)
  assert.match(refused('HTTP/1.0 200 x\r\nTransfer-Encoding: chunked'), /transfer-encoding/)
  assert.match(refused('HTTP/1.1 100 x\r\nContent-Length: 1'), /length/)
  assert.match(refused('HTTP/1.1 100 x\r\nConnection: close'), /closes/)
  assert.match(refused('HTTP/1.0 100 x'), /informational/)
  assert.equal(response('HTTP/1.1 101 x\r\nConnection: upgrade, close\r\n\r\n').status, 101)
  assert.equal(response('HTTP/1.1 100 x\r\nContent-Length: 0\r\n\r\n').status, 100)
})

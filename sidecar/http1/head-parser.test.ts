import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProxyError } from '../exchange/proxy-error.ts'
import { parseRequestHead, parseResponseHead } from './head-parser.ts'
import type { HeadLimits, RequestHead } from './message.ts'

const LIMITS: HeadLimits = { headerBytes: 16_384, headerFields: 100, urlBytes: 8192 }

function request(text: string, limits = LIMITS): RequestHead {
  const head = parseRequestHead(text, limits)
  if (head instanceof ProxyError) throw new Error(`${head.reason} ${head.detail}`)
  return head
}

function refusal(head: unknown): ProxyError {
  assert.ok(head instanceof ProxyError, `accepted: ${JSON.stringify(head)}`)
  return head
}

/** A request with these lines behind its Host. */
function get(...lines: string[]): string {
  return ['GET /a?b HTTP/1.1', 'Host: a.example', ...lines, '', ''].join('\r\n')
}

test('a request head is read into its parts', () => {
  const text =
    'POST /a?b HTTP/1.1\r\nHost: A.example:80\r\nX-B: \t c d \t\r\nx-b:e\r\nX-Empty:\r\nContent-Length: 07\r\n\r\n'
  assert.deepEqual(request(text), {
    method: 'POST',
    target: '/a?b',
    minor: 1,
    headers: ['host', 'A.example:80', 'x-b', 'c d', 'x-b', 'e', 'x-empty', '', 'content-length', '07'],
    framing: 7,
    host: 'A.example:80',
    keepAlive: true,
    expectsContinue: false,
    upgrade: [],
  })
})

test('methods are case-sensitive tokens, known or not', () => {
  for (const method of ['GET', 'get', 'PROPFIND', 'M-SEARCH', '!']) {
    assert.equal(request(get().replace('GET', method)).method, method)
  }
  for (const method of ['', 'G T', 'G\tT', 'G(T', 'G\xe4T', 'GET ']) {
    assert.equal(
      refusal(parseRequestHead(get().replace('GET', method), LIMITS)).reason,
      'bad_request',
      method,
    )
  }
})

test('the end of a text that is no head is no end of the world', () => {
  const text = get('Content-Length: 5', 'X-A: b')
  for (let length = 0; length < text.length; length++) {
    assert.equal(
      refusal(parseRequestHead(text.slice(0, length), LIMITS)).reason,
      'bad_request',
      `length ${length}`,
    )
  }
  const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'
  for (let length = 0; length < answer.length; length++) {
    refusal(parseResponseHead(answer.slice(0, length), LIMITS, 'GET'))
  }
  assert.equal(refusal(parseRequestHead(`${text}X`, LIMITS)).reason, 'bad_request')
})

test('targets: their four forms, their characters and their length', () => {
  for (const target of [
    '/',
    '//',
    '/%zz',
    '/a?b?c',
    '*',
    'http://a',
    'HTTPS://a:1/b?c',
    'http://[::1]',
    'http://a?b',
  ]) {
    assert.equal(request(get().replace('/a?b', () => target)).target, target)
  }
  for (const target of [
    'a',
    '*a',
    '?',
    'http:/a',
    'http://',
    'http:///a',
    'http://u@a/',
    'http://a"/',
    'a:1',
    '/#',
    '/\x7f',
  ]) {
    assert.equal(
      refusal(parseRequestHead(get().replace('/a?b', target), LIMITS)).reason,
      'bad_request',
      target,
    )
  }
  for (let code = 0; code < 256; code++) {
    const head = parseRequestHead(
      get().replace('/a?b', () => `/${String.fromCharCode(code)}`),
      LIMITS,
    )
    const allowed = code > 0x20 && code < 0x7f && code !== 0x23
    assert.equal(!(head instanceof ProxyError), allowed, `code ${code}`)
  }
  const limits = { ...LIMITS, urlBytes: 4 }
  assert.equal(request(get(), limits).target, '/a?b')
  assert.equal(refusal(parseRequestHead(get(), { ...limits, urlBytes: 3 })).reason, 'uri_too_long')
})

test('CONNECT names a host and a port, and has no body', () => {
  const connect = (target: string, ...lines: string[]) =>
    parseRequestHead(
      get(...lines).replace('GET /a?b', () => `CONNECT ${target}`),
      LIMITS,
    )
  for (const target of ['a.example:443', '[::1]:1', '1.2.3.4:65535']) {
    assert.ok(!(connect(target) instanceof ProxyError), target)
  }
  for (const target of [
    'a',
    'a:',
    ':1',
    'u@a:1',
    '/',
    '*',
    'http://a:1/',
    '[::1]',
    'a:b',
    'a:123456',
    'a:1/',
  ]) {
    assert.equal(refusal(connect(target)).reason, 'bad_request', target)
  }
  refusal(connect('a:1', 'Content-Length: 1'))
  refusal(connect('a:1', 'Transfer-Encoding: chunked'))
  assert.ok(!(connect('a:1', 'Content-Length: 0') instanceof ProxyError))
})

test('versions', () => {
  const version = (text: string) => parseRequestHead(get().replace('HTTP/1.1', text), LIMITS)
  assert.equal(request(get().replace('1.1', '1.0')).minor, 0)
  for (const text of ['HTTP/1.2', 'HTTP/2.0', 'HTTP/9.9'])
    assert.equal(refusal(version(text)).reason, 'http_version')
  for (const text of [
    'HTTP/0.9',
    'HTTP/1',
    'http/1.1',
    'HTTP/1.10',
    'HTTP/1.1 ',
    '',
    'HTTP/1x1',
    'HTTP/:.1',
  ]) {
    assert.equal(refusal(version(text)).reason, 'bad_request', text)
  }
})

test('the request line ends with CRLF', () => {
  for (const end of ['\r', '\n', '\rX', '\r\r\n', ' \r\n', '']) {
    const text = `GET / HTTP/1.1${end}Host: a\r\n\r\n`
    assert.equal(refusal(parseRequestHead(text, LIMITS)).reason, 'bad_request', JSON.stringify(end))
    const answer = `HTTP/1.1 200 OK${end}Host: a\r\n\r\n`
    if (end.includes('\r\n') || end === '') continue
    assert.equal(refusal(parseResponseHead(answer, LIMITS, 'GET')).reason, 'upstream_bad_response')
  }
})

test('limits of fields and bytes', () => {
  const text = get('X-A: b')
  assert.equal(request(text, { ...LIMITS, headerFields: 2 }).headers.length, 4)
  assert.equal(refusal(parseRequestHead(text, { ...LIMITS, headerFields: 1 })).reason, 'headers_too_large')
  assert.equal(request(text, { ...LIMITS, headerBytes: text.length }).headers.length, 4)
  assert.equal(
    refusal(parseRequestHead(text, { ...LIMITS, headerBytes: text.length - 1 })).reason,
    'headers_too_large',
  )
})

test('every byte in a value: tab, visible ones and those above 0x7f', () => {
  for (let code = 0; code < 256; code++) {
    const char = String.fromCharCode(code)
    const allowed = code === 9 || (code >= 0x20 && code !== 0x7f)
    const head = parseRequestHead(get(`X-A: a${char}b`), LIMITS)
    assert.equal(!(head instanceof ProxyError), allowed, `code ${code}`)
    const answer = parseResponseHead(`HTTP/1.1 200 OK\r\nX-A: a${char}b\r\n\r\n`, LIMITS, 'GET')
    assert.equal(!(answer instanceof ProxyError), allowed, `code ${code}`)
    const reason = parseResponseHead(`HTTP/1.1 200 a${char}b\r\n\r\n`, LIMITS, 'GET')
    assert.equal(!(reason instanceof ProxyError), allowed, `code ${code}`)
  }
})

test('Host: exactly one, and not an empty one in HTTP/1.1', () => {
  const old = (...lines: string[]) => ['GET / HTTP/1.0', ...lines, '', ''].join('\r\n')
  assert.equal(request(old()).host, null)
  assert.equal(request(old('Host:')).host, '')
  assert.equal(request(old('Host: a')).host, 'a')
  refusal(parseRequestHead(old('Host: a', 'Host: a'), LIMITS))
  refusal(parseRequestHead(get('host: a.example'), LIMITS))
  refusal(parseRequestHead(get('Host:'), LIMITS))
  refusal(parseRequestHead('GET / HTTP/1.1\r\n\r\n', LIMITS))
  refusal(parseRequestHead('GET / HTTP/1.1\r\nHost: \t\r\n\r\n', LIMITS))
})

test('lengths: digits only, once, and exactly a number', () => {
  const length = (text: string) => parseRequestHead(get(`Content-Length:${text}`), LIMITS)
  assert.equal(request(get('Content-Length: 9007199254740991')).framing, 9007199254740991)
  assert.equal(request(get('Content-Length: 0')).framing, 0)
  for (const text of [
    '9007199254740992',
    '9999999999999999',
    '00000000000000001',
    '-1',
    '+1',
    '',
    '1,1',
    '1 1',
    '1.',
    '0x1',
  ]) {
    assert.equal(refusal(length(text)).reason, 'bad_request', text)
  }
  refusal(parseRequestHead(get('Content-Length: 1', 'Content-Length: 1'), LIMITS))
  refusal(parseRequestHead(get('Content-Length: 0', 'Content-Length: 1'), LIMITS))
  // Also where the first one is no length at all.
  refusal(parseRequestHead(get('Content-Length: x', 'Content-Length: 1'), LIMITS))
})

test('codings: chunked, once, in HTTP/1.1, without a length', () => {
  assert.equal(request(get('Transfer-Encoding: chunked')).framing, 'chunked')
  assert.equal(request(get('Transfer-Encoding:\tCHUNKED')).framing, 'chunked')
  for (const text of [
    'identity',
    'gzip, chunked',
    'chunked, chunked',
    '',
    'chunked ',
    'chunked\t',
    'chunked;a',
    'xchunked',
  ]) {
    assert.equal(
      refusal(parseRequestHead(get(`Transfer-Encoding: ${text}`), LIMITS)).reason,
      'bad_request',
      text,
    )
  }
  refusal(parseRequestHead(get('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'), LIMITS))
  refusal(parseRequestHead(get('Transfer-Encoding: chunked', 'Content-Length: 0'), LIMITS))
  refusal(parseRequestHead(get('Transfer-Encoding: chunked').replace('/1.1', '/1.0'), LIMITS))
})

test('keep-alive by version and by the members of Connection', () => {
  const kept = (version: string, ...lines: string[]) =>
    request(get(...lines).replace('/1.1', `/${version}`)).keepAlive
  assert.equal(kept('1.1'), true)
  assert.equal(kept('1.1', 'Connection: keep-alive'), true)
  assert.equal(kept('1.1', 'Connection: close'), false)
  assert.equal(kept('1.1', 'Connection: CLOSE'), false)
  assert.equal(kept('1.1', 'Connection: x, close'), false)
  assert.equal(kept('1.1', 'Connection: x', 'Connection: close'), false)
  assert.equal(kept('1.1', 'Connection: closed'), true)
  assert.equal(kept('1.0'), false)
  assert.equal(kept('1.0', 'Connection: Keep-Alive'), true)
  assert.equal(kept('1.0', 'Connection: keep-alive, close'), false)
})

test('Expect', () => {
  const expects = (...lines: string[]) => request(get(...lines)).expectsContinue
  assert.equal(expects('Expect: 100-continue', 'Content-Length: 1'), true)
  assert.equal(expects('Expect: 100-Continue', 'Transfer-Encoding: chunked'), true)
  assert.equal(expects('Expect: 100-continue', 'Content-Length: 0'), false)
  assert.equal(expects('Expect: 100-continue'), false)
  assert.equal(
    request(get('Expect: 100-continue', 'Content-Length: 1').replace('/1.1', '/1.0')).expectsContinue,
    false,
  )
  for (const lines of [
    ['Expect: x'],
    ['Expect:'],
    ['Expect: 100-continue, x'],
    ['Expect: 100-continue', 'Expect: x'],
  ]) {
    assert.equal(refusal(parseRequestHead(get(...lines), LIMITS)).reason, 'expectation_failed')
  }
})

test('Upgrade counts where Connection names it, in HTTP/1.1', () => {
  const upgrade = (...lines: string[]) => request(get(...lines)).upgrade
  assert.deepEqual(upgrade('Connection: Upgrade', 'Upgrade: WebSocket'), ['websocket'])
  assert.deepEqual(upgrade('Connection: keep-alive, upgrade', 'Upgrade: a , B/1', 'Upgrade: ,c'), [
    'a',
    'b/1',
    'c',
  ])
  assert.deepEqual(upgrade('Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMA'), [
    'h2c',
  ])
  assert.deepEqual(upgrade('Upgrade: websocket'), [])
  assert.deepEqual(upgrade('Connection: upgrade'), [])
  assert.deepEqual(request(get('Connection: upgrade', 'Upgrade: a').replace('/1.1', '/1.0')).upgrade, [])
})

test('nothing of one head is left for the next', () => {
  const all = [
    'Connection: close, upgrade, keep-alive',
    'Upgrade: a',
    'Expect: 100-continue',
    'Content-Length: 5',
  ]
  request(get(...all))
  const { headers: _, ...rest } = request(get())
  assert.deepEqual(rest, {
    method: 'GET',
    target: '/a?b',
    minor: 1,
    framing: 'none',
    host: 'a.example',
    keepAlive: true,
    expectsContinue: false,
    upgrade: [],
  })
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProxyError } from '../exchange/proxy-error.ts'
import { checkResponseHead } from './response-head.ts'

function read(headers: string[], method = 'GET') {
  const head = checkResponseHead([...headers], method)
  return head instanceof ProxyError ? `${head.reason}: ${head.cause}` : head
}

test('a head is read with what it says of the body', () => {
  assert.deepEqual(read([':status', '200', 'content-length', '5', 'set-cookie', 'a', 'set-cookie', 'b']), {
    status: 200,
    headers: ['content-length', '5', 'set-cookie', 'a', 'set-cookie', 'b'],
    version: 'HTTP/2',
    expected: 5,
    declared: 5,
  })
  const bodies: [headers: string[], method: string, expected: unknown, declared: number][] = [
    [[':status', '200'], 'GET', 'unknown', -1],
    [[':status', '200', 'content-length', '0'], 'POST', 0, 0],
    [[':status', '200', 'content-length', '9007199254740991'], 'GET', 9007199254740991, 9007199254740991],
    [[':status', '200', 'content-length', '7'], 'HEAD', 'none', 7],
    [[':status', '304', 'content-length', '7'], 'GET', 'none', 7],
    [[':status', '204'], 'GET', 'none', -1],
    [[':status', '103', 'link', '</a>'], 'GET', 'none', -1],
    [[':status', '100', 'content-length', '0'], 'POST', 'none', 0],
    [[':status', '599'], 'GET', 'unknown', -1],
  ]
  for (const [headers, method, expected, declared] of bodies) {
    const head = checkResponseHead([...headers], method)
    assert(!(head instanceof ProxyError), String(headers))
    assert.deepEqual([head.expected, head.declared], [expected, declared], `${method} ${String(headers)}`)
  }
})

test('what is no response of HTTP/2 is refused', () => {
  const refused: [headers: string[], cause: RegExp][] = [
    [[], /begin with :status/],
    [['server', 'x', ':status', '200'], /begin with :status/],
    [[':path', '/'], /begin with :status/],
    [[':status', '200', ':status', '200'], /:status does not belong/],
    [[':status', '200', 'server', 'x', ':status', '200'], /:status does not belong/],
    [[':status', '200', ':path', '/'], /:path does not belong/],
    ...['', '20', '2000', '099', '600', '0x1', '+20', '2 0', '200 OK', '٢٠٠'].map(
      (status): [string[], RegExp] => [[':status', status], /the status is not a number/],
    ),
    [[':status', '101'], /101 does not belong/],
    ...['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'].map(
      (name): [string[], RegExp] => [[':status', '200', name, 'x'], new RegExp(`${name} does not belong in`)],
    ),
    [[':status', '200', 'content-length', '5', 'content-length', '5'], /more than one content-length/],
    ...['', '-1', '+1', '1,1', '0x5', '1e3', '9007199254740992', '12345678901234567'].map(
      (length): [string[], RegExp] => [
        [':status', '200', 'content-length', length],
        /content-length is not a valid/,
      ],
    ),
    [[':status', '103', 'content-length', '5'], /informational response has a length/],
  ]
  for (const [headers, cause] of refused) {
    const head = checkResponseHead([...headers], 'GET')
    assert(head instanceof ProxyError, `taken: ${String(headers)}`)
    assert.equal(head.reason, 'upstream_bad_response')
    assert.match(head.cause, cause)
  }
})

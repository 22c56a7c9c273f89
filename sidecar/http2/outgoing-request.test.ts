import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BufferedBody, NO_BODY } from '../exchange/body.ts'
import type { OutgoingRequest } from '../exchange/outgoing.ts'
import { requestList } from './outgoing-request.ts'

function list(more: Partial<OutgoingRequest>, scheme: 'http' | 'https' = 'http'): string[] {
  const request = {
    method: 'GET',
    target: '/a?b',
    host: 'a.example',
    headers: [],
    body: NO_BODY,
    tunnel: null,
    expectsContinue: false,
    ...more,
  }
  return [...requestList(request, scheme)]
}

const PSEUDO = [':method', 'GET', ':scheme', 'http', ':authority', 'a.example', ':path', '/a?b']

test('pseudo fields come first, what belongs to a connection of HTTP/1 is left out', () => {
  assert.deepEqual(list({}), PSEUDO)
  const headers = [
    'accept',
    '*/*',
    'connection',
    'Upgrade',
    'upgrade',
    'x',
    'keep-alive',
    '1',
    'x-a',
    'b',
    'x-a',
    'c',
  ]
  assert.deepEqual(list({ headers }), [...PSEUDO, 'accept', '*/*', 'x-a', 'b', 'x-a', 'c'])
  assert.deepEqual(
    list({ headers: ['transfer-encoding', 'chunked', 'proxy-connection', 'x', 'host', 'evil'] }),
    PSEUDO,
  )
  // A shorter list behind a longer one.
  assert.equal(list({}, 'https')[3], 'https')
  assert.equal(list({}).length, PSEUDO.length)
})

test('a length that is known is said; gRPC asks for trailers once', () => {
  const body = new BufferedBody(Buffer.from('hello'))
  assert.deepEqual(list({ method: 'POST', body }).slice(8), ['content-length', '5'])
  const unknown = { length: 'unknown', start: () => {}, resume: () => {}, abort: () => {} } as const
  const grpc = ['content-type', 'application/grpc+proto']
  assert.deepEqual(list({ method: 'POST', body: unknown, headers: grpc }).slice(8), [
    ...grpc,
    'te',
    'trailers',
  ])
  const asks = [...grpc, 'te', 'trailers']
  assert.deepEqual(list({ method: 'POST', body: unknown, headers: asks }).slice(8), asks)
})

test('an upgrade is an extended CONNECT without a key', () => {
  const headers = [
    'connection',
    'Upgrade',
    'upgrade',
    'websocket',
    'sec-websocket-key',
    'k',
    'sec-websocket-version',
    '13',
  ]
  assert.deepEqual(list({ headers, tunnel: 'websocket' }), [
    ':method',
    'CONNECT',
    ':protocol',
    'websocket',
    ':scheme',
    'http',
    ':authority',
    'a.example',
    ':path',
    '/a?b',
    'sec-websocket-version',
    '13',
  ])
  assert.ok(list({ headers: ['sec-websocket-key', 'k'] }).includes('sec-websocket-key'))
})

test('what does not fit its place is a bug', () => {
  for (const more of [
    { method: 'G T' },
    { method: '' },
    { target: '/a b' },
    { target: '/a\r\n' },
    { target: '' },
    { host: 'a b' },
    { host: '' },
  ])
    assert.throws(() => list(more), JSON.stringify(more))
})

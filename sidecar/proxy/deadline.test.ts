import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Exchange } from '../exchange/exchange.ts'
import { exchangeFixture } from '../exchange/exchange-fixture.ts'
import { headerValues } from '../exchange/headers.ts'
import { type CallerDeadline, callerDeadline, grpcTimeout, passDeadline } from './deadline.ts'

function asked(headers: string[], method = 'POST'): Exchange {
  const exchange = exchangeFixture({ method, headers, startedAt: 1000 })
  exchange.upstreamHeaders = [...headers]
  return exchange
}
const GRPC = ['content-type', 'application/grpc+proto']
const at = (deadline: CallerDeadline | null): number | null => deadline?.at ?? null

test('grpc-timeout: eight digits and a unit', () => {
  const values = { '1H': 3_600_000, '2M': 120_000, '10S': 10_000, '250m': 250, '1500u': 1.5, '0n': 0 }
  for (const [text, expected] of Object.entries(values)) assert.equal(grpcTimeout(text), expected)
  for (const bad of [
    '',
    'S',
    '10',
    '10s',
    '-1S',
    '1.5S',
    '123456789S',
    '1 S',
    ' 1S',
    '1SS',
    '１S',
    'toString',
  ])
    assert.equal(grpcTimeout(bad), null, bad)
})

test('a gRPC request is one by its content type, and a POST', () => {
  assert.equal(at(callerDeadline(asked([...GRPC, 'grpc-timeout', '2S']), null)), 3000)
  assert.equal(callerDeadline(asked([...GRPC, 'grpc-timeout', '2S'], 'GET'), null), null)
  for (const type of ['application/json', 'application/grpcx', 'text/plain'])
    assert.equal(callerDeadline(asked(['content-type', type, 'grpc-timeout', '2S']), null), null)
  assert.equal(callerDeadline(asked([...GRPC, 'grpc-timeout', 'soon']), null), null)
})

test('a header that the route names, and the sooner of the two', () => {
  const name = 'x-request-timeout-ms'
  assert.equal(at(callerDeadline(asked([name, '250'], 'GET'), name)), 1250)
  assert.equal(callerDeadline(asked([name, '250'], 'GET'), null), null)
  for (const bad of ['', '-1', '1.5', '1s', '99999999999'])
    assert.equal(callerDeadline(asked([name, bad]), name), null, bad)
  const both = [...GRPC, 'grpc-timeout', '2S', name, '500']
  assert.deepEqual(callerDeadline(asked(both), name), { field: name, at: 1500, whole: false })
})

test('what is left goes upstream once, in whole milliseconds that are never more', () => {
  const exchange = asked([...GRPC, 'grpc-timeout', '2S', 'grpc-timeout', '3S'])
  passDeadline(exchange, 'grpc-timeout', 1234.9)
  assert.deepEqual(headerValues(exchange.upstreamHeaders, 'grpc-timeout'), ['1234m'])
  passDeadline(exchange, 'grpc-timeout', 1e12)
  assert.deepEqual(headerValues(exchange.upstreamHeaders, 'grpc-timeout'), ['99999999m'])
  passDeadline(exchange, 'x-left', -5)
  assert.deepEqual(headerValues(exchange.upstreamHeaders, 'x-left'), ['0'])
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeFixture } from './exchange-fixture.ts'
import { GRPC_NAMES, grpcKind, grpcMessage, grpcStatusOf, httpStatusOf } from './grpc-status.ts'
import { ProxyError, REASONS } from './proxy-error.ts'

test('tells calls of gRPC by their content type', () => {
  const kinds: readonly [string, string | null][] = [
    ['application/grpc', 'grpc'],
    ['application/grpc+proto', 'grpc'],
    ['Application/gRPC; charset=x', 'grpc'],
    ['application/grpc-web', 'grpc-web'],
    ['application/grpc-web+proto', 'grpc-web'],
    ['application/grpc-web-text', 'grpc-web'],
    ['application/grpc-web-text+proto', 'grpc-web'],
    ['application/grpc-websocket', null],
    ['application/grpcx', null],
    ['application/json', null],
  ]
  for (const [type, kind] of kinds) {
    const headers = ['content-type', type]
    assert.equal(grpcKind(exchangeFixture({ method: 'POST', headers })), kind, type)
    assert.equal(grpcKind(exchangeFixture({ method: 'GET', headers })), null)
  }
  assert.equal(grpcKind(exchangeFixture({ method: 'POST' })), null)
})

test('every reason has a status of gRPC, and what a client may simply try again is unavailable', () => {
  for (const reason of Object.keys(REASONS)) {
    const status = grpcStatusOf(reason)
    assert.ok(status > 0 && status < GRPC_NAMES.length, reason)
  }
  assert.equal(GRPC_NAMES[grpcStatusOf('circuit_open')], 'unavailable')
  assert.equal(GRPC_NAMES[grpcStatusOf('upstream_connect_failed')], 'unavailable')
  assert.equal(GRPC_NAMES[grpcStatusOf('deadline_exceeded')], 'deadline-exceeded')
  assert.equal(GRPC_NAMES[grpcStatusOf('rate_limited')], 'resource-exhausted')
})

test('a message names the reason and is percent-encoded', () => {
  assert.equal(grpcMessage(new ProxyError('no_route'), 'Nothing there'), 'no_route: Nothing there')
  assert.equal(grpcMessage(new ProxyError('bad_request', '5% \u00e4'), 'x'), 'bad_request: 5%25 %C3%A4')
  assert.equal(grpcMessage(new ProxyError('bad_request', 'a\nb'), 'x'), 'bad_request')
})

test('only what lies with the server counts against it', () => {
  const bad = GRPC_NAMES.filter((_, code) => httpStatusOf(code) >= 500)
  assert.deepEqual(bad, ['unknown', 'deadline-exceeded', 'internal', 'unavailable', 'data-loss'])
})

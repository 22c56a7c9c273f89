import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProxyError } from '../exchange/proxy-error.ts'
import { afterFailure, mayRepeat, type RetryState } from './retry.ts'

const state = (more: Partial<RetryState> = {}): RetryState => ({
  method: 'GET',
  replayable: true,
  retries: 0,
  raced: false,
  allowed: 1,
  ...more,
})
const NEVER = new ProxyError('upstream_connect_failed', '', { repeatable: 'never_processed' })
const RACE = new ProxyError('upstream_reset', '', { repeatable: 'reuse_race' })
const NO = new ProxyError('upstream_reset')

test('what was never processed is retried, whatever its method, as often as the route allows', () => {
  for (const method of ['GET', 'POST', 'PATCH', 'PUT', 'ODD']) {
    assert.equal(afterFailure(NEVER, state({ method })), 'retry')
    assert.equal(afterFailure(NEVER, state({ method, retries: 1 })), 'fail')
    assert.equal(afterFailure(NEVER, state({ method, allowed: 0 })), 'fail')
  }
})

test('a lost reuse race is repeated once, for methods that do no harm twice, outside of the retries', () => {
  const safe = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']
  for (const method of [...safe, 'POST', 'PATCH', 'CONNECT', 'TRACE', 'ODD', 'get']) {
    const expected = safe.includes(method) ? 'repeat' : 'fail'
    assert.equal(afterFailure(RACE, state({ method, allowed: 0 })), expected)
    assert.equal(afterFailure(RACE, state({ method, retries: 1 })), expected)
    assert.equal(afterFailure(RACE, state({ method, raced: true })), 'fail')
    assert.equal(mayRepeat(method), expected === 'repeat')
  }
})

test('anything else fails, and so does whatever cannot be sent again', () => {
  assert.equal(afterFailure(NO, state({ allowed: 9 })), 'fail')
  for (const error of [NEVER, RACE, NO])
    assert.equal(afterFailure(error, state({ replayable: false })), 'fail')
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ProxyError } from '../exchange/proxy-error.ts'
import type { RetryPolicy } from '../snapshot/policies.ts'
import { afterFailure, afterStatus, backoff, conditionOf, mayMatter } from './retry.ts'
import { mayRepeat, repeatsAtOnce, type RetryState, retryAfter } from './retry.ts'

const policy = (more: Partial<RetryPolicy> = {}): RetryPolicy => ({
  count: 1,
  statuses: [],
  methods: [],
  backoff: { from: 25, to: 250 },
  budget: { percent: 20, min: 3 },
  replay: 65_536,
  hedge: null,
  ...more,
})
const state = (more: Partial<RetryState> = {}): RetryState => ({
  method: 'GET',
  replayable: true,
  retries: 0,
  raced: false,
  policy: policy(),
  ...more,
})
const SAFE = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']
const OTHERS = ['POST', 'PATCH', 'CONNECT', 'TRACE', 'ODD', 'get']
const wide = policy({ statuses: [502, 503, 504], methods: SAFE })
const NEVER = new ProxyError('upstream_connect_failed', '', { repeatable: 'never_processed' })
const RACE = new ProxyError('upstream_reset', '', { repeatable: 'reuse_race' })
const REFUSED = new ProxyError('upstream_reset', '', { repeatable: 'never_processed' })
const NO = new ProxyError('upstream_reset')
const WALL = Date.UTC(2026, 0, 1)
const wall = (): number => WALL

test('what was never processed is retried, whatever its method, as often as the route allows', () => {
  for (const method of ['GET', 'POST', 'PATCH', 'PUT', 'ODD']) {
    assert.equal(afterFailure(NEVER, state({ method })), 'retry')
    assert.equal(afterFailure(NEVER, state({ method, retries: 1 })), 'fail')
    assert.equal(afterFailure(NEVER, state({ method, policy: null })), 'fail')
  }
})

test('a lost reuse race is repeated once, for methods that do no harm twice, outside of the retries', () => {
  for (const method of [...SAFE, ...OTHERS]) {
    const expected = SAFE.includes(method) ? 'repeat' : 'fail'
    assert.equal(afterFailure(RACE, state({ method, policy: null })), expected)
    assert.equal(afterFailure(RACE, state({ method, retries: 1 })), expected)
    assert.equal(afterFailure(RACE, state({ method, raced: true })), 'fail')
    assert.equal(mayRepeat(method), expected === 'repeat')
  }
})

test('a stream that its peer refused unprocessed is repeated once at once, whatever its method; then it is a retry', () => {
  for (const method of [...SAFE, ...OTHERS]) {
    assert.equal(afterFailure(REFUSED, state({ method, policy: null })), 'repeat')
    assert.equal(afterFailure(REFUSED, state({ method, raced: true })), 'retry')
    assert.equal(afterFailure(REFUSED, state({ method, raced: true, retries: 1 })), 'fail')
    assert.equal(afterFailure(REFUSED, state({ method, replayable: false })), 'fail')
  }
  assert.equal(repeatsAtOnce(REFUSED, false) && repeatsAtOnce(RACE, false), true)
  assert.equal(repeatsAtOnce(REFUSED, true) || repeatsAtOnce(NEVER, false) || repeatsAtOnce(NO, false), false)
})

test('what may have been processed is retried for the methods of the policy only', () => {
  for (const method of [...SAFE, ...OTHERS]) {
    const expected = SAFE.includes(method) ? 'retry' : 'fail'
    for (const error of [NO, new ProxyError('upstream_timeout'), new ProxyError('upstream_bad_response')]) {
      assert.equal(afterFailure(error, state({ method, policy: wide })), expected)
      assert.equal(afterFailure(error, state({ method })), 'fail')
    }
    assert.equal(afterStatus(503, [], state({ method, policy: wide }), wall), expected === 'retry' ? 0 : -1)
  }
  // Lost twice, it is a failure as any other.
  assert.equal(afterFailure(RACE, state({ raced: true, policy: wide })), 'retry')
})

test('what a client did is not retried, nor what cannot be sent again', () => {
  for (const reason of ['body_aborted', 'request_too_large', 'client_gone', 'deadline_exceeded'] as const)
    assert.equal(afterFailure(new ProxyError(reason), state({ policy: wide })), 'fail')
  for (const error of [NEVER, RACE, NO])
    assert.equal(afterFailure(error, state({ replayable: false, policy: wide })), 'fail')
  assert.equal(afterStatus(503, [], state({ replayable: false, policy: wide }), wall), -1)
})

test('statuses: those of the policy, as often as it allows, when the upstream says so', () => {
  const after = (headers: string[], status = 503, retries = 0): number =>
    afterStatus(status, headers, state({ policy: wide, retries }), wall)
  assert.equal(after([]), 0)
  assert.equal(after([], 500), -1)
  assert.equal(after([], 503, 1), -1)
  assert.equal(after(['retry-after', '2']), 2000)
  assert.equal(after(['retry-after', '301']), -1)
  assert.equal(after(['retry-after', 'Thu, 01 Jan 2026 00:00:05 GMT']), 5000)
  assert.equal(after(['retry-after', 'Thu, 01 Jan 2026 00:10:00 GMT']), -1)
})

test('retry-after: seconds, a date as senders write it, or nothing', () => {
  assert.equal(retryAfter('0', wall), 0)
  assert.equal(retryAfter('120', wall), 120_000)
  assert.equal(retryAfter('Wed, 31 Dec 2025 23:00:00 GMT', wall), 0)
  for (const bad of ['', '-1', '1.5', '1e3', ' 1', '2026-01-01', 'Thu, 41 Jan 2026 00:00:00 GMT'])
    assert.equal(retryAfter(bad, wall), null, bad)
  assert.equal(retryAfter(undefined, wall), null)
})

test('retry-after: a number of any length is one: whoever asks for ages is not asked again at once', () => {
  for (const digits of [10, 30, 400]) {
    const value = '9'.repeat(digits)
    assert.ok((retryAfter(value, wall) ?? 0) > 1e12, value)
    assert.equal(afterStatus(503, ['retry-after', value], state({ policy: wide }), wall), -1, value)
  }
})

test('the pause is drawn between 0 and a bound that doubles up to the last', () => {
  const times = policy({ backoff: { from: 25, to: 250 } })
  const most = [1, 2, 3, 4, 5, 50, 2000].map(retry => backoff(times, retry, () => 1))
  assert.deepEqual(most, [25, 50, 100, 200, 250, 250, 250])
  assert.equal(
    backoff(times, 3, () => 0),
    0,
  )
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      fc.integer({ min: 1, max: 100 }),
      (chance, retry) => {
        const pause = backoff(times, retry, () => chance)
        return pause >= 0 && pause <= 250
      },
    ),
    { numRuns: 200 },
  )
})

test('conditions: a status of gRPC or a field in the headers, of whatever status; only where the policy names them', () => {
  const named = policy({ statuses: [503], grpcStatuses: [14, 8], headers: ['x-again'], methods: ['POST'] })
  for (const [status, headers, condition] of [
    [503, [], '503'],
    [200, ['grpc-status', '14'], 'grpc-status 14'],
    [200, ['grpc-status', '8'], 'grpc-status 8'],
    [200, ['grpc-status', '0'], null],
    [200, ['grpc-status', '13'], null],
    [200, ['grpc-status', 'unavailable'], null],
    [200, ['x-again', ''], 'x-again'],
    [404, ['x-again', 'no'], 'x-again'],
    [500, ['grpc-message', 'x'], null],
  ] as const) {
    assert.equal(conditionOf(status, [...headers], named), condition)
    const wait = (method: string): number =>
      afterStatus(status, [...headers], state({ method, policy: named }), wall)
    assert.equal(wait('POST'), condition === null ? -1 : 0)
    assert.equal(wait('GET'), -1)
    assert.equal(conditionOf(status, [...headers], wide), status === 503 ? '503' : null)
  }
  assert.deepEqual(
    [mayMatter(200, named), mayMatter(200, wide), mayMatter(200, null), mayMatter(400, null)],
    [true, false, false, true],
  )
})

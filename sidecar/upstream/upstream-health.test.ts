import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { SteppedClock } from '../../test/harness/stepped-clock.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import type { Endpoint } from './endpoint.ts'
import { CountingWaiter, limits, liveState, OUTLIERS, tcp, upstreamSpec } from './live-fixture.ts'
import type { Outcome } from './outcome.ts'
import { Upstream } from './upstream.ts'
import type { CircuitBreakerSpec, UpstreamSpec } from './upstream-spec.ts'

const GOOD: Outcome = { status: 200, error: null, milliseconds: 10, retryAfter: null }
const BAD: Outcome = { status: 503, error: null, milliseconds: 1, retryAfter: null }
const ASK = { avoid: null, hash: -1, sticky: '' }

const THREE = [tcp('10.0.0.1'), tcp('10.0.0.2'), tcp('10.0.0.3')]
const BREAKER: CircuitBreakerSpec = {
  trip: { kind: 'consecutive', failures: 3 },
  openFor: 10_000,
  halfOpenRequests: 1,
  scope: 'upstream',
}

/** Upstreams on one live state, which has to be empty when they are gone. */
function setUp(t: TestContext) {
  const parts = liveState(new SteppedClock())
  parts.clock.drive(parts.wheel)
  const open = new Set<Upstream>()
  t.after(() => {
    for (const upstream of open) upstream.release()
    assert.deepEqual(parts.registry.keys(), [])
    parts.clock.step(60_000)
    assert.equal(parts.wheel.size, 0)
  })
  return {
    ...parts,
    start: (more: Partial<UpstreamSpec>): Upstream => {
      const upstream = new Upstream(upstreamSpec({ limits: limits(100, 100), ...more }), parts.live)
      open.add(upstream)
      return upstream
    },
    stop: (upstream: Upstream): void => {
      open.delete(upstream)
      upstream.release()
    },
  }
}

function picked(upstream: Upstream, more: Partial<typeof ASK> = {}): Endpoint {
  const endpoint = upstream.pick({ ...ASK, ...more })
  assert.ok(!(endpoint instanceof ProxyError), endpoint instanceof ProxyError ? endpoint.reason : '')
  return endpoint
}

/** Attempts at one endpoint that end at once. */
function send(upstream: Upstream, endpoint: Endpoint | undefined, outcome: Outcome, count = 1): void {
  assert.ok(endpoint !== undefined)
  for (let i = 0; i < count; i++) upstream.settled(endpoint, upstream.begin(endpoint), outcome)
}

/** Which endpoints are picked, by the last part of their addresses. */
function seen(upstream: Upstream, picks = 30): string[] {
  const labels = new Set<string>()
  for (let i = 0; i < picks; i++) labels.add(picked(upstream).label.replace(/^10\.0\.0\.(\d+):80$/, '$1'))
  return [...labels].toSorted()
}

describe('ejection', () => {
  test('takes an endpoint out of the picks, a probe brings it back, and all is told', t => {
    const { start, clock, lines, metrics } = setUp(t)
    const upstream = start({ endpoints: THREE, outlierDetection: OUTLIERS })
    const [first] = upstream.endpoints
    assert.deepEqual(seen(upstream), ['1', '2', '3'])
    send(upstream, first, BAD, 5)
    assert.deepEqual(seen(upstream), ['2', '3'])
    clock.step(30_000)
    // The next request is the probe, and while it runs there is no other.
    assert.equal(picked(upstream), first)
    const ticket = upstream.begin(picked(upstream))
    assert.deepEqual(seen(upstream), ['2', '3'])
    upstream.settled(first as Endpoint, ticket, GOOD)
    assert.deepEqual(seen(upstream), ['1', '2', '3'])
    assert.equal(metrics.ejectedForErrors, 1)
    assert.deepEqual(
      lines.map(({ level, message, fields }) => [level, message, fields['endpoint'], fields['why']]),
      [
        ['warn', 'an endpoint is ejected', '10.0.0.1:80', '5 consecutive errors, last: status 503'],
        ['info', 'an ejected endpoint is back', '10.0.0.1:80', undefined],
      ],
    )
  })

  test('a probe is no request that has failed there, nor one that is bound elsewhere', t => {
    const { start, clock } = setUp(t)
    const upstream = start({ endpoints: THREE, outlierDetection: OUTLIERS })
    const [first, second] = upstream.endpoints as [Endpoint, Endpoint]
    send(upstream, first, BAD, 5)
    clock.step(30_000)
    for (let i = 0; i < 10; i++) {
      assert.equal(picked(upstream, { sticky: second.token }), second)
      const other = upstream.pick({ ...ASK, avoid: first })
      assert.notEqual(other, first)
    }
    upstream.abandoned(first, upstream.begin(picked(upstream)))
    assert.equal(picked(upstream), first, 'a probe that was cut is made again')
  })

  test('outlives a reload, also one that changes thresholds; off is off', t => {
    const { start, stop, lines } = setUp(t)
    const before = start({ endpoints: THREE, outlierDetection: OUTLIERS })
    send(before, before.endpoints[0], BAD, 5)
    const after = start({ endpoints: THREE, outlierDetection: { ...OUTLIERS, consecutiveErrors: 50 } })
    stop(before)
    assert.deepEqual(seen(after), ['2', '3'])
    const off = start({ endpoints: THREE })
    assert.deepEqual(seen(off), ['1', '2', '3'])
    assert.equal(lines.length, 1)
  })

  test('a single endpoint is never ejected', t => {
    const { start } = setUp(t)
    const upstream = start({ outlierDetection: OUTLIERS })
    send(upstream, upstream.endpoints[0], BAD, 500)
    assert.deepEqual(seen(upstream), ['1'])
  })

  test('an ejected one is used again where the names know no other', t => {
    const { start, answer, tick } = setUp(t)
    const upstream = start({ endpoints: [tcp('app.example')], outlierDetection: OUTLIERS })
    answer('10.0.0.1', '10.0.0.2')
    send(upstream, upstream.endpoints[0], BAD, 5)
    assert.deepEqual(seen(upstream), ['2'])
    tick()
    answer('10.0.0.1')
    assert.deepEqual(seen(upstream), ['1'])
  })
})

describe('a breaker of the upstream', () => {
  test('refuses at the door and at a retry’s pick, says when to come again, and closes by a probe', t => {
    const { start, clock, metrics, lines } = setUp(t)
    const upstream = start({ endpoints: THREE, circuitBreaker: BREAKER })
    send(upstream, upstream.endpoints[0], BAD, 3)
    clock.step(2_500)
    for (const refused of [upstream.enter(new CountingWaiter()), upstream.pick(ASK)]) {
      assert.ok(refused instanceof ProxyError)
      assert.deepEqual([refused.reason, refused.status], ['circuit_open', 503])
      assert.deepEqual(refused.headers, ['retry-after', '8'])
    }
    assert.equal(upstream.load.inFlight, 0)
    clock.step(7_500)
    const probe = picked(upstream)
    const ticket = upstream.begin(probe)
    assert.ok(upstream.pick(ASK) instanceof ProxyError, 'one probe at a time')
    upstream.settled(probe, ticket, GOOD)
    assert.deepEqual(seen(upstream), ['1', '2', '3'])
    assert.equal(metrics.breakerOpened, 1)
    assert.deepEqual(
      lines.map(line => line.message),
      ['a circuit breaker is open', 'a circuit breaker is half-open', 'a circuit breaker is closed'],
    )
  })

  test('a probe that was cut gives its place back; open outlives a reload', t => {
    const { start, stop, clock } = setUp(t)
    const before = start({ circuitBreaker: BREAKER })
    const [endpoint] = before.endpoints
    send(before, endpoint, BAD, 3)
    const after = start({ circuitBreaker: { ...BREAKER, trip: { kind: 'consecutive', failures: 9 } } })
    stop(before)
    assert.ok(after.pick(ASK) instanceof ProxyError)
    clock.step(10_000)
    const ticket = after.begin(picked(after))
    after.abandoned(endpoint as Endpoint, ticket)
    send(after, picked(after), GOOD)
    assert.equal(after.breaker?.state, 'closed')
  })
})

describe('breakers of endpoints', () => {
  test('an open one is passed over, and tried by one request when its time is over', t => {
    const { start, clock } = setUp(t)
    const upstream = start({ endpoints: THREE, circuitBreaker: { ...BREAKER, scope: 'endpoint' } })
    const [first] = upstream.endpoints
    send(upstream, first, BAD, 3)
    assert.deepEqual(seen(upstream), ['2', '3'])
    clock.step(10_000)
    const probe = picked(upstream)
    assert.equal(probe, first)
    const ticket = upstream.begin(probe)
    assert.deepEqual(seen(upstream), ['2', '3'])
    upstream.settled(probe, ticket, GOOD)
    assert.deepEqual(seen(upstream), ['1', '2', '3'])
  })

  test('all open: refused, with the time of the first that is tried again', t => {
    const { start, clock } = setUp(t)
    const upstream = start({ endpoints: THREE, circuitBreaker: { ...BREAKER, scope: 'endpoint' } })
    for (const endpoint of upstream.endpoints) {
      send(upstream, endpoint, BAD, 3)
      clock.step(1_000)
    }
    const refused = upstream.pick(ASK)
    assert.ok(refused instanceof ProxyError)
    assert.deepEqual([refused.reason, refused.headers?.[1]], ['circuit_open', '7'])
  })
})

test('panic is told once for each change', t => {
  const { start, lines } = setUp(t)
  const endpoints = [1, 2, 3, 4].map(last => tcp(`10.0.0.${last}`))
  const upstream = start({ endpoints, outlierDetection: { ...OUTLIERS, maxEjectedPercent: 100 } })
  for (const endpoint of upstream.endpoints.slice(0, 3)) send(upstream, endpoint, BAD, 5)
  assert.deepEqual(seen(upstream), ['1', '2', '3', '4'])
  assert.equal(upstream.panic, true)
  const panics = lines.filter(({ message }) => message.includes('health is ignored'))
  assert.deepEqual(
    panics.map(({ fields }) => [fields['healthy'], fields['endpoints']]),
    [[1, 4]],
  )
})

describe('slow start', () => {
  const slow = { loadBalance: { ...upstreamSpec().loadBalance, slowStart: 10_000 } }
  const share = (upstream: Upstream, endpoint: Endpoint | undefined): number => {
    let count = 0
    for (let i = 0; i < 1000; i++) if (picked(upstream) === endpoint) count++
    return count / 1000
  }

  test('not at the beginning, but for one that joins, by a reload or a name', t => {
    const { start, stop, clock } = setUp(t)
    const before = start({ ...slow, endpoints: THREE.slice(0, 1) })
    assert.equal(before.members[0]?.warmth(0), 1)
    const after = start({ ...slow, endpoints: THREE.slice(0, 2) })
    stop(before)
    const joined = after.endpoints[1]
    assert.ok(Math.abs(share(after, joined) - 0.1 / 1.1) < 0.01)
    clock.step(5_000)
    assert.ok(Math.abs(share(after, joined) - 0.5 / 1.5) < 0.02)
    clock.step(5_500)
    assert.ok(Math.abs(share(after, joined) - 0.5) < 0.01)
  })

  test('names that are answered one after the other at the beginning are one beginning', t => {
    const { start, answer, tick } = setUp(t)
    const upstream = start({ ...slow, endpoints: [tcp('a.example'), tcp('b.example')] })
    answer('10.0.0.1')
    answer('10.0.0.2')
    assert.deepEqual(
      upstream.members.map(member => member.warmth(0)),
      [1, 1],
    )
    tick()
    answer('10.0.0.1', '10.0.0.3')
    assert.equal(upstream.members.find(member => member.label === '10.0.0.3:80')?.warmth(0), 0.1)
  })

  test('for one that is back', t => {
    const { start, clock } = setUp(t)
    const upstream = start({ ...slow, endpoints: THREE, outlierDetection: OUTLIERS })
    const [first] = upstream.endpoints
    send(upstream, first, BAD, 5)
    assert.equal(share(upstream, first), 0)
    clock.step(30_000)
    send(upstream, picked(upstream), GOOD)
    assert.ok(Math.abs(share(upstream, first) - 0.1 / 2.1) < 0.01)
  })
})

describe('limits', () => {
  test('the adaptive limit holds where it is less than what is configured', t => {
    const { start } = setUp(t)
    const upstream = start({ limits: limits(100, 100, { adaptive: { min: 2 } }) })
    const { limit } = upstream
    assert.ok(limit < 100)
    for (let i = 0; i < limit; i++) assert.equal(upstream.enter(new CountingWaiter()), true)
    assert.equal(upstream.enter(new CountingWaiter()), false)
  })

  test('it follows what answers show', t => {
    const { start, clock } = setUp(t)
    const upstream = start({ limits: limits(100, 100, { adaptive: { min: 2 } }) })
    const before = upstream.limit
    for (let round = 0; round < 60; round++) {
      const entered = Array.from({ length: upstream.limit }, () => {
        assert.equal(upstream.enter(new CountingWaiter()), true)
        return upstream.begin(picked(upstream))
      })
      clock.step(100)
      for (const ticket of entered) {
        upstream.settled(picked(upstream), ticket, GOOD)
        upstream.leave()
      }
    }
    assert.ok(upstream.limit > before, `${upstream.limit} after ${before}`)
  })

  test('connections bound what is in flight', t => {
    const { start } = setUp(t)
    const upstream = start({ limits: limits(100, 1, { connections: 1 }) })
    const waiter = new CountingWaiter()
    assert.equal(upstream.enter(new CountingWaiter()), true)
    assert.equal(upstream.enter(waiter), false)
    upstream.leave()
    assert.equal(waiter.entered, 1)
  })
})

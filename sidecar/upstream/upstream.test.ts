import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProxyError } from '../exchange/proxy-error.ts'
import { systemClock } from '../runtime/clock.ts'
import { CountingWaiter as Waiter, limits, liveState, tcp, upstreamSpec as spec } from './live-fixture.ts'
import { Upstream } from './upstream.ts'

const setUp = () => liveState(systemClock)

test('lets in as many as may be in flight, has as many wait, and refuses the rest', () => {
  const { live, registry, metrics } = setUp()
  const upstream = new Upstream(spec(), live)
  const waiters = Array.from({ length: 5 }, () => new Waiter())
  const answers = waiters.map(waiter => upstream.enter(waiter))
  assert.deepEqual(answers.slice(0, 4), [true, true, false, false])
  const refused = answers[4]
  assert.ok(refused instanceof ProxyError)
  assert.equal(refused.reason, 'upstream_overloaded')
  assert.equal(refused.repeatable, 'never_processed')
  assert.equal(metrics.pendingRefused, 1)
  assert.deepEqual([upstream.load.inFlight, upstream.load.waiting.length], [2, 2])
  // In the order in which they came; `enter` answered the first two itself.
  upstream.leave()
  assert.deepEqual(
    waiters.map(waiter => waiter.entered),
    [0, 0, 1, 0, 0],
  )
  assert.deepEqual([upstream.load.inFlight, upstream.load.waiting.length], [2, 1])
  for (let i = 0; i < 3; i++) upstream.leave()
  assert.equal(waiters[3]?.entered, 1)
  assert.deepEqual([upstream.load.inFlight, upstream.load.waiting.length], [0, 0])
  upstream.release()
  assert.equal(registry.size, 0)
})

test('one that gave up is not let in, and leaves its place to the next', () => {
  const { live, registry } = setUp()
  const upstream = new Upstream(spec({ limits: limits(1, 2) }), live)
  const [gone, next] = [new Waiter(), new Waiter()]
  upstream.enter(new Waiter())
  upstream.enter(gone)
  upstream.enter(next)
  upstream.withdraw(gone)
  upstream.withdraw(gone)
  upstream.leave()
  assert.deepEqual([gone.entered, next.entered], [0, 1])
  upstream.leave()
  upstream.release()
  assert.equal(registry.size, 0)
})

test('waiters that all leave as soon as they are let in are let in one after the other, however many there are', () => {
  const { live, registry, fail } = setUp()
  const waiters = 20_000
  const upstream = new Upstream(spec({ endpoints: [tcp('app.example')], limits: limits(10, waiters) }), live)
  const all = Array.from({ length: waiters }, () => new Waiter(() => upstream.leave()))
  for (const waiter of all) assert.equal(upstream.enter(waiter), false)
  fail()
  assert.ok(all.every(waiter => waiter.entered === 1))
  assert.deepEqual([upstream.load.inFlight, upstream.load.waiting.length], [0, 0])
  upstream.release()
  assert.equal(registry.size, 0)
})

test('whoever waits for a name that a newer generation looks up waits for that, whoever leaves meanwhile', () => {
  const { live, registry, answer } = setUp()
  const before = new Upstream(spec(), live)
  before.enter(new Waiter())
  const after = new Upstream(spec({ endpoints: [tcp('app.example')] }), live)
  const [early, full] = [new Waiter(), new Waiter()]
  assert.equal(after.enter(early), false)
  // They stand in nobody's way.
  before.enter(new Waiter())
  assert.equal(before.enter(full), false)
  before.leave()
  assert.deepEqual([early.entered, full.entered], [0, 1])
  before.leave()
  assert.equal(early.entered, 0)
  answer('10.0.0.2')
  assert.equal(early.entered, 1)
  after.leave()
  before.leave()
  assert.deepEqual([after.load.inFlight, after.load.waiting.length], [0, 0])
  before.release()
  after.release()
  assert.equal(registry.size, 0)
})

test('a place that an older generation gives back is had by the limits of whoever waits', () => {
  const { live, registry } = setUp()
  const before = new Upstream(spec({ limits: limits(1, 0) }), live)
  before.enter(new Waiter())
  const after = new Upstream(spec({ limits: limits(3, 1) }), live)
  after.enter(new Waiter())
  after.enter(new Waiter())
  const waits = new Waiter()
  assert.equal(after.enter(waits), false)
  before.leave()
  assert.equal(waits.entered, 1)
  for (let i = 0; i < 3; i++) after.leave()
  before.release()
  after.release()
  assert.equal(registry.size, 0)
})

test('what is in flight is counted over all generations, by the limits of each', () => {
  const { live, registry } = setUp()
  const before = new Upstream(spec(), live)
  before.enter(new Waiter())
  before.enter(new Waiter())
  const after = new Upstream(spec({ limits: limits(3, 0) }), live)
  assert.equal(after.enter(new Waiter()), true)
  assert.ok(after.enter(new Waiter()) instanceof ProxyError)
  assert.equal(after.load.inFlight, 3)
  before.leave()
  before.leave()
  before.release()
  assert.ok(registry.size > 0)
  after.leave()
  after.release()
  assert.equal(registry.size, 0)
})

test('an endpoint that both generations have is one endpoint with one pool; one that only the old has ends with it', () => {
  const { live, registry } = setUp()
  const before = new Upstream(spec({ endpoints: [tcp('10.0.0.1'), tcp('10.0.0.2')] }), live)
  const after = new Upstream(spec({ endpoints: [tcp('10.0.0.2'), tcp('10.0.0.3')] }), live)
  assert.equal(before.endpoints[1], after.endpoints[0])
  const keys = (): string[] => registry.keys().filter(key => key.includes('endpoint'))
  assert.equal(keys().length, 3)
  before.release()
  assert.equal(keys().length, 2)
  after.release()
  assert.equal(registry.size, 0)
})

test('waits for the first answer about its name, and gives up when it failed', () => {
  const { live, registry, answer, fail, tick } = setUp()
  const upstream = new Upstream(spec({ endpoints: [tcp('app.example', 8080)] }), live)
  const waiter = new Waiter()
  assert.ok(upstream.resolving)
  assert.equal(upstream.enter(waiter), false)
  fail()
  assert.equal(waiter.entered, 1)
  const error = upstream.pick({ avoid: null, hash: -1, sticky: '' })
  assert.ok(error instanceof ProxyError)
  assert.equal(error.reason, 'upstream_unresolved')
  assert.equal(error.cause, 'app.example:8080: ENOTFOUND')
  upstream.leave()
  tick()
  answer('10.0.0.9', '::1')
  assert.deepEqual(upstream.endpoints.map(one => one.label).toSorted(), ['10.0.0.9:8080', '[::1]:8080'])
  upstream.release()
  assert.equal(registry.size, 0)
})

test('a changed answer keeps the endpoints that stay, and one address from two names is one endpoint', () => {
  const { live, registry, answer, tick } = setUp()
  const upstream = new Upstream(spec({ endpoints: [tcp('a.example'), tcp('b.example')] }), live)
  answer('10.0.0.1', '10.0.0.2')
  answer('10.0.0.2', '10.0.0.3')
  assert.deepEqual(
    upstream.endpoints.map(one => one.label),
    ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80'],
  )
  const stays = upstream.endpoints[1]
  tick()
  answer('10.0.0.4')
  answer('10.0.0.2')
  assert.deepEqual(upstream.endpoints.map(one => one.label).toSorted(), ['10.0.0.2:80', '10.0.0.4:80'])
  assert.ok(upstream.endpoints.includes(stays as NonNullable<typeof stays>))
  for (let i = 0; i < 10; i++) {
    const picked = upstream.pick({ avoid: null, hash: -1, sticky: '' })
    assert.ok(!(picked instanceof ProxyError) && /\.[24]:80$/.test(picked.label))
  }
  upstream.release()
  assert.equal(registry.size, 0)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SteppedClock } from '../../test/harness/stepped-clock.ts'
import { exchangeFixture } from '../exchange/exchange-fixture.ts'
import { FINE_TICK_MS, TimerWheel } from '../runtime/timer-wheel.ts'
import type { TimeoutPolicy } from '../snapshot/policies.ts'
import { ExchangeClock } from './exchange-clock.ts'

const OFF: TimeoutPolicy = {
  total: null,
  perTry: null,
  firstByte: null,
  idle: null,
  stream: null,
  header: null,
}

function setUp(timeout: Partial<TimeoutPolicy>) {
  const clock = new SteppedClock()
  const wheel = clock.drive(new TimerWheel(clock))
  const fine = clock.drive(new TimerWheel(clock, FINE_TICK_MS))
  const fired: string[] = []
  const mover = { at: 0, movedAt: () => mover.at }
  const one: ExchangeClock = new ExchangeClock(
    {
      onTimer: () => {
        const seen = one.look()
        if (seen !== 'early') fired.push(`${seen}@${clock.now()}`)
      },
    },
    { wheel, fine },
    { ...OFF, ...timeout },
  )
  return { clock, wheel, fine, fired, mover, one, move: () => (mover.at = wheel.tickEnd) }
}

test('silence is counted from the last movement, to a tick of 100 ms, whenever that was', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 1999 }), { maxLength: 30 }),
      fc.integer({ min: 2000, max: 6000 }),
      (gaps, idle) => {
        const { clock, fired, one, mover, move } = setUp({ idle })
        move()
        one.watch(mover)
        let last = clock.now()
        for (const gap of gaps) {
          clock.step(gap)
          assert.deepEqual(fired, [])
          move()
          last = clock.now()
        }
        clock.step(2 * idle)
        const at = Number(fired[0]?.split('@')[1])
        assert.equal(fired[0]?.startsWith('silent@'), true)
        assert.ok(at >= last + idle && at <= last + idle + 200, `${at} after ${last}`)
      },
    ),
    { numRuns: 60 },
  )
})

test('where it is not for the watched side to say, silence begins anew', () => {
  const { clock, fired, one, mover } = setUp({ idle: 1000 })
  mover.at = Infinity
  one.watch(mover)
  clock.step(5000)
  assert.deepEqual(fired, [])
  mover.at = clock.now()
  clock.step(2500)
  assert.equal(fired.length, 1)
})

test('the end counts once the request is complete, and is not moved by a second try', () => {
  const { clock, fired, one } = setUp({ total: 2000 })
  one.begin(exchangeFixture({ startedAt: 0 }), true)
  one.run()
  clock.step(5000)
  assert.deepEqual(fired, [])
  one.complete()
  clock.step(1500)
  assert.equal(one.allows(400), true)
  assert.equal(one.allows(600), false)
  one.run()
  one.complete()
  clock.step(600)
  assert.deepEqual(fired, ['expired@7000'])
})

test('without a body it counts from the start; a caller may wait less long', () => {
  const { clock, fired, one } = setUp({ total: 5000, header: 'x-left' })
  const exchange = exchangeFixture({ startedAt: 0, headers: [] })
  exchange.upstreamHeaders = ['x-left', '1200']
  one.begin(exchange, false)
  one.run()
  clock.step(1100)
  one.pass(exchange)
  assert.deepEqual(exchange.upstreamHeaders, ['x-left', '100'])
  assert.equal(one.abandoned, false)
  clock.step(100)
  assert.equal(one.abandoned, true)
  assert.deepEqual(fired, ['expired@1200'])
  assert.equal(one.expired(false).reason, 'deadline_exceeded')
  // A fallback has the route's time again, and not the caller's.
  one.restart()
  assert.equal(one.end, 1200)
})

test('a short total is on the fine wheel, and nothing is left on either when it stops', () => {
  const { clock, wheel, fine, fired, one } = setUp({ total: 50 })
  one.begin(exchangeFixture({ startedAt: 0 }), false)
  one.run()
  assert.deepEqual([wheel.size, fine.size], [0, 1])
  clock.step(60)
  assert.deepEqual(fired, ['expired@50'])
  one.complete()
  one.stop()
  assert.deepEqual([wheel.size, fine.size], [0, 0])
})

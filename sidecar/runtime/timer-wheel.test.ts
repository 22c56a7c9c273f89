import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SteppedClock } from '../../test/harness/stepped-clock.ts'
import { systemClock } from './clock.ts'
import { FINE_TICK_MS, Timer, TimerWheel } from './timer-wheel.ts'

/** A wheel on a stepped clock, and a way to make timers whose firings are written down. */
function setUp(start = 0): {
  clock: SteppedClock
  wheel: TimerWheel
  fired: string[]
  timer: (name: string, then?: () => void) => Timer
} {
  const clock = new SteppedClock(start)
  const wheel = clock.drive(new TimerWheel(clock))
  const fired: string[] = []
  const timer = (name: string, then?: () => void): Timer =>
    new Timer({
      onTimer: () => {
        fired.push(`${name}@${clock.now() - start}`)
        then?.()
      },
    })
  return { clock, wheel, fired, timer }
}

test('a timer fires at the first tick at or after its deadline, once', () => {
  const { clock, wheel, fired, timer } = setUp(12.5)
  wheel.schedule(timer('a'), 250)
  wheel.schedule(timer('b'), 300)
  wheel.schedule(timer('now'), 0)
  wheel.schedule(timer('past'), -5000)
  clock.step(10_000)
  assert.deepEqual(fired.toSorted(), ['a@300', 'b@300', 'now@100', 'past@100'])
  assert.equal(wheel.size, 0)
})

test('moved later it fires later; moved earlier, earlier; off, never', () => {
  const { clock, wheel, fired, timer } = setUp()
  const [later, earlier, off, onAgain] = [timer('later'), timer('earlier'), timer('off'), timer('on again')]
  wheel.schedule(later, 1000)
  wheel.schedule(earlier, 100_000)
  wheel.schedule(off, 1000)
  wheel.schedule(onAgain, 1000)
  clock.step(500)
  wheel.schedule(later, 5000)
  wheel.schedule(earlier, 1000)
  wheel.schedule(off, Infinity)
  wheel.schedule(onAgain, Infinity)
  wheel.schedule(onAgain, 2000)
  clock.step(200_000)
  assert.deepEqual(fired, ['earlier@1500', 'on again@2500', 'later@5500'])
  assert.equal(wheel.size, 0)
})

test('deadlines beyond one turn of the wheel wait for their turn', () => {
  const { clock, wheel, fired, timer } = setUp()
  for (const delay of [51_200, 51_300, 102_400, 3_600_000]) wheel.schedule(timer(String(delay)), delay)
  clock.step(3_700_000)
  assert.deepEqual(fired, ['51200@51200', '51300@51300', '102400@102400', '3600000@3600000'])
})

test('after a pause longer than a turn, all that is due fires at once and the rest waits', () => {
  const { clock, wheel, fired, timer } = setUp()
  for (const delay of [100, 5000, 51_200, 90_000, 300_000]) wheel.schedule(timer(String(delay)), delay)
  clock.jump(120_000)
  assert.deepEqual(fired.toSorted(), ['100@120000', '5000@120000', '51200@120000', '90000@120000'])
  clock.step(200_000)
  assert.equal(fired.at(-1), '300000@300000')
})

test('an owner may move, remove and schedule timers of the same tick', () => {
  const { clock, wheel, fired, timer } = setUp()
  const [removed, moved] = [timer('removed'), timer('moved')]
  const again = timer('again', () => wheel.schedule(again, 0))
  const actor = timer('actor', () => {
    wheel.remove(removed)
    wheel.schedule(moved, 1000)
  })
  // The list of a slot is walked from the last one that came: the actor goes first.
  for (const one of [removed, moved, again, actor]) wheel.schedule(one, 100)
  clock.step(100)
  assert.deepEqual(fired.toSorted(), ['actor@100', 'again@100'])
  clock.step(200)
  assert.deepEqual(fired.toSorted(), ['actor@100', 'again@100', 'again@200', 'again@300'])
  wheel.remove(again)
  clock.step(2000)
  assert.equal(fired.at(-1), 'moved@1100')
  assert.equal(wheel.size, 0)
})

test('an owner that throws takes no other deadline with it', () => {
  const { clock, wheel, fired, timer } = setUp()
  const broken = timer('broken', () => {
    throw new Error('a bug in an owner')
  })
  for (const one of [timer('a'), broken, timer('b')]) wheel.schedule(one, 100)
  wheel.schedule(timer('c'), 300)
  assert.throws(() => clock.jump(500), /a bug in an owner/)
  assert.deepEqual(fired.toSorted(), ['a@500', 'b@500', 'broken@500', 'c@500'])
})

test('remove leaves no reference behind', () => {
  const { wheel, timer } = setUp()
  const timers = ['a', 'b', 'c'].map(name => timer(name))
  for (const one of timers) wheel.schedule(one, 100)
  for (const one of timers) {
    wheel.remove(one)
    wheel.remove(one)
    assert.equal(one.next, null)
    assert.equal(one.previous, null)
  }
  assert.equal(wheel.size, 0)
})

test('does what a naive list of deadlines does, at every tick', () => {
  const operation = fc.oneof(
    fc.record({
      id: fc.nat(7),
      delay: fc.oneof(fc.integer({ min: -100, max: 130_000 }), fc.constant(Infinity), fc.nat(500)),
    }),
    fc.record({ remove: fc.nat(7) }),
    fc.record({ step: fc.nat(1500) }),
    fc.record({ jump: fc.nat(130_000) }),
  )
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 40 }), fc.nat(1000), (operations, start) => {
      // Whole milliseconds: ticks then fall on exact numbers, and the model needs no tolerance.
      const clock = new SteppedClock(start)
      const wheel = new TimerWheel(clock)
      const deadlines = new Array<number>(8).fill(Infinity)
      const timers = deadlines.map(
        (_, id) =>
          new Timer({
            onTimer: () => {
              assert.ok((deadlines[id] ?? 0) <= clock.now(), `timer ${id} fired early`)
              deadlines[id] = Infinity
            },
          }),
      )
      const timer = (id: number): Timer => timers[id] as Timer // there are eight
      let lastTick = 0
      const advance = (milliseconds: number): void => {
        clock.jump(milliseconds)
        wheel.advance()
        const tick = Math.floor((clock.now() - start) / 100)
        if (tick === lastTick) return
        lastTick = tick
        const late = deadlines.filter(deadline => deadline <= start + tick * 100)
        assert.deepEqual(late, [], 'due at this tick and not fired')
      }
      for (const one of operations) {
        if ('id' in one) {
          wheel.schedule(timer(one.id), one.delay)
          deadlines[one.id] = clock.now() + one.delay
        } else if ('remove' in one) {
          wheel.remove(timer(one.remove))
          deadlines[one.remove] = Infinity
        } else if ('step' in one) {
          for (let i = 0; i < one.step; i += 50) advance(Math.min(50, one.step - i))
        } else {
          advance(one.jump)
        }
      }
      for (const one of timers) wheel.remove(one)
      assert.equal(wheel.size, 0)
    }),
    { numRuns: 1000 },
  )
})

test('a fine wheel fires at its own ticks, and stands still while it is empty', async () => {
  const clock = new SteppedClock(3)
  const wheel = clock.drive(new TimerWheel(clock, FINE_TICK_MS))
  const fired: number[] = []
  const timer = new Timer({ onTimer: () => fired.push(clock.now()) })
  wheel.schedule(timer, 25)
  clock.step(100)
  assert.deepEqual(fired, [33])
  // After a long sleep its first tick is the right one again.
  clock.jump(100_000)
  wheel.schedule(timer, 15)
  clock.step(20)
  assert.deepEqual(fired, [33, 100_123])

  const real = new TimerWheel(systemClock, FINE_TICK_MS)
  const ticks = (): number => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
  const before = ticks()
  real.run(error => assert.fail(String(error)))
  assert.equal(ticks(), before)
  const done = Promise.withResolvers<void>()
  const keepAlive = setTimeout(() => done.reject(new Error('it never fired')), 5000)
  const since = performance.now()
  real.schedule(new Timer({ onTimer: () => done.resolve() }), 20)
  await done.promise
  clearTimeout(keepAlive)
  assert.ok(performance.now() - since >= 20)
  await new Promise(resolve => setTimeout(resolve, 30))
  assert.equal(real.size, 0)
  real.stop()
})

test('the end of the running tick is never in the past while the wheel ticks', () => {
  const { clock, wheel } = setUp(7)
  assert.equal(wheel.tickEnd, 107)
  clock.step(250)
  assert.ok(wheel.tickEnd >= clock.now() && wheel.tickEnd < clock.now() + 100)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Timer, TimerWheel } from '../../sidecar/runtime/timer-wheel.ts'
import { SteppedClock } from './stepped-clock.ts'

test('a step moves both clocks and fires the wheel tick by tick', () => {
  const clock = new SteppedClock(5)
  const wheel = clock.drive(new TimerWheel(clock))
  const fired: number[] = []
  const timer = new Timer({
    onTimer: () => {
      fired.push(clock.now())
      wheel.schedule(timer, 1000)
    },
  })
  wheel.schedule(timer, 1000)
  const wall = clock.wall()
  clock.step(3500)
  assert.equal(clock.wall() - wall, 3500)
  assert.deepEqual(fired, [1005, 2005, 3005])
})

test('a jump advances the wheel once', () => {
  const clock = new SteppedClock()
  let advances = 0
  clock.drive({ advance: () => advances++ })
  clock.jump(60_000)
  assert.equal(advances, 1)
  clock.step(25)
  assert.equal(advances, 4)
})

test('a pause ends when the clock passed it, earlier ones first', async () => {
  const clock = new SteppedClock()
  const ended: string[] = []
  const long = clock.pause(2000).then(() => ended.push('long'))
  const short = clock.pause(1000).then(() => ended.push('short'))
  clock.step(999)
  await Promise.resolve()
  assert.deepEqual(ended, [])
  clock.jump(5000)
  await Promise.all([long, short])
  assert.deepEqual(ended, ['short', 'long'])
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TimerWheel } from '../../runtime/timer-wheel.ts'
import { type LookupDone, LookupQueue } from './lookup-queue.ts'

/** A queue on a clock that the test steps, over a name server that answers what the test says. */
function setUp() {
  let time = 0
  const wheel = new TimerWheel({ now: () => time, wall: () => time })
  const asked = new Map<string, LookupDone>()
  const faults: unknown[] = []
  const queue = new LookupQueue(
    (name, done) => {
      assert.ok(!asked.has(name), `${name} is asked twice at once`)
      asked.set(name, done)
    },
    { wheel, fault: error => faults.push(error) },
  )
  const answers: string[] = []
  return {
    queue,
    faults,
    answers,
    wheel,
    run: (...names: string[]) => {
      for (const name of names) queue.run(name, () => answers.push(name))
    },
    asked: () => [...asked.keys()],
    answer: (name: string) => {
      const done = asked.get(name)
      asked.delete(name)
      done?.(null, ['10.0.0.1'])
    },
    step: (milliseconds: number) => {
      for (const end = time + milliseconds; time < end;) {
        time += 100
        wheel.advance()
      }
    },
  }
}

test('two names that hang hold nobody up for longer than two seconds', () => {
  const server = setUp()
  server.run('dead-1', 'dead-2', 'app')
  server.step(1900)
  assert.deepEqual(server.asked(), ['dead-1', 'dead-2'])
  server.step(300)
  assert.deepEqual(server.asked(), ['dead-1', 'dead-2', 'app'])
  server.answer('app')
  assert.deepEqual(server.answers, ['app'])
  // Late, but theirs all the same.
  server.answer('dead-1')
  assert.deepEqual(server.answers, ['app', 'dead-1'])
})

test('threads that hang are bounded, whatever is asked', () => {
  const server = setUp()
  server.run(...Array.from({ length: 50 }, (_, i) => `dead-${i}`))
  server.step(60_000)
  assert.equal(server.asked().length, 4)
})

test('a name that hung is asked again only in a place for those that hang, until it answers in time', () => {
  const server = setUp()
  const dead = ['dead-1', 'dead-2', 'dead-3', 'dead-4']
  server.run(...dead)
  server.step(5000)
  for (const name of dead) server.answer(name)
  // The second time nobody waits for them, not even for the two seconds.
  server.run(...dead, 'app', 'db')
  assert.deepEqual(server.asked(), ['dead-1', 'dead-2', 'app', 'db'])
  server.answer('dead-1')
  server.answer('dead-2')
  server.answer('app')
  server.answer('db')
  assert.deepEqual(server.asked(), ['dead-3', 'dead-4'])
  server.run('dead-1', 'dead-2')
  assert.deepEqual(server.asked(), ['dead-3', 'dead-4', 'dead-1', 'dead-2'], 'it has answered in time since')
})

test('who asks for the same name shares one look-up', () => {
  const server = setUp()
  server.run('app', 'app', 'app')
  server.answer('app')
  assert.deepEqual(server.answers, ['app', 'app', 'app'])
  server.run('app')
  assert.deepEqual(server.asked(), ['app'])
})

test('whoever gave up hears nothing, and a look-up for nobody is not begun', () => {
  const server = setUp()
  const heard: string[] = []
  const mine: LookupDone = () => heard.push('mine')
  server.run('a', 'b')
  server.queue.run('c', mine)
  server.queue.run('a', mine)
  server.queue.withdraw('c', mine)
  server.queue.withdraw('a', mine)
  server.answer('a')
  server.answer('b')
  assert.deepEqual(server.asked(), [])
  assert.deepEqual(heard, [])
  assert.deepEqual(server.answers, ['a', 'b'])
})

test('a look-up that throws is an answer, and a bug in whoever asked costs nobody else theirs', () => {
  const bug = new Error('a bug')
  const faults: unknown[] = []
  const heard: (string | undefined)[] = []
  const queue = new LookupQueue(
    () => {
      throw Object.assign(new Error('no such name'), { code: 'ERR_INVALID_ARG_VALUE' })
    },
    { fault: error => faults.push(error) },
  )
  queue.run('a', () => {
    throw bug
  })
  queue.run('a', error => heard.push(error?.code))
  assert.deepEqual(faults, [bug])
  assert.deepEqual(heard, ['ERR_INVALID_ARG_VALUE'])
})

test('nothing is left in the wheel when all is answered', () => {
  const server = setUp()
  server.run('a', 'b', 'c')
  server.step(3000)
  for (const name of ['a', 'b', 'c']) server.answer(name)
  assert.equal(server.wheel.size, 0)
})

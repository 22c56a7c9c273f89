import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Turn, type TurnWriter } from './turn.ts'

/** Keeps the order in which writers were called. */
function writers(called: number[], turn: Turn, count: number): TurnWriter[] {
  return Array.from({ length: count }, (_, number) => {
    const writer = { turn: () => void called.push(number) }
    turn.add(writer)
    return writer
  })
}

test('all are called once, in order, when the turn is over', async () => {
  const called: number[] = []
  writers(called, new Turn(), 100)
  await Promise.resolve()
  assert.deepEqual(called, [])
  await nextTurn()
  assert.deepEqual(
    called,
    Array.from({ length: 100 }, (_, number) => number),
  )
  await nextTurn()
  assert.equal(called.length, 100)
})

test('with a bound, those that wait are called when one more comes, and the others at the end', async () => {
  const called: number[] = []
  writers(called, new Turn(4), 10)
  assert.deepEqual(called, [0, 1, 2, 3, 4, 5, 6, 7])
  await nextTurn()
  assert.deepEqual(called, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
})

test('one that is added while others are called waits for the next turn', async () => {
  const turn = new Turn()
  const called: string[] = []
  const second = { turn: () => void called.push('second') }
  turn.add({
    turn: () => {
      called.push('first')
      turn.add(second)
    },
  })
  await nextTurn()
  assert.deepEqual(called, ['first'])
  await nextTurn()
  assert.deepEqual(called, ['first', 'second'])
})

import assert from 'node:assert/strict'
import { Socket } from 'node:net'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { SteppedClock } from '../../test/harness/stepped-clock.ts'
import type { Peer } from '../exchange/exchange.ts'
import { TimerWheel } from '../runtime/timer-wheel.ts'
import type { TlsListener } from '../snapshot/listener-tls.ts'
import { type Admitted, type Ending, ENDING_MS, TrustReview } from './trust-review.ts'

/** A connection that only writes down what it is told. */
class Connection implements Ending {
  drained = 0
  destroyed = 0

  drain(): void {
    this.drained++
  }

  destroy(): void {
    this.destroyed++
  }
}

/** A listener that lets nobody in without a certificate, or everybody. */
function listener(required: boolean): readonly TlsListener[] {
  const clients = { ca: '', required }
  return [{ hosts: [], tls: { certificates: [], clients, minVersion: 'TLSv1.2', hsts: null, hash: '' } }]
}

function bench() {
  const clock = new SteppedClock()
  const wheel = clock.drive(new TimerWheel(clock))
  const connections = new Map<Connection, Admitted>()
  const ended: number[] = []
  const review = new TrustReview<Connection>(listener(false), {
    wheel,
    connections,
    onEnding: peers => ended.push(peers.size),
  })
  const add = (encrypted = true): Connection => {
    const local = { address: '', port: 0 }
    const peer: Peer = { ...local, local, encrypted, serverName: '', identity: null }
    const connection = new Connection()
    connections.set(connection, { counted: '', peer, socket: new Socket() })
    return connection
  }
  const close = (connection: Connection): void => {
    connections.delete(connection)
    review.onClosed(connection)
  }
  return { clock, wheel, connections, ended, review, add, close }
}

test('each is told once, thousands in pieces; one in the clear is left alone', async () => {
  const { connections, ended, review, add } = bench()
  const plain = add(false)
  for (let i = 0; i < 1000; i++) add()
  review.review(listener(true), [])
  assert.ok(ended.length === 1 && (ended[0] ?? 0) < 100, String(ended))
  while (ended.reduce((sum, one) => sum + one, 0) < 1000) await nextTurn()
  assert.deepEqual(
    [...connections.keys()].map(one => one.drained),
    [0, ...Array<number>(1000).fill(1)],
  )
  assert.equal(plain.drained, 0)
})

test('what is asked is what was asked: nobody is looked at', () => {
  const { ended, review, add } = bench()
  add()
  review.review(listener(false), [])
  assert.deepEqual(ended, [])
})

test('a newer configuration ends a review that is under way, and what was not looked at goes on by its rules', async () => {
  const { connections, ended, review, add } = bench()
  for (let i = 0; i < 200; i++) add()
  review.review(listener(true), [])
  review.review(listener(false), [])
  for (let i = 0; i < 10; i++) await nextTurn()
  assert.equal(ended.length, 1)
  assert.equal([...connections.keys()].filter(one => one.drained > 0).length, ended[0])
})

test('what is left is closed when its time is over, each by its own, and the timer rests', () => {
  const { clock, wheel, review, add, close } = bench()
  const [first, quick] = [add(), add()]
  review.review(listener(true), [])
  close(quick)
  clock.step(ENDING_MS / 2)
  review.review(listener(false), [])
  const second = add()
  review.review(listener(true), [])
  clock.step(ENDING_MS / 2 + 1000)
  // It closes in a while, and is not told again meanwhile.
  assert.deepEqual([first.destroyed, quick.destroyed, second.destroyed], [1, 0, 0])
  close(first)
  clock.step(ENDING_MS / 2)
  assert.deepEqual([first.destroyed, second.destroyed], [1, 1])
  close(second)
  clock.step(1000)
  assert.equal(wheel.size, 0)
})

test('one that takes the place of another goes on ending, behind what it is reading; a handshake under way is looked at when it is over', async () => {
  const { clock, connections, review, add } = bench()
  const before = add()
  const [late, raw] = [add(), new Socket()]
  const admitted = connections.get(late) as Admitted // it was added just now
  connections.delete(late)
  review.review(listener(true), [raw])
  const now = add()
  connections.delete(before)
  review.onReplaced(before, now)
  assert.equal(now.drained, 0)
  await nextTurn()
  assert.equal(now.drained, 1)
  connections.set(late, admitted)
  review.onOpened(new Socket(), late)
  assert.equal(late.drained, 0)
  review.onOpened(raw, late)
  assert.equal(late.drained, 1)
  clock.step(ENDING_MS + 1000)
  assert.deepEqual([before.destroyed, now.destroyed, late.destroyed], [0, 1, 1])
})

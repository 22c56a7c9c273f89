import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { MemoryBudget } from '../../runtime/memory-budget.ts'
import { seededRandom } from '../../runtime/random.ts'
import { ReadBuffers } from '../../runtime/read-buffers.ts'
import { TimerWheel } from '../../runtime/timer-wheel.ts'
import { systemClock } from '../../runtime/clock.ts'
import { Endpoint } from '../endpoint.ts'
import type { PickAsk, Balancer, Candidate, Picker } from '../picker.ts'
import { LeastRequest } from './least-request.ts'
import { RoundRobin } from './round-robin.ts'

/** What a request asks for, with nothing but an endpoint to avoid. */
function ask(avoid: Endpoint | null = null): PickAsk {
  return { avoid, hash: -1, sticky: '' }
}

// One suite that every balancer passes; what only one of them does stands below.

const BALANCERS: readonly (readonly [name: string, make: () => Balancer])[] = [
  ['round-robin', () => new RoundRobin()],
  ['least-request', () => new LeastRequest(seededRandom(1))],
]

const buffers = new ReadBuffers(new MemoryBudget(1e6))
const wheel = new TimerWheel(systemClock)

function endpoints(...weights: number[]): (Candidate & { endpoint: Endpoint })[] {
  return weights.map((weight, at) => ({
    weight,
    endpoint: new Endpoint(
      { kind: 'tcp', host: '10.0.0.1', port: at + 1 },
      { connect: 1, keepAlive: 1 },
      { connectsOpened: 0, connectsFailed: 0 },
      buffers,
      wheel,
    ),
  }))
}

/** How often each candidate is picked. Each pick stays in flight for `busy` picks. */
function count(picker: Picker, candidates: readonly Candidate[], picks: number, busy = 0): number[] {
  const counts = new Map<Endpoint, number>()
  const flying: Endpoint[] = []
  for (let i = 0; i < picks; i++) {
    const endpoint = picker.pick(ask())
    assert.ok(endpoint !== null)
    counts.set(endpoint, (counts.get(endpoint) ?? 0) + 1)
    endpoint.inFlight++
    flying.push(endpoint)
    if (flying.length > busy) (flying.shift() as Endpoint).inFlight--
  }
  for (const endpoint of flying) endpoint.inFlight--
  return candidates.map(candidate => counts.get(candidate.endpoint) ?? 0)
}

for (const [name, make] of BALANCERS) {
  describe(name, () => {
    test('of nothing it picks nothing, of one that one, even where it is to be avoided', () => {
      assert.equal(make().picker([]).pick(ask()), null)
      const [only] = endpoints(1)
      assert.ok(only !== undefined)
      const picker = make().picker([only])
      assert.equal(picker.pick(ask()), only.endpoint)
      assert.equal(picker.pick(ask(only.endpoint)), only.endpoint)
    })

    test('equal endpoints get equal shares', () => {
      for (const size of [2, 3, 7]) {
        const candidates = endpoints(...Array.from({ length: size }, () => 1))
        const counts = count(make().picker(candidates), candidates, 1000 * size, size * 3)
        for (const one of counts) assert.ok(Math.abs(one - 1000) < 150, counts.join(' '))
      }
    })

    test('one with a larger weight gets more, and one of weight 0 nothing', () => {
      const candidates = endpoints(1, 3, 0)
      const counts = count(make().picker(candidates), candidates, 4000, 24)
      assert.equal(counts[2], 0)
      assert.ok((counts[1] as number) > 2 * (counts[0] as number), counts.join(' '))
      assert.ok((counts[0] as number) > 400, counts.join(' '))
    })

    test('the one to be avoided is never picked while there is another', () => {
      fc.assert(
        fc.property(
          fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 2, maxLength: 6 }),
          fc.nat(),
          (weights, at) => {
            const candidates = endpoints(...weights)
            const avoid = (candidates[at % candidates.length] as Candidate).endpoint
            const picker = make().picker(candidates)
            for (let i = 0; i < 30; i++) assert.notEqual(picker.pick(ask(avoid)), avoid)
          },
        ),
        { numRuns: 100 },
      )
    })

    test('a picker made after one went never picks it, and every other is reached', () => {
      const candidates = endpoints(1, 1, 1, 1)
      const balancer = make()
      count(balancer.picker(candidates), candidates, 10)
      const rest = candidates.slice(1)
      const counts = count(balancer.picker(rest), candidates, 300, 6)
      assert.equal(counts[0], 0)
      for (const one of counts.slice(1)) assert.ok(one > 50, counts.join(' '))
      // The one before goes on as it was, for those who hold it.
      assert.ok(balancer.picker(candidates).pick(ask()) !== null)
    })
  })
}

test('round-robin goes round exactly, and goes on where it stood when the endpoints change', () => {
  const candidates = endpoints(1, 1, 1)
  const balancer = new RoundRobin()
  const picker = balancer.picker(candidates)
  const order = Array.from({ length: 7 }, () => picker.pick(ask())?.label.slice(-1)).join('')
  assert.equal(order, '1231231')
  // A name whose answers change at every look-up must not send everything to its first.
  assert.equal(
    balancer
      .picker([...candidates])
      .pick(ask())
      ?.label.slice(-1),
    '2',
  )
})

test('weighted round-robin is exact over a round, and spread within it', () => {
  const candidates = endpoints(5, 1, 1)
  const picker = new RoundRobin().picker(candidates)
  const round = Array.from({ length: 7 }, () => picker.pick(ask())?.label.slice(-1)).join('')
  assert.equal(round, '1121311')
})

test('an avoided endpoint does not upset the shares of the rest', () => {
  const candidates = endpoints(2, 1, 1)
  const picker = new RoundRobin().picker(candidates)
  const avoid = candidates[0]?.endpoint ?? null
  for (let i = 0; i < 100; i++) picker.pick(ask(avoid))
  const counts = count(picker, candidates, 400)
  assert.ok(Math.abs((counts[0] as number) - 200) <= 2, counts.join(' '))
})

test('least-request sends almost nothing to one that does not answer', () => {
  const candidates = endpoints(1, 1, 1)
  const stuck = candidates[0] as Candidate
  stuck.endpoint.inFlight = 50
  const counts = count(new LeastRequest(seededRandom(7)).picker(candidates), candidates, 900, 3)
  assert.equal(counts[0], 0)
})

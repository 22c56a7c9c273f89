import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProxyError } from '../../exchange/proxy-error.ts'
import { seededRandom } from '../../runtime/random.ts'
import type { Outcome } from '../outcome.ts'
import type { Candidate, Picker } from '../picker.ts'
import { ask, candidates } from './candidates-fixture.ts'
import { LeastRequest } from './least-request.ts'
import { PeakEwma } from './peak-ewma.ts'
import { RandomBalancer } from './random.ts'
import { RoundRobin } from './round-robin.ts'

type Pair = readonly [Candidate, Candidate]

function order(picker: Picker, picks: number): string {
  return Array.from({ length: picks }, () => picker.pick(ask())?.label.slice(-1)).join('')
}

test('round-robin goes round exactly, and goes on where it stood when the endpoints change', () => {
  const all = candidates(1, 1, 1)
  const balancer = new RoundRobin()
  assert.equal(order(balancer.picker(all), 7), '1231231')
  // A name whose answers change at every look-up must not send everything to its first.
  assert.equal(order(balancer.picker([...all]), 1), '2')
})

test('weighted round-robin is exact over a round, spread within it, and goes on where it stood', () => {
  const all = candidates(5, 1, 1)
  const balancer = new RoundRobin()
  assert.equal(order(balancer.picker(all), 7), '1121311')
  assert.equal(order(balancer.picker(all), 2) + order(balancer.picker(all), 5), '1121311')
})

test('an avoided endpoint does not upset the shares of the rest', () => {
  const all = candidates(2, 1, 1)
  const picker = new RoundRobin().picker(all)
  const avoid = all[0]?.endpoint ?? null
  for (let i = 0; i < 100; i++) picker.pick(ask({ avoid }))
  const counts = order(picker, 400)
  assert.ok(Math.abs(counts.replace(/[^1]/g, '').length - 200) <= 2, counts)
})

test('who avoids one draws the others by their weights', () => {
  const all = candidates(4, 1, 3)
  const picker = new RandomBalancer(seededRandom(3)).picker(all)
  for (const [avoid, kept, share] of [
    [0, 2, 3 / 4],
    [1, 0, 4 / 7],
    [2, 1, 1 / 5],
  ] as const) {
    const asked = ask({ avoid: all[avoid]?.endpoint ?? null })
    let picks = 0
    for (let i = 0; i < 4000; i++) if (picker.pick(asked) === all[kept]?.endpoint) picks++
    assert.ok(Math.abs(picks / 4000 - share) < 0.03, `${picks} of 4000 for ${share}`)
  }
})

test('least-request sends nothing to one that does not answer while others do', () => {
  const all = candidates(1, 1, 1)
  ;(all[0] as Candidate).endpoint.inFlight = 50
  assert.doesNotMatch(order(new LeastRequest(seededRandom(7)).picker(all), 900), /1/)
})

// --- peak EWMA -------------------------------------------------------------------------------------------------

const ok = (milliseconds: number): Outcome => ({ status: 200, error: null, milliseconds, retryAfter: null })
const failed = (status: number, retryAfter: number | null = null): Outcome => ({
  status,
  error: status === 0 ? new ProxyError('upstream_reset') : null,
  milliseconds: 1,
  retryAfter,
})

function peakEwma() {
  const clock = { now: 0 }
  const balancer = new PeakEwma(seededRandom(5), () => clock.now)
  const [first, second] = candidates(1, 1) as unknown as Pair // two weights make two
  const picker = balancer.picker([first, second])
  /** How many of a hundred picks go to the first. */
  const share = (): number => order(picker, 100).replace(/[^1]/g, '').length
  return { clock, balancer, first: first.endpoint, second: second.endpoint, share }
}

test('peak-ewma prefers the faster, and by how much more it is busy', () => {
  const { balancer, first, second, share } = peakEwma()
  balancer.observe(first, ok(60))
  balancer.observe(second, ok(120))
  assert.equal(share(), 100)
  // 60 ms with two in flight is 180, more than 120.
  first.inFlight = 2
  assert.equal(share(), 0)
  second.inFlight = 1
  assert.equal(share(), 100)
})

test('a peak counts at once; good answers bring the average down over seconds', () => {
  const { clock, balancer, first, second, share } = peakEwma()
  balancer.observe(second, ok(100))
  balancer.observe(first, ok(20))
  assert.equal(share(), 100)
  balancer.observe(first, ok(500))
  assert.equal(share(), 0)
  // 500 decays over ten seconds to 184 + 0.63 * 10; the other stays where it is measured.
  clock.now = 10_000
  balancer.observe(first, ok(10))
  balancer.observe(second, ok(100))
  assert.equal(share(), 0)
  clock.now = 20_000
  balancer.observe(first, ok(10))
  balancer.observe(second, ok(100))
  assert.equal(share(), 100)
})

test('fast failures attract nothing: 429, 503 and no answer count as five seconds, or as long as Retry-After says', () => {
  for (const failure of [failed(429), failed(503), failed(0)]) {
    const { clock, balancer, first, second, share } = peakEwma()
    balancer.observe(first, failure)
    balancer.observe(second, ok(300))
    assert.equal(share(), 0, String(failure.status))
    // Idle for ten seconds it is forgotten as fast as it decays: 5000 e^-2.9 is 275.
    clock.now = 37_000
    balancer.observe(second, ok(300))
    assert.equal(share(), 0)
    clock.now = 39_000
    balancer.observe(second, ok(300))
    assert.equal(share(), 100)
  }
  const { clock, balancer, first, second, share } = peakEwma()
  balancer.observe(first, failed(503, 1e9))
  clock.now = 79_000
  balancer.observe(second, ok(300))
  // 300,000 e^-6.9 is 302: no Retry-After keeps one away for more than five minutes' worth.
  assert.equal(share(), 0)
  clock.now = 80_000
  balancer.observe(second, ok(300))
  assert.equal(share(), 100)
})

test('an ordinary 404 or 500 is an answer, as fast as it is', () => {
  const { balancer, first, second, share } = peakEwma()
  balancer.observe(first, failed(500))
  balancer.observe(second, ok(40))
  assert.equal(share(), 100)
})

test('one that is silent does not look better the longer it is silent', () => {
  const { clock, balancer, first, second, share } = peakEwma()
  balancer.observe(first, ok(100))
  first.inFlight = 1
  clock.now = 300_000
  balancer.observe(second, ok(150))
  assert.equal(share(), 0)
})

test('one that was never measured is tried by one request, and judged by its answer', () => {
  const { balancer, first, second, share } = peakEwma()
  balancer.observe(second, ok(5))
  assert.equal(share(), 100)
  first.inFlight = 1
  assert.equal(share(), 0)
  first.inFlight = 0
  balancer.observe(first, ok(2))
  assert.equal(share(), 100)
})

test('what was measured survives a change of the endpoints', () => {
  const { balancer, first, second } = peakEwma()
  balancer.observe(first, ok(900))
  const [, , third] = candidates(1, 1, 1) as unknown as readonly [unknown, unknown, Candidate] // as many as weights
  balancer.observe(second, ok(100))
  balancer.observe(third.endpoint, ok(100))
  const picker = balancer.picker([{ endpoint: second, weight: 1 }, { endpoint: first, weight: 1 }, third])
  assert.doesNotMatch(order(picker, 200), /1/)
})

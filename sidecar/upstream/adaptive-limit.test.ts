import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { seededRandom } from '../runtime/random.ts'
import { AdaptiveLimit } from './adaptive-limit.ts'

/**
 * A service that works on `capacity` requests at once, in order, and a caller that sends at an even rate with Poisson
 * gaps and keeps to the limit; what finds no place is refused. On a clock of its own, event by event.
 */
class Simulation {
  now = 0
  capacity: number
  /** Milliseconds of work a request. */
  work: () => number
  /** Requests a second. */
  rate: number
  /** Requests beyond this many in its queue the service refuses itself. */
  room = Infinity
  readonly limit: AdaptiveLimit
  readonly #random = seededRandom(3)
  #inFlight = 0
  readonly #queue: number[] = []
  readonly #done: { at: number; began: number }[] = []
  #working = 0
  #nextArrival = 0
  served = 0
  refused = 0
  times: number[] = []

  constructor(options: { capacity: number; work: number; rate: number; min?: number; max?: number }) {
    this.capacity = options.capacity
    this.work = () => options.work * (0.75 + 0.5 * this.#random())
    this.rate = options.rate
    this.limit = new AdaptiveLimit(
      { min: options.min ?? 2, max: options.max ?? 1000 },
      () => this.now,
      this.#random,
    )
  }

  /** Runs for some milliseconds and answers what was served a second, and the mean limit over that time. */
  run(milliseconds: number): { readonly goodput: number; readonly limit: number; readonly p99: number } {
    const until = this.now + milliseconds
    const before = this.served
    this.times = []
    let area = 0
    while (this.now < until) {
      const soonest = this.#done.reduce((least, one) => Math.min(least, one.at), Infinity)
      const next = Math.min(soonest, this.#nextArrival, until)
      area += this.limit.limit * (next - this.now)
      this.now = next
      if (next === soonest) this.#finish()
      else if (next === this.#nextArrival) this.#arrive()
    }
    this.times.sort((a, b) => a - b)
    return {
      goodput: ((this.served - before) / milliseconds) * 1000,
      limit: area / milliseconds,
      p99: this.times[Math.floor(this.times.length * 0.99)] ?? 0,
    }
  }

  #arrive(): void {
    this.#nextArrival = this.now - (Math.log(1 - this.#random()) * 1000) / this.rate
    if (this.#inFlight >= this.limit.limit) {
      this.refused++
      return
    }
    this.#inFlight++
    if (this.#working >= this.capacity && this.#queue.length >= this.room) {
      this.limit.sample(0.1, this.#inFlight, true)
      this.#inFlight--
      return
    }
    this.#queue.push(this.now)
    this.#work()
  }

  #work(): void {
    while (this.#working < this.capacity && this.#queue.length > 0) {
      this.#working++
      this.#done.push({ at: this.now + this.work(), began: this.#queue.shift() ?? 0 })
    }
  }

  #finish(): void {
    const at = this.#done.findIndex(one => one.at <= this.now)
    const [one] = this.#done.splice(at, 1)
    if (one === undefined) return
    this.#working--
    this.served++
    this.times.push(this.now - one.began)
    this.limit.sample(this.now - one.began, this.#inFlight, false)
    this.#inFlight--
    this.#work()
  }
}

describe('under three times the load', () => {
  for (const [capacity, work] of [
    [8, 4],
    [50, 40],
    [100, 200],
    [300, 300],
  ] as const) {
    test(`${capacity} at once, ${work} ms each`, t => {
      const peak = (capacity / work) * 1000
      const simulation = new Simulation({ capacity, work, rate: peak * 3 })
      simulation.run(15_000)
      // With two measurements: a baseline which ran along with the queue would show.
      const { goodput, limit, p99 } = simulation.run(70_000)
      const figures = `goodput ${(goodput / peak).toFixed(2)} limit ${limit.toFixed(1)} of ${capacity} p99 ${p99.toFixed(1)}`
      t.diagnostic(figures)
      assert.ok(goodput > 0.85 * peak, figures)
      assert.ok(limit < capacity * 2, figures)
      assert.ok(p99 < work * 1.25 * 2.5, figures)
    })
  }
})

test('a limit that nobody comes near stays, although the service has become slow', () => {
  const simulation = new Simulation({ capacity: 50, work: 40, rate: 2500 })
  simulation.run(20_000)
  const { limit } = simulation.limit
  simulation.rate = 25
  simulation.work = () => 160
  simulation.run(60_000)
  assert.ok(simulation.limit.limit > limit * 0.4, `${limit} -> ${simulation.limit.limit}`)
  const before = simulation.refused
  simulation.run(60_000)
  assert.equal(simulation.refused - before, 0)
})

test('little load is never refused', () => {
  const simulation = new Simulation({ capacity: 8, work: 4, rate: 50 })
  simulation.run(120_000)
  assert.ok(simulation.refused < 5, `${simulation.refused}`)
})

test('follows a capacity that falls, and one that comes back', () => {
  const simulation = new Simulation({ capacity: 40, work: 40, rate: 3000 })
  simulation.run(20_000)
  simulation.capacity = 10
  simulation.run(5000)
  const low = simulation.run(20_000)
  assert.ok(low.limit < 25 && low.goodput > 200, JSON.stringify(low))
  simulation.capacity = 40
  simulation.run(5000)
  const high = simulation.run(20_000)
  assert.ok(high.goodput > 0.85 * 1000, JSON.stringify(high))
})

test('a service that has become slower by itself gets its share again', () => {
  const simulation = new Simulation({ capacity: 40, work: 40, rate: 3000 })
  simulation.run(20_000)
  simulation.work = () => 160
  simulation.run(10_000)
  const after = simulation.run(30_000)
  assert.ok(after.goodput > 0.8 * 250, JSON.stringify(after))
})

test('what the upstream refuses for its load lowers it', () => {
  const simulation = new Simulation({ capacity: 20, work: 20, rate: 3000 })
  simulation.room = 0
  simulation.run(20_000)
  const { goodput, limit } = simulation.run(20_000)
  assert.ok(limit < 25 && goodput > 0.7 * 1000, `${limit} ${goodput}`)
})

test('stays between its bounds, also where they change', () => {
  const simulation = new Simulation({ capacity: 1000, work: 10, rate: 20_000, min: 10, max: 60 })
  simulation.run(10_000)
  assert.equal(simulation.limit.limit, 60)
  simulation.limit.configure({ min: 5, max: 20 })
  assert.equal(simulation.limit.limit, 20)
  simulation.limit.configure({ min: 50, max: 30 })
  assert.equal(simulation.limit.limit, 30)
  const idle = new AdaptiveLimit({ min: 3, max: 1000 }, () => 0, Math.random)
  for (let i = 0; i < 1000; i++) idle.sample(1000, 1000, true)
  assert.ok(idle.limit >= 3)
})

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { SteppedClock } from '../../test/harness/stepped-clock.ts'
import { TimerWheel } from '../runtime/timer-wheel.ts'
import { type Admission, Breaker } from './breaker.ts'
import type { CircuitBreakerSpec } from './upstream-spec.ts'

const CONSECUTIVE: CircuitBreakerSpec = {
  trip: { kind: 'consecutive', failures: 5 },
  openFor: 30_000,
  halfOpenRequests: 1,
  scope: 'upstream',
}

function ratio(
  trip: { ratio?: number; window?: number; minimumRequests?: number },
  halfOpenRequests = 1,
): CircuitBreakerSpec {
  const { ratio: share = 0.5, window = 10_000, minimumRequests = 20 } = trip
  return {
    ...CONSECUTIVE,
    trip: { kind: 'ratio', ratio: share, window, minimumRequests },
    halfOpenRequests,
  }
}

function make(spec: CircuitBreakerSpec): { clock: SteppedClock; wheel: TimerWheel; breaker: Breaker } {
  const clock = new SteppedClock()
  const wheel = clock.drive(new TimerWheel(clock))
  return { clock, wheel, breaker: new Breaker(spec, wheel) }
}

/** Sends `count` attempts that end at once. */
function run(breaker: Breaker, count: number, success: boolean): void {
  for (let i = 0; i < count; i++) {
    const admission = breaker.admit()
    assert.notEqual(admission, 0)
    breaker.record(admission, success)
  }
}

describe('consecutive failures', () => {
  test('open it exactly at the threshold; a success between them starts the count again', () => {
    const { breaker } = make(CONSECUTIVE)
    run(breaker, 4, false)
    run(breaker, 1, true)
    run(breaker, 4, false)
    assert.equal(breaker.state, 'closed')
    run(breaker, 1, false)
    assert.equal(breaker.state, 'open')
    assert.equal(breaker.admit(), 0)
    assert.equal(breaker.openUntil, 30_000)
    assert.equal(breaker.opened, 1)
  })

  test('half open after its time without anybody asking; one probe closes it, and the count begins anew', () => {
    const { breaker, clock, wheel } = make(CONSECUTIVE)
    const seen: string[] = []
    breaker.watch(() => seen.push(breaker.state))
    run(breaker, 5, false)
    clock.step(29_900)
    assert.equal(breaker.state, 'open')
    clock.step(100)
    assert.equal(breaker.state, 'half-open')
    const probe = breaker.admit()
    assert.notEqual(probe, 0)
    assert.equal(breaker.available, false)
    assert.equal(breaker.admit(), 0, 'a second probe is refused at once')
    breaker.record(probe, true)
    assert.equal(breaker.state, 'closed')
    run(breaker, 4, false)
    assert.equal(breaker.state, 'closed')
    assert.deepEqual(seen, ['open', 'half-open', 'closed'])
    breaker.dispose()
    clock.step(60_000)
    assert.equal(wheel.size, 0)
  })

  test('a failed probe opens it for the whole time again', () => {
    const { breaker, clock } = make(CONSECUTIVE)
    run(breaker, 5, false)
    clock.step(30_000)
    breaker.record(breaker.admit(), false)
    assert.equal(breaker.state, 'open')
    assert.equal(breaker.openUntil, 60_000)
    clock.step(29_900)
    assert.equal(breaker.state, 'open')
    clock.step(100)
    assert.equal(breaker.state, 'half-open')
    assert.equal(breaker.opened, 2)
  })

  test('a probe that was cut goes back', () => {
    const { breaker, clock } = make(CONSECUTIVE)
    run(breaker, 5, false)
    clock.step(30_000)
    breaker.abandon(breaker.admit())
    assert.equal(breaker.state, 'half-open')
    breaker.record(breaker.admit(), true)
    assert.equal(breaker.state, 'closed')
  })

  test('what began before it opened neither closes nor reopens it, and frees no probe', () => {
    const { breaker, clock } = make(CONSECUTIVE)
    const early = [breaker.admit(), breaker.admit(), breaker.admit()] as const
    run(breaker, 5, false)
    breaker.record(early[0], true)
    assert.equal(breaker.state, 'open')
    clock.step(30_000)
    const probe = breaker.admit()
    breaker.record(early[1], false)
    breaker.abandon(early[2])
    assert.equal(breaker.state, 'half-open')
    assert.equal(breaker.admit(), 0)
    breaker.record(probe, true)
    assert.equal(breaker.state, 'closed')
  })

  test('a silent probe gives its place to the next after another stretch, and its late word is not heard', () => {
    const { breaker, clock } = make(CONSECUTIVE)
    run(breaker, 5, false)
    clock.step(30_000)
    const silent = breaker.admit()
    clock.step(29_900)
    assert.equal(breaker.admit(), 0)
    clock.step(100)
    const next = breaker.admit()
    assert.notEqual(next, 0)
    breaker.record(silent, false)
    assert.equal(breaker.state, 'half-open')
    breaker.record(next, true)
    assert.equal(breaker.state, 'closed')
  })
})

describe('failure ratio', () => {
  test('needs the minimum of requests, and opens at the ratio', () => {
    const { breaker } = make(ratio({ ratio: 0.5, minimumRequests: 20 }))
    run(breaker, 10, true)
    run(breaker, 9, false)
    assert.equal(breaker.state, 'closed', '9 of 19')
    run(breaker, 1, false)
    assert.equal(breaker.state, 'open', '10 of 20')
  })

  test('all of them may be asked for', () => {
    const { breaker } = make(ratio({ ratio: 1, minimumRequests: 5 }))
    run(breaker, 1, true)
    run(breaker, 50, false)
    assert.equal(breaker.state, 'closed')
  })

  test('what is older than the window does not count, even where nothing came meanwhile', () => {
    const { breaker, clock } = make(ratio({ ratio: 0.5, minimumRequests: 20, window: 10_000 }))
    run(breaker, 19, false)
    clock.step(10_000)
    run(breaker, 1, false)
    assert.equal(breaker.state, 'closed')
    run(breaker, 18, false)
    assert.equal(breaker.state, 'closed')
    run(breaker, 1, false)
    assert.equal(breaker.state, 'open')
  })

  test('as a list of what came in the window says', () => {
    const event = fc.record({ after: fc.nat(3000), success: fc.boolean() })
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 60, size: 'max' }),
        fc.constantFrom(0.2, 0.5, 0.9),
        fc.integer({ min: 1, max: 12 }),
        (events, share, minimum) => {
          const { breaker, clock } = make(ratio({ ratio: share, minimumRequests: minimum, window: 5000 }))
          const seen: { piece: number; success: boolean }[] = []
          for (const { after, success } of events) {
            clock.step(after)
            breaker.record(breaker.admit(), success)
            const piece = Math.floor(clock.now() / 500)
            seen.push({ piece, success })
            const counted = seen.filter(one => one.piece > piece - 10)
            const failed = counted.filter(one => !one.success).length
            const opens = !success && counted.length >= minimum && failed >= share * counted.length
            assert.equal(breaker.state, opens ? 'open' : 'closed')
            if (opens) return
          }
        },
      ),
      { numRuns: 200 },
    )
  })
})

describe('any order of events', () => {
  const action = fc.oneof(
    { weight: 4, arbitrary: fc.constant('admit' as const) },
    { weight: 3, arbitrary: fc.constant('succeed' as const) },
    { weight: 3, arbitrary: fc.constant('fail' as const) },
    { weight: 1, arbitrary: fc.constant('abandon' as const) },
    { weight: 1, arbitrary: fc.constant('step' as const) },
  )

  test('never more probes than allowed at once, none while open, all must succeed to close', () => {
    let halfOpen = 0
    let closedAgain = 0
    fc.assert(
      fc.property(
        fc.array(action, { maxLength: 200, size: 'max' }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 4 }),
        (actions, probes, failures) => {
          const { breaker, clock } = make({
            ...CONSECUTIVE,
            trip: { kind: 'consecutive', failures },
            openFor: 1000,
            halfOpenRequests: probes,
          })
          const under: { admission: Admission; probe: boolean }[] = []
          let succeeded = 0
          for (const [index, act] of actions.entries()) {
            const before = breaker.state
            // Half open, time would give the places of silent probes to others; that has a test of its own.
            if (act === 'step') clock.step(before === 'half-open' ? 0 : 500)
            else if (act === 'admit') {
              const admission = breaker.admit()
              if (before === 'open') assert.equal(admission, 0)
              if (before === 'closed') assert.notEqual(admission, 0)
              if (admission !== 0) under.push({ admission, probe: before === 'half-open' })
              if (before === 'half-open') {
                halfOpen++
                assert.ok(under.filter(one => one.probe).length + succeeded <= probes)
              }
            } else {
              const [one] = under.splice(index % Math.max(1, under.length), 1)
              if (one === undefined) continue
              if (act === 'abandon') breaker.abandon(one.admission)
              else breaker.record(one.admission, act === 'succeed')
              if (before === 'half-open' && one.probe && act === 'succeed') succeeded++
              if (before === 'half-open' && one.probe && act === 'fail') assert.equal(breaker.state, 'open')
            }
            if (before === 'half-open' && breaker.state === 'closed') {
              closedAgain++
              assert.equal(succeeded, probes)
            }
            // What is still under way belongs to a stretch that is over.
            if (before !== breaker.state) {
              for (const one of under) one.probe = false
              succeeded = 0
            }
          }
        },
      ),
      { numRuns: 300, seed: 7 },
    )
    assert.ok(halfOpen > 100 && closedAgain > 20, `${halfOpen} ${closedAgain}`)
  })
})

describe('other settings', () => {
  test('keep open and closed; another threshold counts anew, the same goes on', () => {
    const { breaker, clock } = make(CONSECUTIVE)
    run(breaker, 4, false)
    breaker.configure({ ...CONSECUTIVE, openFor: 5000 })
    run(breaker, 1, false)
    assert.equal(breaker.state, 'open', 'the count went on')
    assert.equal(breaker.openUntil, 5000)
    breaker.configure({ ...CONSECUTIVE, trip: { kind: 'consecutive', failures: 2 } })
    assert.equal(breaker.state, 'open')
    assert.equal(breaker.openUntil, 5000, 'for the time it was opened with')
    clock.step(5000)
    breaker.record(breaker.admit(), true)
    run(breaker, 2, false)
    assert.equal(breaker.state, 'open')
  })

  test('a threshold of another kind', () => {
    const { breaker } = make(CONSECUTIVE)
    run(breaker, 4, false)
    breaker.configure(ratio({ minimumRequests: 3 }))
    run(breaker, 2, false)
    assert.equal(breaker.state, 'closed')
    run(breaker, 1, false)
    assert.equal(breaker.state, 'open')
  })

  test('fewer probes than have already succeeded close it', () => {
    const { breaker, clock } = make({ ...CONSECUTIVE, halfOpenRequests: 3 })
    run(breaker, 5, false)
    clock.step(30_000)
    breaker.record(breaker.admit(), true)
    assert.equal(breaker.state, 'half-open')
    breaker.configure({ ...CONSECUTIVE, halfOpenRequests: 1 })
    assert.equal(breaker.state, 'closed')
  })
})

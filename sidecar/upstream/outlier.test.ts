import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { SteppedClock } from '../../test/harness/stepped-clock.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import { TimerWheel } from '../runtime/timer-wheel.ts'
import { OUTLIERS } from './live-fixture.ts'
import type { Outcome } from './outcome.ts'
import { type EjectionCause, OutlierRecord } from './outlier-record.ts'
import { OutlierDetector, type OutlierMember } from './outlier.ts'
import type { OutlierSpec } from './upstream-spec.ts'

const GOOD: Outcome = { status: 200, error: null, milliseconds: 10, retryAfter: null }
const BAD: Outcome = { status: 503, error: null, milliseconds: 1, retryAfter: null }
const RESET: Outcome = { ...BAD, status: 0, error: new ProxyError('upstream_reset') }

interface Host {
  readonly label: string
  readonly outlier: OutlierRecord
  usable: boolean
}

function host(label: string): Host {
  return { label, outlier: new OutlierRecord(), usable: true }
}

class Fleet implements OutlierMember {
  outlierSpec: OutlierSpec
  outlierHosts: Host[]
  changes = 0
  constructor(hosts: number, spec: Partial<OutlierSpec>) {
    this.outlierSpec = { ...OUTLIERS, ...spec }
    this.outlierHosts = Array.from({ length: hosts }, (_, at) => host(`e${at}`))
  }
  onOutlierChange(): void {
    this.changes++
  }
}

function make(hosts: number, spec: Partial<OutlierSpec> = {}) {
  const clock = new SteppedClock()
  const wheel = clock.drive(new TimerWheel(clock))
  const told: string[] = []
  const events = {
    ejected: (label: string, cause: EjectionCause, _detail: string, milliseconds: number) =>
      told.push(`${label} ${cause} ${milliseconds / 1000}`),
    returned: (label: string) => told.push(`${label} returned`),
  }
  const detector = new OutlierDetector(wheel, events)
  const fleet = new Fleet(hosts, spec)
  detector.join(fleet)
  const send = (at: number, outcome: Outcome, count = 1): void => {
    const record = (fleet.outlierHosts[at] as Host).outlier
    for (let i = 0; i < count; i++) detector.settled(record, outcome, detector.begin(record))
  }
  const state = (at: number): string => fleet.outlierHosts[at]?.outlier.state ?? 'none'
  return { clock, wheel, detector, fleet, told, send, state }
}

describe('consecutive errors', () => {
  test('eject at the threshold; a success starts the count again', () => {
    const { send, state, fleet, told } = make(3)
    send(0, BAD, 4)
    send(0, GOOD)
    send(0, BAD, 4)
    assert.equal(state(0), 'in')
    send(0, RESET)
    assert.equal(state(0), 'ejected')
    assert.equal(fleet.outlierHosts[0]?.outlier.detail, '5 consecutive errors, last: upstream_reset')
    assert.deepEqual(told, ['e0 consecutive_errors 30'])
    assert.equal(fleet.changes, 1)
  })

  test('a status that is the service’s own business ejects nobody', () => {
    const { send, state } = make(3)
    for (const status of [500, 404, 429, 501]) send(0, { ...GOOD, status }, 50)
    assert.equal(state(0), 'in')
  })

  test('the last one that could take requests stays, however bad it is', () => {
    const { send, state, fleet } = make(3, { maxEjectedPercent: 100 })
    ;(fleet.outlierHosts[2] as Host).usable = false
    send(0, BAD, 5)
    send(1, BAD, 500)
    assert.deepEqual([state(0), state(1)], ['ejected', 'in'])
  })

  test('ten per cent, but one may always go', () => {
    const small = make(4)
    for (let at = 0; at < 4; at++) small.send(at, BAD, 50)
    assert.deepEqual([0, 1, 2, 3].map(small.state), ['ejected', 'in', 'in', 'in'])
    const large = make(30)
    for (let at = 0; at < 30; at++) large.send(at, BAD, 5)
    assert.equal(large.fleet.outlierHosts.filter(one => one.outlier.state === 'ejected').length, 3)
  })
})

describe('the way back', () => {
  test('one request at a time, the first that succeeds returns it', () => {
    const { clock, detector, fleet, send, state, told } = make(3)
    send(0, BAD, 5)
    clock.step(29_900)
    assert.equal(state(0), 'ejected')
    clock.step(100)
    assert.equal(state(0), 'probing')
    const record = (fleet.outlierHosts[0] as Host).outlier
    assert.equal(detector.begin(record), true)
    assert.equal(detector.mayProbe(record), false)
    assert.equal(detector.begin(record), false)
    // A request that is no probe decides nothing.
    detector.settled(record, GOOD, false)
    assert.equal(state(0), 'probing')
    // A probe that was cut shows nothing, and the next request is one.
    detector.abandoned(record, true)
    assert.equal(detector.begin(record), true)
    detector.settled(record, GOOD, true)
    assert.equal(state(0), 'in')
    assert.deepEqual(told.at(-1), 'e0 returned')
  })

  test('a failed probe ejects for longer, up to the longest; well-being is counted in ejection times', () => {
    const { clock, send, state, told } = make(3)
    send(0, BAD, 5)
    for (let i = 0; i < 14; i++) {
      clock.step(300_000)
      send(0, BAD)
    }
    const seconds = told.map(line => Number(line.split(' ')[2]))
    assert.deepEqual(seconds.slice(0, 4), [30, 60, 90, 120])
    assert.equal(seconds.at(-1), 300)
    clock.step(300_000)
    send(0, GOOD)
    // Ten in a row, of which 4 times 30 seconds without one let four be forgotten.
    clock.step(120_000)
    send(0, BAD, 5)
    assert.equal(told.at(-1), 'e0 consecutive_errors 210')
    assert.equal(state(0), 'ejected')
  })

  test('a probe that nobody answers gives its place to the next', () => {
    const { clock, detector, fleet, send } = make(2)
    send(0, BAD, 5)
    clock.step(30_000)
    const record = (fleet.outlierHosts[0] as Host).outlier
    assert.equal(detector.begin(record), true)
    clock.step(29_900)
    assert.equal(detector.mayProbe(record), false)
    clock.step(100)
    assert.equal(detector.begin(record), true)
  })

  test('where only ejected ones are left, all are back', () => {
    const { detector, fleet, send, state, told } = make(2)
    send(0, BAD, 5)
    fleet.outlierHosts = fleet.outlierHosts.slice(0, 1)
    detector.changed()
    assert.equal(state(0), 'in')
    assert.equal(told.at(-1), 'e0 returned')
  })
})

describe('comparisons', () => {
  test('a success rate far below the others’ ejects, with enough endpoints and requests', () => {
    const successRate = { deviations: 1.9, minimumRequests: 100 }
    for (const [hosts, requests, expected] of [
      [10, 100, 'ejected'],
      [4, 100, 'in'],
      [10, 99, 'in'],
    ] as const) {
      const { clock, send, state } = make(hosts, { successRate, consecutiveErrors: null })
      for (let at = 0; at < hosts; at++) {
        send(at, GOOD, requests - (at === 0 ? 40 : 1))
        send(at, BAD, at === 0 ? 40 : 1)
      }
      clock.step(10_000)
      assert.equal(state(0), expected, `${hosts} ${requests}`)
      assert.equal(state(1), 'in')
    }
  })

  test('all equally bad: nobody stands out', () => {
    const { clock, send, fleet } = make(10, {
      successRate: { deviations: 1.9, minimumRequests: 10 },
      consecutiveErrors: null,
    })
    for (let at = 0; at < 10; at++) {
      send(at, GOOD, 7)
      send(at, BAD, 3)
    }
    clock.step(10_000)
    assert.ok(fleet.outlierHosts.every(one => one.outlier.state === 'in'))
  })

  test('a latency far above the median ejects, and small differences never', () => {
    const latency = { factor: 3, minimumRequests: 10 }
    for (const [usual, odd, expected] of [
      [20, 60, 'ejected'],
      [20, 59, 'in'],
      [0.5, 5, 'in'],
    ] as const) {
      const { clock, send, state, told } = make(3, { latency })
      send(0, { ...GOOD, milliseconds: odd }, 10)
      send(1, { ...GOOD, milliseconds: usual }, 10)
      send(2, { ...GOOD, milliseconds: usual }, 10)
      clock.step(10_000)
      assert.equal(state(0), expected, `${usual} ${odd}`)
      if (expected === 'ejected') assert.deepEqual(told, ['e0 latency 30'])
    }
  })
})

describe('generations', () => {
  test('the newest one’s thresholds count; with its end those of the one before', () => {
    const { detector, fleet, send, state } = make(3)
    const newer = new Fleet(0, { consecutiveErrors: 2 })
    newer.outlierHosts = fleet.outlierHosts
    detector.join(newer)
    send(0, BAD, 2)
    assert.equal(state(0), 'ejected')
    detector.leave(newer)
    send(1, BAD, 4)
    assert.equal(state(1), 'in')
    assert.ok(fleet.changes === newer.changes, 'both are told')
  })

  test('an endpoint that only an older one has is judged no more; no timer is left', () => {
    const { clock, detector, wheel, fleet, send, state } = make(3)
    const newer = new Fleet(0, {})
    newer.outlierHosts = fleet.outlierHosts.slice(1)
    detector.join(newer)
    send(0, BAD, 50)
    assert.equal(state(0), 'in')
    send(1, BAD, 5)
    assert.equal(state(1), 'ejected')
    detector.leave(fleet)
    detector.leave(newer)
    clock.step(100)
    assert.equal(wheel.size, 0)
  })
})

test('whatever happens: never the last, never more than the share, one probe at a time, and who is well comes back', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 0, max: 100 }),
      fc.array(fc.tuple(fc.nat(11), fc.nat(12), fc.boolean(), fc.nat(20_000)), { maxLength: 120 }),
      (hosts, maxEjectedPercent, script) => {
        const { clock, detector, fleet, state, send } = make(hosts, { maxEjectedPercent, ejection: 5_000 })
        const out = (): number => fleet.outlierHosts.filter(one => one.outlier.state !== 'in').length
        for (const [which, count, good, pause] of script) {
          send(which % hosts, good ? GOOD : BAD, count)
          assert.ok(out() < hosts, 'the last went')
          assert.ok(out() <= Math.max(1, Math.floor((hosts * maxEjectedPercent) / 100)), 'too many went')
          for (const { outlier } of fleet.outlierHosts) {
            if (outlier.state === 'ejected') assert.ok(outlier.until - outlier.since <= 300_000)
            if (outlier.state !== 'probing') continue
            assert.equal(detector.begin(outlier), true)
            assert.equal(detector.begin(outlier), false)
            detector.abandoned(outlier, true)
          }
          clock.step(pause)
        }
        clock.step(300_000)
        for (let at = 0; at < hosts; at++) {
          send(at, GOOD)
          assert.equal(state(at), 'in')
        }
      },
    ),
    { numRuns: 150, seed: 7 },
  )
})

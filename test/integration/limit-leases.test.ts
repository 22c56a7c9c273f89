// Leases of limits: how much more than the limit may pass, and how seldom Redis is asked.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import fc from 'fast-check'
import type { Rate } from '../../sidecar/filters/rate-limit/schema.ts'
import {
  calls,
  configuration,
  Fleet,
  LEASE,
  PROCESSES,
  QUOTA,
  redis,
  started,
  statuses,
} from '../harness/leased.ts'
import { needs } from '../harness/needs.ts'

/** The most that may pass in a stretch of so many milliseconds, as the documentation says. */
const BOUNDS: readonly [rate: Rate, stretch: number, most: number, seen: number][] = [
  [{ kind: 'sliding', window: 10_000 }, 10_000, QUOTA + PROCESSES * (LEASE - 1), QUOTA],
  [{ kind: 'bucket', window: 10_000, burst: 10 }, 10_000, 10 + QUOTA + PROCESSES * (LEASE - 1), QUOTA],
]

for (const [rate, stretch, most, seen] of BOUNDS)
  test(`a ${rate.kind}: never more than ${most} in any stretch`, needs('redis-server'), async t => {
    const { client } = await redis(t)
    const steps = fc.array(
      fc.record({
        pause: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 400 }), fc.integer({ min: 0, max: 9_000 })),
        process: fc.integer({ min: 0, max: PROCESSES - 1 }),
        together: fc.integer({ min: 1, max: 12 }),
        stops: fc.integer({ min: 0, max: 3 }).map(number => number === 0),
      }),
      { minLength: 20, maxLength: 50, size: 'max' },
    )
    let round = 0
    let above = 0
    await fc.assert(
      fc.asyncProperty(steps, async asked => {
        const fleet = new Fleet(client, rate, `${rate.kind}-${round++}`)
        const passed: number[] = []
        for (const { pause: wait, process, together, stops } of asked) {
          await fleet.at(fleet.now + wait)
          if (stops) await fleet.replace((process + 1) % PROCESSES)
          const answers = await Promise.all(Array.from({ length: together }, () => fleet.ask(process)))
          for (const fits of answers) if (fits) passed.push(fleet.now)
          const recent = passed.filter(at => at > fleet.now - stretch).length
          assert.ok(recent <= most, `${recent} in ${stretch} ms`)
          above = Math.max(above, recent)
        }
      }),
      { numRuns: 40, seed: 7 },
    )
    // Else this test would see nothing: leases pass more than one process would.
    assert.ok(above > seen, `${above} at most`)
  })

test(
  'a day: never more than the limit between two midnights of the server',
  needs('redis-server'),
  async t => {
    const { client } = await redis(t)
    const steps = fc.array(
      fc.record({
        pause: fc.integer({ min: 0, max: 4_000 }),
        process: fc.integer({ min: 0, max: PROCESSES - 1 }),
      }),
      { minLength: 60, maxLength: 90, size: 'max' },
    )
    const midnight = Date.parse('2026-02-01T00:00:00Z')
    let round = 0
    let both = 0
    await fc.assert(
      fc.asyncProperty(steps, async asked => {
        const fleet = new Fleet(client, { kind: 'calendar', unit: 'day' }, `day-${round++}`)
        const passed = { before: 0, after: 0 }
        for (const { pause: wait, process } of asked) {
          await fleet.at(fleet.now + wait)
          if (await fleet.ask(process)) passed[fleet.now < midnight ? 'before' : 'after']++
        }
        assert.ok(passed.before <= QUOTA && passed.after <= QUOTA, JSON.stringify(passed))
        if (passed.before > 0 && passed.after > 0) both++
      }),
      { numRuns: 40, seed: 7 },
    )
    assert.ok(both > 10, `${both} runs saw both days`)
  },
)

test(
  'three processes, one hot key: exactly the limit in the day, and few questions',
  needs('redis-server'),
  async t => {
    const { client, port } = await redis(t)
    const yaml = configuration(port, '{ requests: 300, per: day, by: all, lease: 30 }')
    const proxies = await Promise.all([1, 2, 3].map(() => started(t, yaml)))
    const before = await calls(client)
    const seen = (await Promise.all(proxies.flatMap(proxy => [1, 2].map(() => statuses(proxy, 70))))).flat()
    const passed = seen.filter(status => status === 200).length
    assert.ok(seen.every(status => status === 200 || status === 429))
    // What one took ahead and does not need is nobody else's: less than its lease each.
    assert.ok(passed <= 300 && passed > 300 - 3 * 29, `${passed} passed`)
    const asked = (await calls(client)) - before
    assert.ok(asked < 150, `${asked} questions for ${seen.length} requests`)
    // Whom it refused a moment ago nobody asks about again.
    const again = await calls(client)
    await statuses(proxies[0]!, 50)
    assert.ok((await calls(client)) - again <= 2)
  },
)

test('a request that another limit refuses puts back what the lease paid', needs('redis-server'), async t => {
  const { client, port } = await redis(t)
  const proxy = await started(
    t,
    configuration(
      port,
      '[{ requests: 40, per: day, by: all, lease: 10 }, { requests: 5, per: second, by: all, burst: 5, store: memory, name: tight }]',
    ),
  )
  let passed = 0
  for (let round = 0; round < 3; round++) {
    const seen = await statuses(proxy, 30)
    passed += seen.filter(status => status === 200).length
    await pause(1050)
  }
  assert.ok(passed >= 15, `${passed} passed`)
  const [key = ''] = await client.keys('*all-day*')
  const used = Number((await client.get(key))?.split(':')[2])
  assert.ok(used - passed >= 0 && used - passed < 10, `${used} counted, ${passed} passed`)
})

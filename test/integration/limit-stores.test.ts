// One suite for both places in which limits are counted: in the process, and in a real Redis by the script. The server's
// clock is replaced in the script's text, so that both are asked at the same moments and have to say the same.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createClient } from '@redis/client'
import fc from 'fast-check'
import { openCounter } from '../../sidecar/filters/rate-limit/counters.ts'
import { SCRIPT } from '../../sidecar/filters/rate-limit/redis/script.ts'
import type { Rate } from '../../sidecar/filters/rate-limit/schema.ts'
import { needs } from '../harness/needs.ts'
import { startRedis } from '../harness/programs.ts'

/** A limit as a request meets it. */
interface Asked {
  readonly key: string
  readonly rate: Rate
  readonly quota: number
  readonly cost: number
}
/** Whether all fitted, then for each what is left, and the milliseconds until something is and until it would fit. */
type Answer = readonly number[]

interface Store {
  take(at: number, limits: readonly Asked[]): Promise<Answer>
  giveBack(at: number, limits: readonly Asked[]): Promise<void>
}
type Opened = Store & { close(): Promise<void> }

function memory(): Opened {
  let now = 0
  const counters = new Map<string, ReturnType<typeof openCounter>>()
  const states = (limits: readonly Asked[]) =>
    limits.map(({ key, rate }) => {
      let counter = counters.get(key)
      if (counter === undefined)
        counters.set(key, (counter = openCounter(rate, { now: () => now, wall: () => now })))
      return counter.state('k', now)
    })
  return {
    take: (at, limits) => {
      now = at
      const found = states(limits)
      const fits = found.map((state, i) => state.fits(at, limits[i]!.quota, limits[i]!.cost))
      const all = fits.every(Boolean)
      const answer = [all ? 1 : 0]
      for (const [i, state] of found.entries()) {
        const { quota, cost } = limits[i]!
        const wait = fits[i] === true ? 0 : state.wait(at, quota, cost)
        if (all) state.take(at, quota, cost)
        answer.push(state.remaining(at, quota), state.reset(at, quota), wait)
      }
      return Promise.resolve(answer)
    },
    giveBack: (at, limits) => {
      now = at
      for (const [i, state] of states(limits).entries()) {
        state.fits(at, limits[i]!.quota, limits[i]!.cost)
        state.giveBack(limits[i]!.quota, limits[i]!.cost)
      }
      return Promise.resolve()
    },
    close: () => Promise.resolve(),
  }
}

const STEPPED = SCRIPT.replace("redis.call('TIME')", "redis.call('MGET', 'clock:s', 'clock:us')")

async function redis(): Promise<Opened> {
  assert.notEqual(STEPPED, SCRIPT)
  const server = await startRedis()
  const client = createClient({ url: `redis://127.0.0.1:${server.port}` })
  await client.connect()
  const run = async (what: string, at: number, limits: readonly Asked[]): Promise<Answer> => {
    await client.mSet({ 'clock:s': String(Math.floor(at / 1000)), 'clock:us': String((at % 1000) * 1000) })
    const args = limits.flatMap(({ rate, quota, cost }) => [
      rate.kind,
      rate.kind === 'calendar' ? rate.unit : String('window' in rate ? rate.window * 1000 : 0),
      String(quota),
      String(cost),
      rate.kind === 'bucket' ? String(rate.burst) : '0',
      '0',
    ])
    const answer = (await client.eval(STEPPED, {
      keys: limits.map(limit => limit.key),
      arguments: [what, ...args],
    })) as number[]
    // Nothing is taken ahead: the last of each four is 0.
    return answer.filter((_, index) => index === 0 || index % 4 !== 0)
  }
  return {
    take: (at, limits) => run('take', at, limits),
    giveBack: async (at, limits) => void (await run('give', at, limits)),
    close: async () => {
      client.destroy()
      await server.stop()
    },
  }
}

const sliding = (window: number): Rate => ({ kind: 'sliding', window })
const calendar = (unit: 'day' | 'week' | 'month' | 'year'): Rate => ({ kind: 'calendar', unit })
const bucket = (window: number, burst: number): Rate => ({ kind: 'bucket', window, burst })
const START = Date.parse('2026-01-31T23:58:00Z')

/** Takes until it is refused. @returns how many fitted */
async function exhaust(store: Store, at: number, limit: Asked): Promise<number> {
  for (let count = 0; count < 1000; count++) if ((await store.take(at, [limit]))[0] === 0) return count
  throw new Error('nothing refuses')
}

function suite(name: string, open: () => Opened | Promise<Opened>, options: { skip: string | false }): void {
  describe(`limits counted in ${name}`, options, () => {
    const check = (what: string, body: (store: Store) => Promise<void>): void => {
      test(what, async () => {
        const store = await open()
        try {
          await body(store)
        } finally {
          await store.close()
        }
      })
    }

    check('a window gives all back one window later, and not before', async store => {
      const limit = { key: 'a', rate: sliding(60_000), quota: 100, cost: 1 }
      assert.equal(await exhaust(store, START, limit), 100)
      assert.deepEqual(await store.take(START + 1000, [limit]), [0, 0, 59_000, 59_000])
      assert.equal(await exhaust(store, START + 59_999, limit), 0)
      assert.equal(await exhaust(store, START + 60_000, limit), 100)
    })

    check('a window holds in any stretch, not only between its own bounds', async store => {
      const limit = { key: 'a', rate: sliding(60_000), quota: 10, cost: 1 }
      for (let i = 0; i < 10; i++) await store.take(START + 50_000 + i, [limit])
      assert.equal(await exhaust(store, START + 61_000, limit), 0)
      assert.equal(await exhaust(store, START + 110_000 + 9, limit), 10)
    })

    check('a bucket holds the burst and refills', async store => {
      const limit = { key: 'a', rate: bucket(60_000, 5), quota: 60, cost: 1 }
      assert.equal(await exhaust(store, START, limit), 5)
      assert.deepEqual(await store.take(START, [limit]), [0, 0, 5000, 1000])
      assert.equal(await exhaust(store, START + 2500, limit), 2)
      assert.equal(await exhaust(store, START + 3_600_000, limit), 5)
    })

    for (const [unit, from, last] of [
      ['day', '2026-02-28T00:00:00.000Z', '2026-02-28T23:59:59.999Z'],
      ['week', '2026-11-23T00:00:00.000Z', '2026-11-29T23:59:59.999Z'],
      ['month', '2028-02-01T00:00:00.000Z', '2028-02-29T23:59:59.999Z'],
      ['month', '2026-12-01T00:00:00.000Z', '2026-12-31T23:59:59.999Z'],
      ['year', '2026-01-01T00:00:00.000Z', '2026-12-31T23:59:59.999Z'],
    ] as const)
      check(`a ${unit} begins and ends with the calendar's: ${from}`, async store => {
        const limit = { key: 'a', rate: calendar(unit), quota: 3, cost: 1 }
        assert.equal(await exhaust(store, Date.parse(from) - 1, limit), 3)
        assert.equal(await exhaust(store, Date.parse(from), limit), 3)
        const end = Date.parse(last)
        assert.deepEqual(await store.take(end, [limit]), [0, 0, 1, 1])
        assert.equal(await exhaust(store, end + 1, limit), 3)
      })

    check('one that refuses keeps all from counting', async store => {
      const wide = { key: 'a', rate: sliding(60_000), quota: 10, cost: 1 }
      const tight = { key: 'b', rate: calendar('day'), quota: 2, cost: 1 }
      for (let i = 0; i < 2; i++) assert.equal((await store.take(START, [wide, tight]))[0], 1)
      for (let i = 0; i < 5; i++) {
        const [fits, left, , wait, leftOfTight, , waitOfTight] = await store.take(START, [wide, tight])
        assert.deepEqual([fits, left, wait, leftOfTight, waitOfTight], [0, 8, 0, 0, 120_000])
      }
      assert.equal(await exhaust(store, START, wide), 8)
    })

    check('a cost counts for as much, and a larger one waits longer', async store => {
      const limit = (cost: number): Asked => ({ key: 'a', rate: sliding(10_000), quota: 10, cost })
      assert.equal((await store.take(START, [limit(6)]))[0], 1)
      assert.equal((await store.take(START + 4000, [limit(3)]))[0], 1)
      assert.deepEqual(await store.take(START + 5000, [limit(7)]), [0, 1, 5000, 5000])
      assert.deepEqual(await store.take(START + 5000, [limit(8)]), [0, 1, 5000, 9000])
    })

    check('what is given back is as if it had not been', async store => {
      const limits = [sliding(60_000), bucket(60_000, 5), calendar('day')].map((rate, i): Asked => ({
        key: `k${i}`,
        rate,
        quota: 5,
        cost: 2,
      }))
      const before = await store.take(START, limits)
      await store.take(START + 10, limits)
      await store.giveBack(START + 10, limits)
      const after = await store.take(START + 10, limits)
      assert.deepEqual([after[0], after[1], after[4], after[7]], [1, before[1]! - 2, 1, before[7]! - 2])
    })

    check('a number that changes keeps the count', async store => {
      const limit = (quota: number): Asked => ({ key: 'a', rate: sliding(60_000), quota, cost: 1 })
      assert.equal(await exhaust(store, START, limit(10)), 10)
      assert.equal(await exhaust(store, START, limit(25)), 15)
      assert.equal(await exhaust(store, START + 1, limit(5)), 0)
    })

    check(
      'a clock that is set back by an hour gives nothing away and locks nobody out (row 66, R12)',
      async store => {
        const day = { key: 'd', rate: calendar('day'), quota: 3, cost: 1 }
        const midnight = Date.parse('2026-02-01T00:00:00Z')
        assert.equal(await exhaust(store, midnight + 1_800_000, day), 3)
        assert.equal(await exhaust(store, midnight - 1_800_000, day), 0)
        assert.equal(await exhaust(store, midnight + 24 * 3_600_000, day), 3)
      },
    )
  })
}

suite('the process', memory, { skip: false })
suite('Redis', redis, needs('redis-server'))

const MINUTE: readonly Rate[] = [
  sliding(60_000),
  sliding(997),
  bucket(60_000, 7),
  bucket(1000, 1),
  calendar('day'),
]

test('both say the same to whatever is asked', needs('redis-server'), async () => {
  const store = await redis()
  try {
    const asked = fc.array(
      fc.record({
        pause: fc.oneof(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 70_000 })),
        which: fc.subarray([0, 1, 2, 3, 4], { minLength: 1 }),
        cost: fc.integer({ min: 1, max: 2 }),
      }),
      { minLength: 20, maxLength: 80, size: 'max' },
    )
    let round = 0
    await fc.assert(
      fc.asyncProperty(asked, async requests => {
        const here = memory()
        round++
        let at = START
        for (const { pause, which, cost } of requests) {
          at += pause
          const limits = which.map((i): Asked => ({
            key: `${round}:${i}`,
            rate: MINUTE[i]!,
            quota: 3 + i,
            cost: MINUTE[i]!.kind === 'bucket' ? 1 : cost,
          }))
          const [mine, theirs] = [await here.take(at, limits), await store.take(at, limits)]
          const rounded = mine.map(number => Math.ceil(number - 0.01))
          for (const [index, number] of rounded.entries())
            assert.ok(
              Math.abs(number - theirs[index]!) <= 1 && (index > 0 || number === theirs[0]),
              `${mine.join()} | ${theirs.join()}`,
            )
        }
      }),
      { numRuns: 40, seed: 1 },
    )
  } finally {
    await store.close()
  }
})

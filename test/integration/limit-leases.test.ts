// Leases of limits: how much more than the limit may pass, and how seldom Redis is asked.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { createClient } from '@redis/client'
import fc from 'fast-check'
import { exchangeFixture } from '../../sidecar/exchange/exchange-fixture.ts'
import { openCounter } from '../../sidecar/filters/rate-limit/counters.ts'
import { Leases } from '../../sidecar/filters/rate-limit/lease.ts'
import { type Limit, Standing } from '../../sidecar/filters/rate-limit/limit-set.ts'
import { SCRIPT } from '../../sidecar/filters/rate-limit/redis/script.ts'
import { RedisStore } from '../../sidecar/filters/rate-limit/redis/store.ts'
import type { LimitSpec, Rate } from '../../sidecar/filters/rate-limit/schema.ts'
import { InProcess } from '../harness/in-process.ts'
import { needs } from '../harness/needs.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { startRedis } from '../harness/programs.ts'
import { RawClient } from '../harness/raw-client.ts'

type Client = ReturnType<typeof createClient>

const STEPPED = SCRIPT.replace("redis.call('TIME')", "redis.call('MGET', 'clock:s', 'clock:us')")
const START = Date.parse('2026-01-31T23:59:30Z')
const PROCESSES = 3
const LEASE = 5
const QUOTA = 20

/** Several processes that share one Redis and one stepped clock. */
class Fleet {
  now = START
  readonly #client: Client
  readonly #rate: Rate
  readonly #name: string
  readonly #limits: Limit[]

  constructor(client: Client, rate: Rate, name: string) {
    this.#client = client
    this.#rate = rate
    this.#name = name
    this.#limits = Array.from({ length: PROCESSES }, () => this.#process())
  }

  #process(): Limit {
    const run = async (keys: string[], args: string[]): Promise<readonly number[]> =>
      (await this.#client.eval(STEPPED, { keys, arguments: args })) as number[]
    const store = new RedisStore(
      { cluster: false, prefix: 'x:', onError: 'deny' },
      { ready: true, run, close: async () => {} },
    )
    const clock = { now: () => this.now - START, wall: () => this.now }
    const rate = this.#rate
    const spec: LimitSpec = {
      name: this.#name,
      scope: 's',
      by: [],
      rate,
      quota: QUOTA,
      per: '',
      plans: {},
      cost: 1,
      store: 'x',
      lease: LEASE,
    }
    const leases = new Leases(LEASE, rate, () => clock.now())
    store.lend(leases, spec)
    return {
      spec,
      quota: QUOTA,
      key: () => 'k',
      cost: () => 1,
      counter: openCounter(rate, clock),
      store,
      leases,
      item: null,
    }
  }

  /** A process stops, and another one takes its place. */
  async replace(process: number): Promise<void> {
    const { store, leases } = this.#limits[process]!
    await (store as RedisStore).putBack(leases!) // `#process` made it
    this.#limits[process] = this.#process()
  }

  async at(now: number): Promise<void> {
    this.now = now
    await this.#client.mSet({
      'clock:s': String(Math.floor(now / 1000)),
      'clock:us': String((now % 1000) * 1000),
    })
  }

  /** Asks at one process. @returns whether it passes */
  async ask(process: number): Promise<boolean> {
    const limit = this.#limits[process]!
    const standing = new Standing(limit, exchangeFixture())
    const paid = standing.pay()
    if (paid !== undefined) return paid
    return !(await limit.store!.take([standing])).refused
  }
}

async function redis(t: TestContext): Promise<{ client: Client; port: number }> {
  const server = await startRedis()
  const client = createClient({ url: `redis://127.0.0.1:${server.port}` })
  await client.connect()
  t.after(async () => {
    client.destroy()
    await server.stop()
  })
  return { client: client as Client, port: server.port }
}

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

function configuration(port: number, limits: string): string {
  return `version: 1
service: test
stores: { default: { redis: "redis://127.0.0.1:${port}", timeout: 2s, onError: deny } }
listeners:
  - name: in
    role: inbound
    address: 127.0.0.1:0
    routes:
      - { name: limited, match: { path: /limited }, respond: { body: ok }, rateLimit: ${limits} }
      - { name: warm, match: { path: /warm }, respond: { body: ok }, rateLimit: { requests: 1000000, per: hour, by: all } }
`
}

async function started(t: TestContext, yaml: string): Promise<InProcess> {
  const proxy = await InProcess.start(yaml)
  t.after(() => proxy.stop())
  await warm(proxy)
  return proxy
}

async function warm(proxy: InProcess): Promise<void> {
  for (let i = 0; i < 300; i++) {
    if ((await proxy.ask('GET /warm HTTP/1.1\r\nhost: a\r\n\r\n')).status === 200) return
    await pause(20)
  }
  throw new Error('the store does not come')
}

async function statuses(proxy: InProcess, count: number): Promise<number[]> {
  const client = await RawClient.connect(proxy.port())
  const seen: number[] = []
  for (let i = 0; i < count; i++)
    seen.push((await client.ask('GET /limited HTTP/1.1\r\nhost: a\r\n\r\n')).status)
  client.destroy()
  return seen
}

async function calls(client: Client): Promise<number> {
  const info = await client.info('commandstats')
  return ['evalsha', 'eval'].reduce(
    (sum, name) => sum + Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(info)?.[1] ?? 0),
    0,
  )
}

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

test(
  'a process that stops puts back what it did not use: exactly the limit passes',
  needs('redis-server'),
  async t => {
    const { client, port } = await redis(t)
    const limits =
      '[{ requests: 200, per: day, by: all, lease: 40 }, { requests: 300, per: hour, by: all, lease: 50, burst: 250 }, { requests: 400, per: hour, by: address, lease: 60 }]'
    let passed = 0
    for (const asked of [1, 45, 7]) {
      const proxy = await InProcess.start(configuration(port, limits))
      await warm(proxy)
      passed += (await statuses(proxy, asked)).filter(status => status === 200).length
      await proxy.stop()
      // What stops does not wait for it here; a process does, see below.
      await settled(client, passed)
    }
    assert.equal(passed, 53)
    const last = await InProcess.start(configuration(port, limits))
    t.after(() => last.stop())
    await warm(last)
    const seen = await statuses(last, 160)
    assert.equal(seen.filter(status => status === 200).length, 200 - passed)
  },
)

test('a limit that a reload takes away puts back what was taken ahead', needs('redis-server'), async t => {
  const { client, port } = await redis(t)
  const proxy = await started(t, configuration(port, '{ requests: 200, per: day, by: all, lease: 40 }'))
  await statuses(proxy, 3)
  assert.equal(await used(client), 40)
  await proxy.apply(configuration(port, '{ requests: 5, per: minute, by: address, store: memory }'))
  await settled(client, 3)
})

/** What is counted of the day. */
async function used(client: Client): Promise<number> {
  const [key = ''] = await client.keys('*all-day*')
  return Number((await client.get(key))?.split(':')[2])
}

async function settled(client: Client, count: number): Promise<void> {
  for (let i = 0; i < 100 && (await used(client)) !== count; i++) await pause(20)
  assert.equal(await used(client), count)
}

test(
  'what is put back frees what was counted with it, and nothing that came later',
  needs('redis-server'),
  async t => {
    const { client } = await redis(t)
    const fleet = new Fleet(client, { kind: 'sliding', window: 10_000 }, 'order')
    const passes = async (process: number, times: number): Promise<number> => {
      let passed = 0
      for (let i = 0; i < times; i++) if (await fleet.ask(process)) passed++
      return passed
    }
    await fleet.at(START)
    assert.equal(await passes(0, 1), 1, 'and four are taken ahead')
    await fleet.at(START + 8_000)
    assert.equal(await passes(1, 6), 6, 'three and three, of what was left')
    await fleet.replace(0)
    // All is free again but what the other one passed two seconds ago.
    await fleet.at(START + 10_100)
    assert.equal(await passes(2, 2 * QUOTA), QUOTA - 6)
  },
)

test(
  'a process that is told to stop puts back what it took ahead before it ends',
  needs('redis-server'),
  async t => {
    const { client, port } = await redis(t)
    const own = configuration(port, '{ requests: 200, per: day, by: all, lease: 40 }')
    const first = await Outrigger.start(`${own}admin: { address: 127.0.0.1:0 }\ndrain: { timeout: 1s }\n`)
    t.after(() => first.stop())
    const raw = await RawClient.connect(first.port('in'))
    for (let i = 0; (await raw.ask('GET /warm HTTP/1.1\r\nhost: a\r\n\r\n')).status !== 200; i++) {
      assert.ok(i < 300, 'the store does not come')
      await pause(20)
    }
    for (let i = 0; i < 2; i++)
      assert.equal((await raw.ask('GET /limited HTTP/1.1\r\nhost: a\r\n\r\n')).status, 200)
    raw.destroy()
    assert.equal(await used(client), 40)
    assert.equal((await first.stop()).code, 0)
    assert.equal(await used(client), 2, 'before the process ended')
  },
)

import type { TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { createClient } from '@redis/client'
import { exchangeFixture } from '../../sidecar/exchange/exchange-fixture.ts'
import { openCounter } from '../../sidecar/filters/rate-limit/counters.ts'
import { Leases } from '../../sidecar/filters/rate-limit/lease.ts'
import { type Limit, Standing } from '../../sidecar/filters/rate-limit/limit-set.ts'
import { SCRIPT } from '../../sidecar/filters/rate-limit/redis/script.ts'
import { RedisStore } from '../../sidecar/filters/rate-limit/redis/store.ts'
import type { LimitSpec, Rate } from '../../sidecar/filters/rate-limit/schema.ts'
import { InProcess } from './in-process.ts'
import { startRedis } from './programs.ts'
import { RawClient } from './raw-client.ts'

/** A client of Redis, beside the processes. */
export type Client = ReturnType<typeof createClient>

const STEPPED = SCRIPT.replace("redis.call('TIME')", "redis.call('MGET', 'clock:s', 'clock:us')")
/** Half a minute before a day and a month end. */
export const START = Date.parse('2026-01-31T23:59:30Z')
/** How many share a limit, how much each takes at a time, and the limit. */
export const PROCESSES = 3
export const LEASE = 5
export const QUOTA = 20

/** Several processes that share one Redis and one stepped clock. */
export class Fleet {
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

/** A Redis of the test's own. */
export async function redis(t: TestContext): Promise<{ client: Client; port: number }> {
  const server = await startRedis()
  const client = createClient({ url: `redis://127.0.0.1:${server.port}` })
  await client.connect()
  t.after(async () => {
    client.destroy()
    await server.stop()
  })
  return { client: client as Client, port: server.port }
}

/** A route with limits that are counted in the Redis at a port, and one that shows whether that is there. */
export function configuration(port: number, limits: string): string {
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

/** A proxy whose store is there. */
export async function started(t: TestContext, yaml: string): Promise<InProcess> {
  const proxy = await InProcess.start(yaml)
  t.after(() => proxy.stop())
  await warm(proxy)
  return proxy
}

/** Waits until the store is there. */
export async function warm(proxy: InProcess): Promise<void> {
  for (let i = 0; i < 300; i++) {
    if ((await proxy.ask('GET /warm HTTP/1.1\r\nhost: a\r\n\r\n')).status === 200) return
    await pause(20)
  }
  throw new Error('the store does not come')
}

/** Asks for the route with limits so many times. */
export async function statuses(proxy: InProcess, count: number): Promise<number[]> {
  const client = await RawClient.connect(proxy.port())
  const seen: number[] = []
  for (let i = 0; i < count; i++)
    seen.push((await client.ask('GET /limited HTTP/1.1\r\nhost: a\r\n\r\n')).status)
  client.destroy()
  return seen
}

/** How often Redis was asked to count. */
export async function calls(client: Client): Promise<number> {
  const info = await client.info('commandstats')
  return ['evalsha', 'eval'].reduce(
    (sum, name) => sum + Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(info)?.[1] ?? 0),
    0,
  )
}

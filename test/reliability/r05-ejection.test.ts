// R5: one of ten endpoints fails, then all ten, then none: how soon the one is out, that never more are out than may be, and
// how soon all are back.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { InProcess } from '../harness/in-process.ts'
import { CountingService, withServices } from '../harness/services.ts'

const ENDPOINTS = 10
const CLIENTS = 8
/** Of ten, with `maxEjectedPercent` at its default of 10. */
const CAP = 1
const GET = 'GET /x HTTP/1.1\r\nhost: a\r\n\r\n'

/** Clients that ask one request after another, with a pause of 10 ms, until they are told to stop. */
class Load {
  statuses = new Map<number, number>()
  #stopped = false
  readonly #running: Promise<void>[]

  constructor(proxy: InProcess) {
    this.#running = Array.from({ length: CLIENTS }, async () => {
      const client = await proxy.connect()
      while (!this.#stopped) {
        const { status } = await client.ask(GET)
        this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1)
        await pause(10)
      }
      client.destroy()
    })
  }

  /** What was answered since the last call: how many, and how many of them well. */
  take(): { all: number; good: number } {
    const counts = [...this.statuses]
    this.statuses = new Map()
    return {
      all: counts.reduce((sum, [, count]) => sum + count, 0),
      good: counts.find(([status]) => status === 200)?.[1] ?? 0,
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#running)
  }
}

for (const [what, route] of [
  ['without retries', 'retry: off'],
  ['with retries', ''],
] as const) {
  test(`R5: 1 of 10 endpoints fails, then 10 of 10, then none, ${what}`, async t => {
    const failing = new Set<number>()
    const services = await Promise.all(
      Array.from({ length: ENDPOINTS }, async (_, at) =>
        CountingService.listen(() => (failing.has(at) ? 503 : 200)),
      ),
    )
    const bad = services[3] as CountingService
    const proxy = await withServices(
      t,
      { app: services },
      { route, upstream: 'outlierDetection: { ejection: 1s, maxEjection: 2s }' },
    )
    const out = (): number =>
      [...proxy.service.holder.current.snapshot.upstreams.values()].flatMap(({ members }) =>
        members.filter(({ condition }) => condition === 'ejected' || condition === 'probing'),
      ).length
    const load = new Load(proxy)
    try {
      await pause(300)
      assert.equal(out(), 0)
      load.take()

      failing.add(3)
      const begun = performance.now()
      await proxy.until('the ejection', () => out() === 1)
      const ejection = performance.now() - begun
      const before = bad.came.length
      await pause(800)
      const one = load.take()
      t.diagnostic(`1 of 10: ejected after ${(ejection / 1000).toFixed(2)} s (2 at most)`)
      t.diagnostic(`until then and for 0.8 s more: ${one.good} of ${one.all} answered well`)
      assert.ok(ejection < 2000, `${ejection} ms`)
      assert.ok(bad.came.length - before <= 1 + CLIENTS, 'it is asked although it is out')

      for (let at = 0; at < ENDPOINTS; at++) failing.add(at)
      let most = 0
      for (let i = 0; i < 150; i++) {
        most = Math.max(most, out())
        await pause(10)
      }
      t.diagnostic(`10 of 10: at most ${most} out at one time (${CAP} may be)`)
      assert.equal(most, CAP)

      failing.clear()
      const repaired = performance.now()
      await proxy.until('the last to be back', () => out() === 0)
      t.diagnostic(
        `repaired: all back after ${((performance.now() - repaired) / 1000).toFixed(2)} s (an ejection is 2 s at most here)`,
      )
      await pause(50)
      load.take()
      await pause(300)
      const { all, good } = load.take()
      t.diagnostic(`then ${good} of ${all} answered well`)
      assert.equal(good, all)
      assert.ok(performance.now() - repaired < 4000)
    } finally {
      await load.stop()
    }
  })
}

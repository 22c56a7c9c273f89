import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { FixedService, openLoad, type OpenOutcome } from './open-load.ts'

/** The service answers 8 at once in 40 ms each. */
const CAPACITY = 8
const WORK_MS = 40

const figures = ({ goodput, p50, p99, shed }: OpenOutcome): string =>
  `${goodput.toFixed(0)} rps, p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms, ${(shed * 100).toFixed(0)} % refused`

async function under(t: TestContext, upstream: string, run: (port: number) => Promise<void>): Promise<void> {
  const service = await FixedService.listen(CAPACITY, WORK_MS)
  t.after(() => service.close())
  const outrigger = await Outrigger.start(
    routeTo(service.port, { upstream }).replace('accessLog: on', 'accessLog: off') +
      'admin: { address: 127.0.0.1:0 }\n',
  )
  try {
    await run(outrigger.port('in'))
  } finally {
    await outrigger.stop('SIGKILL')
  }
}

test('R9: at three times what the service can do, with `limits.adaptive`, it does what it can', async t => {
  await under(t, 'limits: { adaptive: on }', async port => {
    const rate = (CAPACITY / WORK_MS) * 1000
    // The limit finds its place, and what the service can do at most is seen.
    await openLoad(port, rate, 1.5)
    const calm = await openLoad(port, rate * 0.5, 2)
    const peak = await openLoad(port, rate, 2)
    const flood = await openLoad(port, rate * 3, 4)
    t.diagnostic(`half the load: ${figures(calm)}`)
    t.diagnostic(`peak: ${figures(peak)}`)
    t.diagnostic(`three times: ${figures(flood)}`)
    const share = flood.goodput / peak.goodput
    t.diagnostic(`goodput ${share.toFixed(2)} of the peak, p99 ${(flood.p99 / calm.p99).toFixed(1)} x`)
    assert.ok(share >= 0.8, `goodput is ${share} of the peak`)
    // The median, since a machine that is busy with others holds up one of a hundred anyhow.
    assert.ok(flood.p50 < calm.p50 * 3, `p50 is ${flood.p50} ms, ${calm.p50} ms under half the load`)
    assert.equal(flood.failed, 0)
    assert.deepEqual(Object.keys(flood.reasons), ['upstream_overloaded'])
  })
})

// Row 32 of docs/security.md, what it costs others: a thread opens sessions and resets streams as fast as it can, while a
// client of good manners asks as before.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { percentile } from '../../bench/statistics.ts'
import { HttpUpstream } from '../harness/http-upstream.ts'
import { routeTo } from '../harness/configs.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { RawH2 } from '../harness/raw-h2.ts'

const REQUESTS = 800
const PACE_MS = 2
/** Twenty sessions a second, each cut after some hundred resets. */
const EVERY_MS = 50
const TRIES = 4
/** Below this a machine that others share says nothing. */
const NOISE_MS = 10

/** The 99th percentile of one request after another, in milliseconds. */
async function p99(client: RawH2): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < REQUESTS; i++) {
    await setTimeout(PACE_MS)
    const begun = performance.now()
    const id = client.get('/here')
    assert.equal((await client.over(id)).status, 200)
    times.push(performance.now() - begun)
  }
  return percentile(times, 99)
}

test('row 32: under rapid reset the p99 of others stays below twice its normal', async () => {
  const upstream = await HttpUpstream.listen()
  const outrigger = await Outrigger.start(routeTo(upstream.port))
  const port = outrigger.port('in')
  const client = await RawH2.connect(port)
  await p99(client)
  const seen: string[] = []
  let met = false
  for (let tried = 0; tried < TRIES && !met; tried++) {
    const normal = await p99(client)
    const attacker = new Worker(new URL('./reset-attacker.ts', import.meta.url), {
      workerData: { port, every: EVERY_MS },
    })
    const attacked = await p99(client)
    await attacker.terminate()
    seen.push(`${normal.toFixed(1)} ms became ${attacked.toFixed(1)} ms`)
    met = attacked < Math.max(2 * normal, NOISE_MS)
  }
  client.destroy()
  await outrigger.stop()
  await upstream.close()
  assert.ok(met, seen.join(', '))
})

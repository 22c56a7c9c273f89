// Row 65: ten million keys, each sent once, and memory stays flat; who comes again and again keeps its count meanwhile.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openCounter } from '../../sidecar/filters/rate-limit/counters.ts'

const KEYS = 10_000_000
/** What the collector leaves for later is not the same at every moment. */
const MOST_BYTES = 64 * 1024 * 1024

test('row 65: ten million keys', () => {
  const clock = { now: () => performance.now(), wall: () => Date.now() }
  const counter = openCounter({ kind: 'sliding', window: 3_600_000 }, clock)
  const ask = (key: string): boolean => {
    const state = counter.state(key, counter.now())
    if (!state.fits(counter.now(), 5, 1)) return false
    state.take(counter.now(), 5, 1)
    return true
  }
  const most = { early: 0, late: 0 }
  let passed = 0
  for (let i = 0; i < KEYS; i++) {
    ask(`2001:db8:${i.toString(16)}::/64`)
    if (i % 20_000 !== 0) continue
    if (ask('steady')) passed++
    const part = i < KEYS / 4 ? 'early' : 'late'
    most[part] = Math.max(most[part], process.memoryUsage().rss)
  }
  assert.equal(passed, 5)
  const [early, late] = [most.early, most.late].map(bytes => Math.round(bytes / 1024 / 1024))
  console.log(`row 65: ${KEYS} keys: at most ${early} MiB in the first quarter, ${late} MiB after it`)
  assert.ok(most.late - most.early < MOST_BYTES)
})

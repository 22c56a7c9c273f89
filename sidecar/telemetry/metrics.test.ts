import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import fc from 'fast-check'
import { needs } from '../../test/harness/needs.ts'
import { Metrics } from './metrics.ts'
import { IDLE_MS, MAX_LABELS } from './series-table.ts'

function stepped() {
  const clock = { time: 0, now: () => clock.time, wall: () => 1_700_000_000_000 + clock.time }
  return clock
}

function metricsOn(clock = stepped()): Metrics {
  return new Metrics(clock, { version: '1.2.3', node: 'v26' })
}

async function scrape(metrics: Metrics): Promise<string> {
  let text = ''
  await metrics.render(chunk => {
    text += chunk
  })
  return text
}

/** Series by name and labels. Fails where one stands twice. */
function series(text: string): Map<string, number> {
  const found = new Map<string, number>()
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    const cut = line.lastIndexOf(' ')
    const key = line.slice(0, cut)
    assert.ok(!found.has(key), `twice: ${key}`)
    found.set(key, Number(line.slice(cut + 1)))
  }
  return found
}

test('requests, durations and errors stand under the documented names', async () => {
  const metrics = metricsOn()
  const orders = metrics.route('orders')
  orders.record('GET', 200, 0.004)
  orders.record('GET', 200, 0.005)
  orders.record('BREW', 418, 11)
  metrics.error('orders', 'upstream_timeout')
  metrics.error('orders', 'made_up')
  const found = series(await scrape(metrics))
  assert.equal(found.get('gateway_requests_total{method="GET",route="orders",status_code="200"}'), 2)
  assert.equal(found.get('gateway_requests_total{method="_OTHER",route="orders",status_code="418"}'), 1)
  const bucket = 'gateway_request_duration_seconds_bucket{method="GET",route="orders",le='
  assert.equal(found.get(`${bucket}"0.005"}`), 2)
  assert.equal(found.get(`${bucket}"+Inf"}`), 2)
  const slow = 'gateway_request_duration_seconds_bucket{method="_OTHER",route="orders",le='
  assert.equal(found.get(`${slow}"10"}`), 0)
  assert.equal(found.get(`${slow}"+Inf"}`), 1)
  assert.equal(found.get('gateway_request_duration_seconds_sum{method="_OTHER",route="orders"}'), 11)
  assert.equal(found.get('outrigger_errors_total{route="orders",reason="upstream_timeout"}'), 1)
  assert.equal(found.get('outrigger_errors_total{route="orders",reason="other"}'), 1)
})

test('what is recorded is what is scraped, whatever comes', async () => {
  const step = fc.record({
    route: fc.constantFrom('a', 'b', 'c'),
    method: fc.constantFrom('GET', 'POST', 'get', 'PROPFIND', 'X'),
    status: fc.oneof(
      fc.integer({ min: 100, max: 599 }),
      fc.constantFrom(0, -1, 99, 600, 1e9, 200.5, Number.NaN),
    ),
    seconds: fc.oneof(fc.double({ min: 0, max: 20, noNaN: true }), fc.constantFrom(-1, Number.NaN, Infinity)),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 200 }), async steps => {
      const metrics = metricsOn()
      const expected = new Map<string, number>()
      for (const { route, method, status, seconds } of steps) {
        metrics.route(route).record(method, status, seconds)
        const label = method === 'GET' || method === 'POST' ? method : '_OTHER'
        const code = Number.isInteger(status) && status >= 100 && status <= 599 ? String(status) : '_OTHER'
        const key = `gateway_requests_total{method="${label}",route="${route}",status_code="${code}"}`
        expected.set(key, (expected.get(key) ?? 0) + 1)
      }
      const found = series(await scrape(metrics))
      const requests = new Map([...found].filter(([key]) => key.startsWith('gateway_requests_total')))
      assert.deepEqual(requests, expected)
      let observed = 0
      for (const [key, value] of found) {
        assert.ok(Number.isFinite(value), key)
        if (key.startsWith('gateway_request_duration_seconds_count')) observed += value
      }
      assert.equal(observed, steps.length)
    }),
    { numRuns: 60 },
  )
})

test('buckets are cumulative and end in the count', async () => {
  const metrics = metricsOn()
  metrics.setBuckets([100, 10, 10, 1000])
  for (const seconds of [0.001, 0.01, 0.0101, 0.5, 5]) metrics.route('a').record('GET', 200, seconds)
  const counts = [...series(await scrape(metrics))]
    .filter(([key]) => key.includes('_bucket'))
    .map(([key, value]) => [/le="(.*)"/.exec(key)?.[1], value])
  assert.deepEqual(counts, [
    ['0.01', 2],
    ['0.1', 3],
    ['1', 4],
    ['+Inf', 5],
  ])
})

test('other buckets start the histogram again and leave the counters', async () => {
  const metrics = metricsOn()
  metrics.route('a').record('GET', 200, 0.1)
  metrics.setBuckets([1000])
  assert.ok(!(await scrape(metrics)).includes('_seconds_count'))
  metrics.route('a').record('GET', 200, 0.1)
  const found = series(await scrape(metrics))
  assert.equal(found.get('gateway_requests_total{method="GET",route="a",status_code="200"}'), 2)
  assert.equal(found.get('gateway_request_duration_seconds_count{method="GET",route="a"}'), 1)
  assert.equal([...found.keys()].filter(key => key.includes('_bucket')).length, 2)
})

test('a route keeps its counters over a reload', async () => {
  const metrics = metricsOn()
  const before = metrics.route('a')
  before.record('GET', 200, 0)
  metrics.retain({ routes: ['a'], upstreams: [] })
  assert.equal(metrics.route('a'), before)
})

test('a removed route goes after ten minutes without activity, and comes back when it is still used', async () => {
  const clock = stepped()
  const metrics = metricsOn(clock)
  const old = metrics.route('old')
  old.record('GET', 200, 0)
  metrics.retain({ routes: ['old'], upstreams: [] })
  clock.time += IDLE_MS * 2
  assert.match(await scrape(metrics), /route="old"/, 'an active route stays, idle or not')
  metrics.retain({ routes: ['new'], upstreams: [] })
  clock.time += IDLE_MS - 1
  assert.match(await scrape(metrics), /route="old"/)
  old.record('GET', 200, 0)
  clock.time += 1
  assert.match(await scrape(metrics), /route="old"/, 'activity begins the time anew')
  clock.time += IDLE_MS
  assert.doesNotMatch(await scrape(metrics), /route="old"/)
  old.record('GET', 101, 3_600)
  const found = series(await scrape(metrics))
  assert.equal(found.get('gateway_requests_total{method="GET",route="old",status_code="101"}'), 1)
  assert.equal(found.get('gateway_requests_total{method="GET",route="old",status_code="200"}'), undefined)
})

test('a dropped recorder counts on the series that took its name', async () => {
  const clock = stepped()
  const metrics = metricsOn(clock)
  const old = metrics.route('a')
  clock.time += IDLE_MS
  await scrape(metrics)
  const fresh = metrics.route('a')
  assert.notEqual(fresh, old)
  fresh.record('GET', 200, 0)
  old.record('GET', 200, 0)
  const found = series(await scrape(metrics))
  assert.equal(found.get('gateway_requests_total{method="GET",route="a",status_code="200"}'), 2)
})

test('labels are bounded: methods, routes and upstreams', async () => {
  const metrics = metricsOn()
  const one = metrics.route('one')
  for (let i = 0; i < 100_000; i++) one.record(`M${i}`, 200, 0)
  for (let i = 0; i < MAX_LABELS + 500; i++) {
    metrics.route(`r${i}`).record('GET', 200, 0)
    metrics.upstream(`u${i}`).requests++
  }
  const found = series(await scrape(metrics))
  assert.equal(found.get('gateway_requests_total{method="_OTHER",route="one",status_code="200"}'), 100_000)
  const routes = [...found.keys()].filter(key => key.startsWith('gateway_requests_total'))
  // `none` holds a place and has no request.
  assert.equal(routes.length, MAX_LABELS)
  assert.equal(found.get('gateway_requests_total{method="GET",route="_other",status_code="200"}'), 502)
  assert.equal(found.get('outrigger_upstream_requests_total{upstream="_other"}'), 500)
})

test('gauges are read at the scrape; labels are escaped; nothing stands twice', async () => {
  const metrics = metricsOn()
  const endpoints = { healthy: 1, unhealthy: 0, ejected: 1, probing: 0 }
  const state = { inFlight: 3, pending: 1, idle: 4, active: 3, endpoints, breaker: 2, panic: true }
  metrics.connect({
    activeConnections: () => 7,
    activeRequests: () => 5,
    upstreams: () => [
      { upstream: 'we"ird\\\n', ...state },
      { upstream: 'we"ird\\\n', ...state },
    ],
    droppedLines: () => ({ access: 9, process: 0, audit: 0 }),
  })
  metrics.gauge('outrigger_twice', 'Twice.', () => [
    { labels: { a: '1' }, value: 1 },
    { labels: { a: '1' }, value: 2 },
  ])
  const text = await scrape(metrics)
  const found = series(text)
  assert.equal(found.get('gateway_active_connections'), 7)
  assert.equal(found.get('outrigger_active_requests'), 5)
  assert.equal(found.get('outrigger_log_lines_dropped_total{log="access"}'), 9)
  assert.equal(found.get('outrigger_upstream_in_flight{upstream="we\\"ird\\\\\\n"}'), 3)
  assert.equal(found.get('outrigger_upstream_endpoints{upstream="we\\"ird\\\\\\n",state="ejected"}'), 1)
  assert.equal(found.get('outrigger_circuit_breaker_state{upstream="we\\"ird\\\\\\n"}'), 2)
  assert.equal(found.get('outrigger_upstream_panic{upstream="we\\"ird\\\\\\n"}'), 1)
  assert.equal(found.get('outrigger_twice{a="1"}'), 1)
  assert.equal(found.get('outrigger_build_info{version="1.2.3",node="v26"}'), 1)
})

test('reloads are counted by result, and the hash of the last good one stays', async () => {
  const metrics = metricsOn()
  assert.doesNotMatch(await scrape(metrics), /last_reload/)
  metrics.reloaded('abc')
  metrics.reloaded(null)
  const found = series(await scrape(metrics))
  assert.equal(found.get('outrigger_config_reloads_total{result="success"}'), 1)
  assert.equal(found.get('outrigger_config_reloads_total{result="failure"}'), 1)
  assert.equal(found.get('outrigger_config_last_reload_successful'), 0)
  assert.equal(found.get('outrigger_config_last_reload_timestamp_seconds'), 1_700_000_000)
  assert.equal(found.get('outrigger_config_info{hash="abc"}'), 1)
})

test('rendering lets the event loop turn, and scrapes take turns', async () => {
  // Each look at the clock costs a millisecond, so a slice is used up after five blocks.
  const clock = { time: 0, now: () => clock.time++, wall: () => 0 }
  const metrics = new Metrics(clock, { version: '0', node: '0' })
  for (let i = 0; i < 100; i++) metrics.route(`r${i}`).record('GET', 200, 0)
  let turns = 0
  let going = true
  const turn = () => {
    turns++
    if (going) setImmediate(turn)
  }
  setImmediate(turn)
  const order: string[] = []
  await Promise.all([metrics.render(() => void order.push('a')), metrics.render(() => void order.push('b'))])
  going = false
  assert.ok(turns > 40, `${turns} turns`)
  assert.equal(order.join(''), [...order].sort().join(''))
})

test('a scrape that fails does not stop the next', async () => {
  const metrics = metricsOn()
  await assert.rejects(
    metrics.render(() => {
      throw new Error('gone')
    }),
    /gone/,
  )
  assert.match(await scrape(metrics), /outrigger_build_info/)
})

test('promtool accepts a full scrape', needs('promtool'), async () => {
  const { processMetrics } = await import('./process-metrics.ts')
  const metrics = metricsOn()
  const stop = await processMetrics(metrics)
  metrics.reloaded('abc')
  metrics.route('a').record('GET', 200, 0.1)
  metrics.error('a', 'no_endpoint')
  metrics.upstream('u').requests++
  metrics.connect({
    activeConnections: () => 1,
    activeRequests: () => 1,
    upstreams: () => {
      const endpoints = { healthy: 1, unhealthy: 0, ejected: 0, probing: 0 }
      const rest = { inFlight: 0, pending: 0, idle: 1, active: 0, breaker: 0, panic: false }
      return [{ upstream: 'u', endpoints, ...rest }]
    },
    droppedLines: () => ({ access: 0, process: 0, audit: 0 }),
  })
  const text = await scrape(metrics)
  stop()
  series(text)
  for (const [, name = ''] of text.matchAll(/^# TYPE (\S+)/gm))
    assert.ok(text.includes(`# HELP ${name} `), name)
  const checked = spawnSync('promtool', ['check', 'metrics'], {
    input: text,
    encoding: 'utf8',
    timeout: 10_000,
  })
  // Exit code 1 is a text that cannot be read; 3 is style, where only the names of Node's own metrics may be at fault.
  const style = checked.stderr.split('\n').filter(line => line !== '' && !line.startsWith('nodejs_'))
  assert.deepEqual(style, [])
  assert.ok(checked.status === 0 || checked.status === 3, checked.stderr)
})

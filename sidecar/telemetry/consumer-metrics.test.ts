import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConsumerMetrics } from './consumer-metrics.ts'
import { FilterCounters } from './filter-counters.ts'
import { Metrics } from './metrics.ts'

function fixture() {
  let now = 0
  const clock = { now: () => now, wall: () => 0 }
  const metrics = new Metrics(clock, { version: '0', node: '0' })
  const consumers = new ConsumerMetrics(clock, metrics)
  const read = async (name: string): Promise<string[]> => {
    let text = ''
    await metrics.render(chunk => void (text += chunk))
    return text.split('\n').filter(line => line.startsWith(name))
  }
  return { metrics, consumers, read, pass: (ms: number) => (now += ms) }
}

test('callers are counted by route and class, and nobody is anonymous', async () => {
  const { consumers, read } = fixture()
  consumers.record('web', 'orders', 200)
  consumers.record('web', 'orders', 201)
  consumers.record('web', 'users', 503)
  consumers.record(null, 'orders', 401)
  consumers.record('web', 'orders', 0)
  assert.deepEqual(await read('outrigger_consumer_requests_total'), [
    'outrigger_consumer_requests_total{consumer="web",route="orders",class="2xx"} 2',
    'outrigger_consumer_requests_total{consumer="web",route="orders",class="4xx"} 1',
    'outrigger_consumer_requests_total{consumer="web",route="users",class="5xx"} 1',
    'outrigger_consumer_requests_total{consumer="anonymous",route="orders",class="4xx"} 1',
  ])
})

test('a hundred have a label; a more active one takes the place of the least active', async () => {
  const { consumers, read, pass } = fixture()
  consumers.record(null, 'r', 200)
  for (let i = 0; i < 5_000; i++) consumers.record(`main/${i}`, 'r', 200)
  const lines = await read('outrigger_consumer_requests_total')
  assert.ok(lines.length <= 103 && lines.length >= 100, String(lines.length))
  assert.equal(consumers.label('main/4999'), 'other')
  for (let i = 0; i < 10; i++) consumers.record('main/500', 'r', 200)
  assert.equal(consumers.label('main/500'), 'other')
  pass(60_000)
  assert.equal(consumers.label('main/500'), 'main/500')
  assert.ok((await read('outrigger_consumer_requests_total')).length <= 103)
})

test('a counter of a filter is one for equal names and labels, and bounded', async () => {
  const { metrics, read } = fixture()
  const counters = new FilterCounters(metrics)
  counters.get('outrigger_x_total', 'X.', { provider: 'main' }).value++
  counters.get('outrigger_x_total', 'X.', { provider: 'main' }).value++
  assert.deepEqual(await read('outrigger_x_total'), ['outrigger_x_total{provider="main"} 2'])
  counters.get('outrigger_up', 'Up.', { store: 'main' }, 'gauge').value = 1
  assert.deepEqual(await read('# TYPE outrigger_up '), ['# TYPE outrigger_up gauge'])
  for (let i = 0; i < 3_000; i++) counters.get('outrigger_x_total', 'X.', { provider: `p${i}` }).value++
  const lines = await read('outrigger_x_total')
  assert.equal(lines.length, 2_001)
  assert.equal(lines.at(-1), 'outrigger_x_total{provider="_other"} 1001')
})

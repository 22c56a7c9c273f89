import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readTimes } from './rows/latency.ts'
import { routesConfiguration } from './rows/routes.ts'
import { median, percentile } from './statistics.ts'
import { markdown } from './table.ts'

test('median and percentiles', () => {
  assert.equal(median([9, 1, 5]), 5)
  assert.equal(median([1, 2, 3, 10]), 2.5)
  assert.ok(Number.isNaN(median([])))
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index)
  assert.equal(percentile(hundred, 50), 50)
  assert.equal(percentile(hundred, 99), 99)
  assert.equal(percentile(hundred, 100), 100)
})

test("reads h2load's log, failures apart", () => {
  const times = readTimes('1700\t200\t1500\n1701\t200\t500\n1702\t502\t90000\n')
  assert.deepEqual(times, { p50: 0.5, p90: 1.5, p99: 1.5, max: 1.5, failures: 1 })
})

test('a table is Markdown', () => {
  const table = {
    title: 'T',
    columns: ['proxy', 'rps'],
    rows: [['nginx', '12345']],
    notes: ['one is missing'],
  }
  assert.equal(
    markdown(table),
    '### T\n\n| proxy |   rps |\n| ----- | ----: |\n| nginx | 12345 |\n\n- one is missing\n',
  )
})

test('the generated configuration has as many routes as asked', () => {
  const text = routesConfiguration(10, 1234, 'first')
  assert.equal(text.match(/name: (marker|check|route-\d+)/g)?.length, 10)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readReport, readStreamsReport } from './load.ts'

const report = `Running 5s test @ http://127.0.0.1:8000/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.32ms  212.31us   9.02ms   92.71%
    Req/Sec    48.40k     1.20k   50.03k    74.00%
  Latency Distribution
     50%  980.00us
     75%    1.36ms
     90%    1.47ms
     99%    2.03ms
  240906 requests in 5.01s, 61.57MB read
  Socket errors: connect 0, read 3, write 0, timeout 1
  Non-2xx or 3xx responses: 12
Requests/sec:  48378.11
Transfer/sec:     12.36MB
`

test("reads wrk's report", () => {
  assert.deepEqual(readReport(report), {
    requests: 240906,
    seconds: 5.01,
    p50: 0.98,
    p99: 2.03,
    failures: 16,
  })
})

test('says what wrk said where that is no report', () => {
  assert.throws(() => readReport('unable to connect'), /unable to connect/)
})

test("reads h2load's report", () => {
  const text = `finished in 3.00s, 15058.00 req/s, 2.61MB/s
requests: 45180 total, 45308 started, 45174 done, 45170 succeeded, 4 failed, 4 errored, 2 timeout
status codes: 45170 2xx, 0 3xx, 0 4xx, 4 5xx
`
  const { requests, seconds, failures } = readStreamsReport(text)
  assert.deepEqual({ requests, seconds, failures }, { requests: 45174, seconds: 3, failures: 6 })
  assert.throws(() => readStreamsReport('unable to connect'), /unable to connect/)
})

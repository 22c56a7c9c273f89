import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { reasonOf } from '../harness/problem.ts'
import { withSink, withUpstream } from '../harness/proxied.ts'
import { askOnce, RawClient } from '../harness/raw-client.ts'
import { RawUpstream } from '../harness/raw-upstream.ts'

const HERE = 'GET /here HTTP/1.1\r\nhost: a\r\n\r\n'
const CALM = { lag: 0, memory: 0.5 }

test('short of memory: connections end with their response; shorter: requests are refused, and later served', async t => {
  const { proxy, upstream } = await withUpstream(t)
  const { overload } = proxy.service
  const kept = await proxy.connect()
  assert.equal((await kept.ask(HERE)).headers['connection'], undefined)

  overload.observe({ lag: 0, memory: 0.93 })
  const last = await kept.ask(HERE)
  assert.equal(last.status, 200)
  assert.equal(last.headers['connection'], 'close')
  assert.equal(await kept.readToEnd(), '')
  kept.destroy()

  // A few at a time are served however short memory is; these stay under way.
  overload.observe({ lag: 0, memory: 0.96 })
  const few = await Promise.all(Array.from({ length: 8 }, () => proxy.connect()))
  for (const client of few) client.send('GET /x HTTP/1.1\r\nhost: a\r\n\r\n')
  await proxy.until('eight under way', () => proxy.service.proxy.active === 8)
  const refused = await proxy.ask('POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc')
  assert.equal(refused.status, 503)
  assert.equal(reasonOf(refused), 'overloaded')
  assert.equal(refused.headers['retry-after'], '1')
  assert.equal(refused.headers['connection'], 'close')
  assert.equal(upstream.connections.length, 8)
  const line = await proxy.accessLine(one => one.reason === 'overloaded')
  assert.equal(line['cause'], 'memory')
  const text = await proxy.metrics()
  assert.match(text, /^outrigger_overload_state 2$/m)
  assert.match(text, /^outrigger_shed_total\{cause="memory"\} 1$/m)
  assert.match(text, /^outrigger_shed_total\{cause="lag"\} 0$/m)
  for (const client of few) client.destroy()
  await proxy.until('their end', () => proxy.connections === 0)
  assert.equal((await proxy.ask(HERE)).status, 200)

  // Connections too are few.
  const open = await Promise.all(Array.from({ length: 64 }, () => proxy.connect()))
  await proxy.until('all of them', () => proxy.connections === 64)
  await assert.rejects(
    proxy.connect().then(client => client.readToEnd()),
    /ECONNRESET/,
  )
  overload.observe(CALM)
  const again = await proxy.connect()
  assert.equal((await again.ask(HERE)).headers['connection'], undefined)
  assert.equal((await again.ask(HERE)).status, 200)
  for (const client of [...open, again]) client.destroy()
})

test('a loop that lags refuses a part, on connections that go on', async t => {
  const { proxy } = await withSink(t)
  const { overload } = proxy.service
  for (let i = 0; i < 12; i++) overload.observe({ ...CALM, lag: 150 })
  const client = await proxy.connect()
  const statuses = { 200: 0, 503: 0 }
  for (let i = 0; i < 400; i++) {
    const { status } = await client.ask(HERE)
    statuses[status as keyof typeof statuses]++ // the assertion below fails for others
  }
  assert.equal(statuses[200] + statuses[503], 400)
  assert.ok(statuses[503] > 300 * overload.share && statuses[200] > 0, JSON.stringify(statuses))
  assert.equal(overload.shed.lag, statuses[503])
  client.destroy()
})

test('a process that is out of memory answers 503, and its admin listener goes on', async t => {
  // Nobody is answered: the service takes connections and says nothing.
  const upstream = await RawUpstream.listen()
  t.after(() => upstream.close())
  const yaml = routeTo(upstream.port) + 'admin: { address: 127.0.0.1:0 }\n'
  const outrigger = await Outrigger.start(yaml, {
    entry: path.join(import.meta.dirname, '../reliability/small-machine.ts'),
    env: { SMALL_MACHINE_BYTES: String(40 * 1_048_576) },
  })
  const few: RawClient[] = []
  try {
    const line = await outrigger.logged(one => one.msg.startsWith('overloaded'))
    assert.equal(line['cause'], 'memory')
    for (let i = 0; i < 8; i++) {
      const client = await RawClient.connect(outrigger.port('in'))
      few.push(client)
      client.send('GET /x HTTP/1.1\r\nhost: a\r\n\r\n')
      await upstream.accept()
    }
    const response = await askOnce(outrigger.port('in'), HERE)
    assert.equal(response.status, 503)
    assert.equal(reasonOf(response), 'overloaded')
    for (const page of ['/healthz', '/readyz', '/metrics']) {
      const request = `GET ${page} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`
      const answer = await askOnce(outrigger.adminPort, request)
      assert.equal(answer.status, 200, page)
      if (page === '/metrics') assert.match(String(answer.body), /outrigger_overload_state 2/)
    }
  } finally {
    for (const client of few) client.destroy()
    await outrigger.stop('SIGKILL')
  }
})

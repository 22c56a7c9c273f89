import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withSink } from '../harness/proxied.ts'
import { strangeNames } from './strange-names.ts'

test('row 82: 2,000 random methods and hosts make no new series', t => strangeNames(t, 2000))

test('row 82: random paths, hosts of routed requests and statuses make no new series', async t => {
  const { sink, proxy } = await withSink(t)
  await proxy.ask('GET /a HTTP/1.1\r\nhost: a\r\n\r\n')
  await proxy.ask('BREW /a HTTP/1.1\r\nhost: a\r\n\r\n')
  await proxy.ask('\0')
  const before = (await proxy.metrics()).split('\n').length
  for (let i = 0; i < 50; i++) await proxy.ask(`GET /random-${i} HTTP/1.1\r\nhost: h${i}.example\r\n\r\n`)
  const text = await proxy.metrics()
  assert.ok(!/random-|h\d+\.example/.test(text), 'nothing of a client is a label')
  assert.ok(text.split('\n').length <= before + 5, `${before} lines became ${text.split('\n').length}`)
  assert.match(text, /method="_OTHER"/)
  // Statuses come from upstreams: strange ones are bounded as well.
  for (let status = 200; status < 600; status += 7) {
    if (status === 204 || status === 304) continue
    sink.reply(`HTTP/1.1 ${status} X\r\ncontent-length: 0\r\n\r\n`)
    await proxy.ask('GET /s HTTP/1.1\r\nhost: a\r\n\r\n')
  }
  const statuses = new Set(
    [...(await proxy.metrics()).matchAll(/status_code="([^"]*)"/g)].map(match => match[1]),
  )
  assert.ok(statuses.size < 70, `${statuses.size} statuses`)
})

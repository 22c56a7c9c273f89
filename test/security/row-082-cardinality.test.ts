import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withSink } from '../harness/proxied.ts'

test('row 82: random methods, paths, hosts and statuses make no new series', async t => {
  const { sink, proxy } = await withSink(t)
  await proxy.ask('GET /a HTTP/1.1\r\nhost: a\r\n\r\n')
  await proxy.ask('BREW /a HTTP/1.1\r\nhost: a\r\n\r\n')
  await proxy.ask('\0')
  const before = (await proxy.metrics()).split('\n').length
  for (let batch = 0; batch < 20; batch++) {
    const client = await proxy.connect()
    for (let i = 0; i < 100; i++) {
      const name = `M${batch * 100 + i}`
      client.send(`${name} /${name} HTTP/1.1\r\nhost: ${name}.example\r\nx-${name}: 1\r\n\r\n`)
    }
    for (let i = 0; i < 100; i++) assert.equal((await client.readResponse()).status, 501)
    client.destroy()
  }
  for (let i = 0; i < 50; i++) await proxy.ask(`GET /random-${i} HTTP/1.1\r\nhost: h${i}.example\r\n\r\n`)
  const text = await proxy.metrics()
  assert.ok(!/M\d+|random-|h\d+\.example/.test(text), 'nothing of a client is a label')
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

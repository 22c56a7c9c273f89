import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { routeTo } from '../harness/configs.ts'
import { InProcess } from '../harness/in-process.ts'
import { RawUpstream } from '../harness/raw-upstream.ts'

test('an upstream that reads nothing costs its clients’ uploads no more than their buffers', async () => {
  const silent = await RawUpstream.listen()
  const proxy = await InProcess.start(routeTo(silent.port, { route: 'requestSize: off' }))
  const clients = await Promise.all(Array.from({ length: 20 }, () => proxy.connect()))
  try {
    const body = Buffer.alloc(30_000_000)
    for (const client of clients) {
      client.send(`POST / HTTP/1.1\r\nhost: a\r\ncontent-length: ${body.length}\r\n\r\n`)
      client.send(body)
      const connection = await silent.accept()
      connection.socket.pause()
    }
    await pause(500)
    // One buffer that is read into and one that is written, each.
    assert.ok(proxy.service.buffers.held <= 3 * clients.length, `${proxy.service.buffers.held} buffers`)
    assert.ok(proxy.service.budget.used <= 3 * 65_536 * clients.length)
    // A socket that is not read shows nothing of its peer: it is the upstream's end that ends them.
    for (const connection of silent.connections) connection.reset()
    await proxy.until('the end of all exchanges', () => proxy.service.proxy.active === 0)
  } finally {
    for (const client of clients) client.destroy()
    await silent.close()
    await proxy.stop()
  }
})

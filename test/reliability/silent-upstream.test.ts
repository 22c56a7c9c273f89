import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { routeTo } from '../harness/configs.ts'
import { InProcess } from '../harness/in-process.ts'
import { RawUpstream } from '../harness/raw-upstream.ts'

test('an upstream that reads nothing costs its clients’ uploads no more than their buffers', async t => {
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
    // Each: one that the kernel is given, one that waits behind it, the one that was read after the stop so that a client who
    // leaves is heard, and the one that is read into next.
    const { buffers, budget } = proxy.service
    t.diagnostic(
      `${buffers.held / clients.length} buffers and ${budget.used / clients.length} bytes an upload`,
    )
    assert.ok(buffers.held <= 4 * clients.length, `${buffers.held} buffers`)
    assert.ok(budget.used <= 4 * 65_536 * clients.length, `${budget.used} bytes`)
    // A socket that is not read shows nothing of its peer: it is the upstream's end that ends them.
    for (const connection of silent.connections) connection.reset()
    await proxy.until('the end of all exchanges', () => proxy.service.proxy.active === 0)
  } finally {
    for (const client of clients) client.destroy()
    await silent.close()
    await proxy.stop()
  }
})

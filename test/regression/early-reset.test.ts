import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { InProcess } from '../harness/in-process.ts'
import { RawClient } from '../harness/raw-client.ts'

// A service that refuses an upload by its head alone, and closes without reading the body, resets the connection behind
// its answer. Most such answers were lost: a write failed before the answer was read, and 502 was told instead.

test('the answer of a service that closes in the middle of an upload arrives', async () => {
  const server = net.createServer(socket => {
    socket.on('error', () => {})
    socket.once('data', () => {
      socket.pause()
      socket.write('HTTP/1.0 401 Unauthorized\r\ncontent-length: 4\r\n\r\nwho?')
      // What was sent and not read makes the kernel answer with RST.
      setImmediate(() => socket.destroy())
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  // It listens on TCP.
  const outrigger = await InProcess.start(routeTo((server.address() as AddressInfo).port))
  const body = Buffer.alloc(2_000_000, 'x')
  for (let i = 0; i < 20; i++) {
    const client = await RawClient.connect(outrigger.port('in'))
    client.send(`POST /up HTTP/1.1\r\nhost: a\r\ncontent-length: ${body.length}\r\n\r\n`)
    client.send(body)
    const response = await client.readResponse()
    assert.equal(response.status, 401, `upload ${i}: ${response.body.toString()}`)
    assert.equal(response.body.toString(), 'who?')
    client.destroy()
  }
  await outrigger.stop()
  server.close()
})

import assert from 'node:assert/strict'
import { once } from 'node:events'
import type http from 'node:http'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { HttpUpstream } from '../harness/http-upstream.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { RawClient } from '../harness/raw-client.ts'

const TOTAL_MS = 300
// Long beside the pauses of a machine that others use too.
const IDLE_MS = 3000

let upstream: HttpUpstream
let outrigger: Outrigger
const streams: http.ServerResponse[] = []
before(async () => {
  upstream = await HttpUpstream.listen((request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    response.write(`data: hello ${request.url}\n\n`)
    streams.push(response)
    upstream.server.emit('stream')
  })
  outrigger = await Outrigger.start(`version: 1
service: events
admin: { address: "127.0.0.1:0" }
telemetry: { accessLog: { write: on } }
listeners:
  - { name: in, role: edge, address: "127.0.0.1:0", timeout: { total: ${TOTAL_MS}ms, idle: ${IDLE_MS}ms }, upstream: app }
upstreams: { app: { url: "http://127.0.0.1:${upstream.port}" } }
`)
})
after(async () => {
  await upstream.close()
  await outrigger.stop('SIGINT')
})

async function listen(path: string): Promise<RawClient> {
  const client = await RawClient.connect(outrigger.port('in'))
  client.send(`GET ${path} HTTP/1.1\r\nhost: a\r\naccept: text/event-stream\r\n\r\n`)
  return client
}

test('an event arrives when it was sent, and a stream outlives the time for a response', async () => {
  const client = await listen('/one')
  const head = await client.readUntil('\r\n\r\n')
  assert.match(head, /content-type: text\/event-stream/i)
  assert.match(head, /transfer-encoding: chunked/i)
  await client.readUntil('data: hello /one\n\n')
  await pause(2 * TOTAL_MS)
  const sent = performance.now()
  streams.at(-1)?.write('data: later\n\n')
  await client.readUntil('data: later\n\n')
  assert.ok(performance.now() - sent < 200, `${performance.now() - sent} ms for one event`)
  streams.at(-1)?.end()
  await client.readUntil('0\r\n\r\n')
  client.destroy()
})

test('a thousand events one by one', async () => {
  const client = await listen('/many')
  await client.readUntil('data: hello /many\n\n')
  for (let i = 0; i < 1000; i++) {
    streams.at(-1)?.write(`data: ${i}\n\n`)
    await client.readUntil(`data: ${i}\n\n`)
  }
  client.destroy()
})

test('a stream that falls silent is cut, and does not look complete', async () => {
  const client = await listen('/silent')
  const start = performance.now()
  await client.readUntil('data: hello /silent\n\n')
  await client.readToEnd()
  const waited = performance.now() - start
  assert.ok(waited >= IDLE_MS - 100, `${waited} ms`)
  assert.doesNotMatch(client.received.toString(), /\r\n0\r\n\r\n$/)
  client.destroy()
  await outrigger.accessLogged(/"path":"\/silent".*"reason":"upstream_idle"/)
})

test('the service hears when nobody listens any more', async () => {
  const opened = once(upstream.server, 'stream')
  const client = await listen('/left')
  await opened
  const stream = streams.at(-1)
  assert.ok(stream)
  const closed = once(stream, 'close', { signal: AbortSignal.timeout(3000) })
  client.reset()
  await closed
})

test('fifty events, each when it was sent', async () => {
  const client = await listen('/prompt')
  await client.readUntil('data: hello /prompt\n\n')
  const waits: number[] = []
  for (let i = 0; i < 50; i++) {
    const sent = performance.now()
    streams.at(-1)?.write(`data: ${i}\n\n`)
    await client.readUntil(`data: ${i}\n\n`)
    waits.push(performance.now() - sent)
  }
  const median = waits.toSorted((a, b) => a - b)[25] ?? Infinity
  assert.ok(median < 20, `${median} ms`)
  client.destroy()
})

test('a client of HTTP/1.0 has its events as they come, and the end of the connection behind the last', async () => {
  const client = await RawClient.connect(outrigger.port('in'))
  client.send('GET /old HTTP/1.0\r\nhost: a\r\n\r\n')
  const head = await client.readUntil('\r\n\r\n')
  assert.doesNotMatch(head, /transfer-encoding/i)
  assert.match(head, /connection: close/i)
  await client.readUntil('data: hello /old\n\n')
  streams.at(-1)?.write('data: more\n\n')
  await client.readUntil('data: more\n\n')
  streams.at(-1)?.end()
  await client.readToEnd()
  client.destroy()
})

import assert from 'node:assert/strict'
import type http from 'node:http'
import { type TestContext, test } from 'node:test'
import { HttpUpstream } from '../harness/http-upstream.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { RawClient } from '../harness/raw-client.ts'
import { WsClient, WsServer } from '../harness/ws-peers.ts'

const EACH = 100
const LIMIT_MS = 9000

test('R18: SIGTERM with 100 WebSockets and 100 event streams', async (t: TestContext) => {
  const sockets = await WsServer.listen()
  const streams: http.ServerResponse[] = []
  const events = await HttpUpstream.listen((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('data: hello\n\n')
    streams.push(response)
  })
  const outrigger = await Outrigger.start(`version: 1
service: streams
admin: { address: "127.0.0.1:0" }
listeners:
  - name: in
    role: edge
    address: 127.0.0.1:0
    routes:
      - { name: chat, match: { path: /chat }, upstream: chat }
      - { name: events, match: { path: /events }, upstream: events }
upstreams:
  chat: { url: "http://127.0.0.1:${sockets.port}" }
  events: { url: "http://127.0.0.1:${events.port}" }
drain: { timeout: ${LIMIT_MS}ms }
`)
  t.after(async () => {
    await outrigger.stop('SIGKILL')
    await Promise.all([sockets.close(), events.close()])
  })
  const port = outrigger.port('in')
  const clients = await Promise.all(Array.from({ length: EACH }, () => WsClient.open(port, '/chat')))
  const listeners = await Promise.all(
    Array.from({ length: EACH }, async () => {
      const listener = await RawClient.connect(port)
      listener.send('GET /events HTTP/1.1\r\nhost: a\r\n\r\n')
      await listener.readUntil('data: hello\n\n')
      return listener
    }),
  )
  const begun = performance.now()
  outrigger.signal('SIGTERM')
  const closes = await Promise.all(
    clients.map(async client => ({ ...(await client.closed), after: performance.now() - begun })),
  )
  // What is sent until the limit arrives.
  for (const stream of streams) stream.write('data: late\n\n')
  await Promise.all(listeners.map(listener => listener.readUntil('data: late\n\n')))
  const exit = await outrigger.exit()
  const ended = performance.now() - begun
  const last = Math.max(...closes.map(one => one.after))
  t.diagnostic(
    `${EACH} WebSockets closed with 1001, the last after ${Math.round(last)} ms; ` +
      `${EACH} event streams cut at the limit, the process over after ${Math.round(ended)} ms`,
  )
  assert.deepEqual(new Set(closes.map(one => one.code)), new Set([1001]))
  assert.ok(last > 4900 && last < 7500, `${last}`)
  // Cut, so that no stream looks complete, and counted.
  for (const listener of listeners) assert.ok(!listener.received.toString().endsWith('0\r\n\r\n'))
  assert.match(outrigger.stderr, /"stopped".*"cut":100/)
  assert.equal(exit.code, 4)
  assert.ok(ended > LIMIT_MS - 100 && ended < LIMIT_MS + 3000, `${ended}`)
})

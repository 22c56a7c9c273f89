// The text form of gRPC-Web where bodies come as pieces of read buffers that were given away: each piece goes back.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { InProcess } from '../harness/in-process.ts'
import { RawH2Server } from '../harness/raw-h2-server.ts'
import { RawUpstream } from '../harness/raw-upstream.ts'
import { TYPE } from '../harness/raw-h2.ts'

const END_STREAM = 1
const TEXT = 'application/grpc-web-text'
const PIECES = 20
const PIECE = 100_000

test('a large text body over HTTP/1.1 leaves no buffer behind', async t => {
  const server = await RawH2Server.listen({
    onFrame: (peer, frame) => {
      if (frame.type !== TYPE.data) return
      if (frame.payload.length > 0) peer.window(0, frame.payload.length)
      if ((frame.flags & END_STREAM) !== 0)
        peer.head(
          frame.stream,
          [':status', '200', 'content-type', 'application/grpc', 'grpc-status', '0'],
          true,
        )
      else if (frame.payload.length > 0) peer.window(frame.stream, frame.payload.length)
    },
  })
  const proxy = await InProcess.start(
    routeTo(server.port, {
      listener: 'grpcWeb: on',
      route: 'requestSize: off',
      upstream: 'protocol: http2\nhealthCheck: off',
    }),
  )
  t.after(() => server.close())
  const client = await proxy.connect()
  client.send(
    `POST /a.B/C HTTP/1.1\r\nhost: a.example\r\ncontent-type: ${TEXT}\r\ncontent-length: ${PIECES * PIECE}\r\n\r\n`,
  )
  await proxy.until('the request', () =>
    server.peers.some(peer => peer.frames.some(one => one.type === TYPE.headers)),
  )
  for (let sent = 0; sent < PIECES; sent++) client.send(Buffer.alloc(PIECE, 'A'))
  await proxy.accessLine(line => line.status === 200)
  assert.equal(server.peers[0]?.received, (PIECES * PIECE * 3) / 4)
  client.destroy()
  // Or this throws: read buffers and budget are back at zero.
  await proxy.stop()
})

test('nor does a large answer of a service of HTTP/1.1', async t => {
  const upstream = await RawUpstream.listen()
  const proxy = await InProcess.start(routeTo(upstream.port, { listener: 'grpcWeb: on' }))
  t.after(() => upstream.close())
  const client = await proxy.connect()
  client.send(
    `POST /open HTTP/1.1\r\nhost: a.example\r\ncontent-type: ${TEXT}\r\ncontent-length: 4\r\n\r\nAAAA`,
  )
  const connection = await proxy.until('the request', () => upstream.connections[0] ?? null)
  connection.send(
    `HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ncontent-length: ${PIECES * PIECE}\r\n\r\n`,
  )
  for (let sent = 0; sent < PIECES; sent++) connection.send('A'.repeat(PIECE))
  await proxy.accessLine(line => line.status === 200)
  client.destroy()
  await proxy.stop()
})

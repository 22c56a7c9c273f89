import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { RawH2Server, type RawH2Peer } from '../../test/harness/raw-h2-server.ts'
import type { Channel } from '../runtime/channel.ts'
import { connectChannel } from '../runtime/connect-channel.ts'
import { HandSource, SessionRecord, StreamRecord, TestParts, until } from './session-fixture.ts'
import { Session } from './session.ts'

// A response that is complete before its request is (RFC 9113 section 8.1): it stands, whatever becomes of the request.

let parts: TestParts
beforeEach(() => {
  parts = new TestParts()
})
afterEach(() => {
  parts.check()
})

for (const [what, end] of [
  ['the service resets the rest', (peer: RawH2Peer) => peer.reset(1, 0)],
  ['the session ends', (peer: RawH2Peer) => peer.socket.destroy()],
] as const)
  test(`a slow taker gets all of it where ${what}`, async t => {
    const server = await RawH2Server.listen({
      onRequest: (peer, stream) => {
        peer.head(stream, [':status', '413', 'content-length', '30000'])
        peer.data(stream, Buffer.alloc(15_000, 'a'))
        peer.data(stream, Buffer.alloc(15_000, 'b'), true)
      },
    })
    t.after(() => server.close())
    const record = new SessionRecord()
    const channel = await new Promise<Channel>(resolve => {
      const made: Channel = connectChannel(
        { at: { host: '127.0.0.1', port: server.port }, tls: null },
        parts.buffers,
        () => resolve(made),
      )
    })
    const session = new Session(channel, 'client', parts, record)
    session.start()
    const request = new StreamRecord()
    request.body.willing = false
    request.respond = one => one.take()
    request.stream = session.open(request)
    assert(request.stream !== null)
    const source = new HandSource()
    request.stream.headers([':method', 'POST', ':scheme', 'http', ':authority', 'a', ':path', '/'], false)
    request.stream.pump(source)
    await until(() => request.stream?.received === true)
    const [peer] = server.peers
    assert(peer !== undefined)
    end(peer)
    await until(() => source.aborted !== null)
    assert.ok(request.body.length < 30_000)
    request.body.willing = true
    request.stream.body.resume()
    assert.equal(request.body.length, 30_000)
    assert.ok(request.body.ended)
    channel.destroy()
    await until(() => record.closes.length > 0)
  })

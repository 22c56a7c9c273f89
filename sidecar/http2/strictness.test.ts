import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { BufferedBody } from '../exchange/body.ts'
import { frame, get, HELLO, parameter, RawPeer, word } from './frame-fixture.ts'
import { DATA, PING, SETTINGS, WINDOW_UPDATE } from './frames.ts'
import { answering, SessionServer, TestParts } from './session-fixture.ts'
import { type Case, CASES } from './strictness-fixture.ts'

let parts: TestParts
let servers: Record<Case['server'], SessionServer>
before(async () => {
  parts = new TestParts()
  servers = {
    takes: await new SessionServer(parts).listen(),
    answers: await new SessionServer(parts, answering('hello')).listen(),
    leaves: await new SessionServer(parts, () => {}).listen(),
  }
})
after(async () => {
  for (const server of Object.values(servers)) await server.close()
  parts.check()
})

for (const [section, cases] of Object.entries(CASES))
  describe(`RFC 9113 section ${section}`, () => {
    for (const one of cases)
      test(one.name, async () => {
        const peer = await RawPeer.connect(servers[one.server].port)
        peer.send(...(one.bare ? [] : [HELLO]), ...one.sends)
        const lives = await peer.alive()
        assert.equal(peer.summary(), one.gets)
        assert.equal(lives, !one.gets.includes('GOAWAY'))
        peer.close()
      })
  })

describe('RFC 9113, what is answered', () => {
  /** The bytes of DATA on stream 1, frame by frame. */
  const data = (peer: RawPeer) =>
    peer.frames.filter(one => one.type === DATA && one.id === 1).map(one => one.payload.toString('latin1'))

  test('3.4: SETTINGS come first, and those of the client are acknowledged', async () => {
    const peer = await RawPeer.connect(servers.takes.port)
    peer.send(HELLO)
    await peer.frame(one => one.type === SETTINGS && one.flags === 1)
    assert.equal(peer.frames[0]?.type, SETTINGS)
    assert.equal(peer.frames[0]?.flags, 0)
    peer.close()
  })

  test('6.7: a PING is answered with its payload', async () => {
    const peer = await RawPeer.connect(servers.takes.port)
    peer.send(HELLO, frame(PING, 0, 0, 'whatever'))
    const pong = await peer.frame(one => one.type === PING)
    assert.equal(pong.flags, 1)
    assert.equal(pong.payload.toString(), 'whatever')
    peer.close()
  })

  test('6.9.2: a window of 1 byte is kept, and what is given later adds to it', async () => {
    const peer = await RawPeer.connect(servers.answers.port)
    peer.send(HELLO, frame(SETTINGS, 0, 0, parameter(4, 1)), get(1))
    await peer.alive()
    assert.deepEqual(data(peer), ['h'])
    peer.send(frame(SETTINGS, 0, 0, parameter(4, 2)))
    await peer.frame(one => one.type === DATA && one.payload.toString() === 'e')
    peer.send(frame(WINDOW_UPDATE, 0, 1, word(9)))
    const last = await peer.frame(one => one.type === DATA && (one.flags & 1) === 1)
    assert.equal(last.payload.toString(), 'llo')
    peer.close()
  })

  test('6.9.2: a window that SETTINGS make negative stays closed until it is made up for', async () => {
    const peer = await RawPeer.connect(servers.answers.port)
    peer.send(HELLO, frame(SETTINGS, 0, 0, parameter(4, 3)), get(1))
    await peer.alive()
    assert.deepEqual(data(peer), ['hel'])
    peer.send(frame(SETTINGS, 0, 0, parameter(4, 0)), frame(WINDOW_UPDATE, 0, 1, word(3)))
    await peer.alive()
    assert.deepEqual(data(peer), ['hel'])
    peer.send(frame(WINDOW_UPDATE, 0, 1, word(1)))
    await peer.frame(one => one.type === DATA && one.payload.toString() === 'l')
    assert.deepEqual(data(peer), ['hel', 'l'])
    peer.close()
  })

  test('6.5.3: of several values of a parameter the last one holds', async () => {
    const peer = await RawPeer.connect(servers.answers.port)
    peer.send(HELLO, frame(SETTINGS, 0, 0, Buffer.concat([parameter(4, 100), parameter(4, 1)])), get(1))
    await peer.alive()
    assert.deepEqual(data(peer), ['h'])
    peer.close()
  })

  test('6.9: the window of the connection is kept over all streams', async () => {
    const server = await new SessionServer(parts, record => {
      record.stream?.headers([':status', '200'], false)
      record.stream?.pump(new BufferedBody(Buffer.alloc(40_000, 'x')))
    }).listen()
    const peer = await RawPeer.connect(server.port)
    const bytes = () =>
      peer.frames.reduce((sum, one) => sum + (one.type === DATA ? one.payload.length : 0), 0)
    peer.send(HELLO, get(1), get(3))
    await peer.alive()
    assert.equal(bytes(), 65_535)
    peer.send(frame(WINDOW_UPDATE, 0, 0, word(100_000)))
    await peer.frame(one => one.type === DATA && one.id === 3 && (one.flags & 1) === 1)
    assert.equal(bytes(), 80_000)
    peer.close()
    await server.close()
  })
})

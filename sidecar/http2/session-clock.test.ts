import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { EMPTY_SETTINGS, frame, get, GET, HELLO, post, RawPeer, word } from './frame-fixture.ts'
import {
  CONTINUATION,
  DATA,
  GOAWAY,
  HEADERS,
  PING,
  PREFACE,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
} from './frames.ts'
import {
  answering,
  HandSource,
  SessionServer,
  streaming,
  type StreamRecord,
  TestParts,
  until,
} from './session-fixture.ts'

let parts: TestParts
let server: SessionServer
let peer: RawPeer
beforeEach(() => {
  parts = new TestParts()
})
afterEach(async () => {
  peer.close()
  await server.close()
  parts.check()
})

async function connect(respond: StreamRecord['respond'] = null): Promise<void> {
  server = await new SessionServer(parts, respond).listen()
  peer = await RawPeer.connect(server.port)
  await until(() => server.sessions.length > 0)
}

const goaways = () => peer.frames.filter(one => one.type === GOAWAY).map(one => one.payload.readUInt32BE(0))

test('a client that never says its preface and SETTINGS', async () => {
  await connect()
  peer.send(PREFACE)
  await until(() => peer.frames.length > 0)
  parts.step(9900)
  assert.equal(peer.summary(), '')
  parts.step(1100)
  await until(() => peer.summary() !== '')
  assert.equal(peer.summary(), 'GOAWAY SETTINGS_TIMEOUT')
})

for (const [what, bytes] of [
  ['CONTINUATION does not come', frame(HEADERS, 1, 1, GET.subarray(0, 2))],
  ['the frame is not complete', get(1).subarray(0, 12)],
] as const)
  test(`a header block that is under way for too long: ${what}`, async () => {
    await connect()
    peer.send(HELLO)
    assert.ok(await peer.alive())
    peer.send(bytes)
    await until(() => server.sessions[0]?.session.inHead === true)
    parts.step(9000)
    assert.equal(peer.summary(), '')
    parts.step(3000)
    await until(() => peer.summary() !== '')
    assert.equal(peer.summary(), 'GOAWAY ENHANCE_YOUR_CALM')
  })

test('an idle session goes in two steps; a request that was on its way is answered', async () => {
  await connect(answering('hello'))
  peer.send(HELLO)
  assert.ok(await peer.alive())
  parts.step(300_100)
  const mark = await peer.frame(one => one.type === PING && one.flags === 0)
  assert.deepEqual(goaways(), [2 ** 31 - 1])
  peer.send(get(1))
  await peer.frame(one => one.type === DATA && (one.flags & 1) === 1)
  peer.send(frame(PING, 1, 0, mark.payload), get(3))
  await until(() => peer.ended)
  assert.deepEqual(goaways(), [2 ** 31 - 1, 1])
  assert.ok(!peer.frames.some(one => one.id === 3))
})

test('what is left out by GOAWAY is passed over with all that belongs to it', async () => {
  const source = new HandSource()
  await connect(streaming(() => source))
  peer.send(HELLO, get(1))
  await peer.frame(one => one.type === HEADERS)
  server.sessions[0]?.session.goaway(0)
  parts.step(1100)
  await until(() => goaways().length === 2)
  for (let id = 3; id < 1203; id += 2) peer.send(post(id), frame(DATA, 0, id, 'x'), frame(DATA, 1, id, 'y'))
  peer.send(frame(WINDOW_UPDATE, 0, 3, word(1)), frame(RST_STREAM, 0, 5, word(8)))
  assert.ok(await peer.alive())
  assert.equal(server.sessions[0]?.record.streams.length, 1)
  source.sink?.end(null)
  await until(() => peer.ended)
  assert.deepEqual(goaways(), [2 ** 31 - 1, 1])
  assert.ok(!peer.frames.some(one => one.type === RST_STREAM))
})

test('a client that does not answer the PING has a second', async () => {
  const source = new HandSource()
  await connect(streaming(() => source))
  peer.send(HELLO, get(1))
  await peer.frame(one => one.type === HEADERS)
  server.sessions[0]?.session.goaway(0)
  parts.step(900)
  await peer.frame(one => one.type === GOAWAY)
  assert.equal(goaways().length, 1)
  parts.step(1200)
  await until(() => goaways().length === 2)
  source.sink?.end(null)
  await until(() => peer.ended)
  assert.equal(server.sessions[0]?.record.streams[0]?.told.at(-1), 'closed')
})

test('a session that is too old goes, within ten per cent', async () => {
  parts.clocks = { ...parts.clocks, age: 100_000 }
  const source = new HandSource()
  await connect(streaming(() => source))
  peer.send(HELLO, get(1))
  assert.ok(await peer.alive())
  parts.step(89_000)
  assert.equal(server.sessions[0]?.record.goaways, 0)
  parts.step(23_000)
  assert.equal(server.sessions[0]?.record.goaways, 1)
  assert.equal(server.sessions[0].session.streams, 1)
})

test('a client that gives credit now and then is not given up, one that stops to is', async () => {
  await connect(answering('x'.repeat(70_000)))
  peer.send(HELLO, frame(SETTINGS, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0])), get(1))
  for (let i = 0; i < 5; i++) {
    assert.ok(await peer.alive())
    parts.step(50_000)
    peer.send(frame(WINDOW_UPDATE, 0, 1, word(1)))
  }
  assert.ok(await peer.alive())
  assert.equal(peer.summary(), '')
  parts.step(62_000)
  await peer.frame(one => one.type === RST_STREAM)
  assert.equal(peer.summary(), 'RST_STREAM 1 CANCEL')
})

test('a client that does not read its socket is given up with all its streams', async () => {
  const sources: HandSource[] = []
  await connect(
    streaming(() => {
      const source = new HandSource()
      sources.push(source)
      return source
    }),
  )
  peer.socket.pause()
  peer.send(
    HELLO,
    frame(WINDOW_UPDATE, 0, 0, word(2 ** 30)),
    frame(SETTINGS, 0, 0, Buffer.from([0, 4, 0x40, 0, 0, 0])),
    get(1),
  )
  await until(() => sources.length === 1)
  const bytes = Buffer.alloc(65_536)
  await until(() => {
    while (sources[0]?.sink?.chunk(bytes, false) === true);
    return (server.sessions[0]?.session.output.backlog ?? 0) > 0
  })
  assert.ok(parts.budget.used < 300_000, `${parts.budget.used} bytes wait`)
  parts.step(63_000)
  assert.equal(sources[0]?.aborted?.cause, 'write idle')
  await until(() => server.sessions[0]?.record.closes.length === 1)
})

test('owners are told of each second while their stream is open', async () => {
  await connect()
  peer.send(HELLO, post(1))
  assert.ok(await peer.alive())
  parts.step(5000)
  assert.equal(server.sessions[0]?.record.streams[0]?.seconds, 5)
})

test('a connection that broke the rules is read on until its client has heard why', async () => {
  await connect()
  peer.send(PREFACE, EMPTY_SETTINGS, frame(CONTINUATION, 4, 1, GET))
  await until(() => peer.summary() !== '')
  assert.equal(parts.lingering.active, 1)
  peer.send(Buffer.alloc(100_000))
  parts.step(2100)
  await until(() => server.sessions[0]?.record.closes.length === 1)
  assert.equal(parts.lingering.active, 0)
})

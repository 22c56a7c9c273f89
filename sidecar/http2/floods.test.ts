import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { frame, get, HELLO, post, RawPeer, word } from './frame-fixture.ts'
import { DATA, PING, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE } from './frames.ts'
import { answering, SessionServer, type StreamRecord, TestParts } from './session-fixture.ts'

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
  peer.send(HELLO)
}

const times = (count: number, bytes: Buffer) => Buffer.concat(Array.from({ length: count }, () => bytes))
const ids = (count: number, first = 1) => Array.from({ length: count }, (_, i) => first + i * 2)
const reset = (id: number) => frame(RST_STREAM, 0, id, word(8))

test('rapid reset (row 32): the session ends at the limit, and an honest pace lives', async () => {
  await connect(record => {
    if ((record.stream?.id ?? 0) % 4 === 1) record.stream?.headers([':status', '204'], true)
  })
  for (let second = 0; second < 20; second++) {
    // Of two requests one is answered, and one given up.
    for (const id of ids(31, 1 + second * 124)) peer.send(get(id * 2 - 1), get(id * 2 + 1), reset(id * 2 + 1))
    assert.ok(await peer.alive(), `second ${second}`)
    parts.step(1000)
    peer.frames.length = 0
  }
  peer.send(...ids(300, 10_003).flatMap(id => [get(id), reset(id)]))
  assert.ok(!(await peer.alive()))
  assert.equal(peer.summary(), 'GOAWAY ENHANCE_YOUR_CALM')
  assert.ok((server.sessions[0]?.record.streams.length ?? 0) <= 20 * 62 + 201)
})

test('streams that are opened to be reset end the session, however slowly', async () => {
  await connect()
  let seconds = 0
  for (; seconds < 20; seconds++) {
    peer.send(...ids(30, 1 + seconds * 60).flatMap(id => [get(id), reset(id)]))
    if (!(await peer.alive())) break
    parts.step(1000)
  }
  assert.equal(seconds, 16)
  assert.equal(peer.summary(), 'GOAWAY ENHANCE_YOUR_CALM')
})

test('resets that we are made to send (row 33) are held against the peer', async () => {
  await connect()
  peer.send(...ids(300).flatMap(id => [get(id), frame(WINDOW_UPDATE, 0, id, word(0))]))
  assert.ok(!(await peer.alive()))
  assert.match(peer.summary(), /RST_STREAM 1 PROTOCOL_ERROR.*GOAWAY ENHANCE_YOUR_CALM$/)
})

test('streams beyond the limit are refused, and not without end', async () => {
  await connect()
  peer.send(...ids(400).map(get))
  assert.ok(!(await peer.alive()))
  assert.match(peer.summary(), /RST_STREAM 201 REFUSED_STREAM.*GOAWAY ENHANCE_YOUR_CALM$/)
  assert.equal(server.sessions[0]?.record.streams.length, 100)
})

test('our own trouble is not held against the peer', async () => {
  await connect(record => record.stream?.reset(2))
  for (const first of [1, 401, 801, 1201]) {
    peer.send(...ids(200, first).map(get))
    assert.ok(await peer.alive())
    peer.frames.length = 0
  }
})

for (const [what, bytes] of [
  ['SETTINGS', frame(SETTINGS, 0, 0)],
  ['PING', frame(PING, 0, 0, 'pingping')],
  ['PRIORITY', frame(PRIORITY, 0, 9, [0, 0, 0, 0, 1])],
  ['WINDOW_UPDATE', frame(WINDOW_UPDATE, 0, 0, word(1))],
  ['empty DATA', frame(DATA, 0, 1)],
  ['DATA of padding', frame(DATA, 8, 1, [1, 0])],
  ['frames of an unknown type', frame(0x42, 0, 0, 'x')],
  ['RST_STREAM of a closed stream', reset(3)],
] as const)
  test(`a flood of ${what} (row 36) ends the session, and a few are nothing`, async () => {
    await connect()
    peer.send(post(1), get(3), reset(3), times(300, bytes))
    assert.ok(await peer.alive())
    peer.send(times(1000, bytes))
    assert.ok(!(await peer.alive()))
    assert.equal(peer.summary(), 'GOAWAY ENHANCE_YOUR_CALM')
  })

test('single bytes cost no more than others while nobody takes them', async () => {
  await connect(() => {})
  peer.send(post(1), times(20_000, frame(DATA, 0, 1, 'x')))
  assert.ok(await peer.alive())
  assert.equal(server.sessions[0]?.record.streams[0]?.stream?.bytesIn, 20_000)
  assert.ok(parts.budget.used < 40_000, `${parts.budget.used} bytes`)
})

test('windows that stay closed (row 37) hold no more than they were given, and are given up', async () => {
  await connect(answering('x'.repeat(100_000)))
  peer.send(frame(SETTINGS, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0])), ...ids(100).map(get))
  assert.ok(await peer.alive())
  const session = server.sessions[0]?.session
  assert.equal(session?.streams, 100)
  parts.step(59_000)
  assert.equal(session.streams, 100)
  parts.step(3000)
  assert.equal(session.streams, 0)
  assert.ok(server.sessions[0]?.record.streams.every(one => one.error?.cause === 'write idle'))
})

test('a connection window that is never given back', async () => {
  await connect(() => {})
  // Each stream brings its window; nobody takes it: the connection is credited all the same.
  for (const id of ids(30)) peer.send(post(id), times(4, frame(DATA, 0, id, Buffer.alloc(16_384))))
  assert.ok(await peer.alive())
  assert.equal(parts.budget.used >= 30 * 65_536, true)
  assert.equal(peer.summary(), '')
  // Over the mark of the budget it is not, until there is room again.
  parts.budget.take(parts.budget.limit)
  for (const id of ids(15, 101)) peer.send(post(id), times(4, frame(DATA, 0, id, Buffer.alloc(16_384))))
  peer.send(post(201), frame(DATA, 0, 201, Buffer.alloc(16_384)), frame(DATA, 0, 201, Buffer.alloc(16_384)))
  assert.ok(!(await peer.alive()))
  assert.equal(peer.summary(), 'GOAWAY FLOW_CONTROL_ERROR')
  parts.budget.give(parts.budget.limit)
})

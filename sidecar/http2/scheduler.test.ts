import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { BufferedBody } from '../exchange/body.ts'
import { frame, get, HELLO, RawPeer, word } from './frame-fixture.ts'
import { DATA, HEADERS, MAX_FRAME, SETTINGS, WINDOW_UPDATE } from './frames.ts'
import {
  HandSource,
  SessionServer,
  type StreamRecord,
  streaming,
  TestParts,
  until,
} from './session-fixture.ts'

const LARGE = 5_000_000
/** What stands in the output and the socket before bodies wait. */
const MARK = 65_536
/** Windows that are never in the way. */
const OPEN_WINDOWS = [
  frame(SETTINGS, 0, 0, Buffer.from([0, 4, 0x40, 0, 0, 0])),
  frame(WINDOW_UPDATE, 0, 0, word(2 ** 30)),
]

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

async function connect(respond: StreamRecord['respond']): Promise<void> {
  server = await new SessionServer(parts, respond).listen()
  peer = await RawPeer.connect(server.port)
}

const ended = (id: number) =>
  peer.frames.findIndex(one => one.id === id && one.type === DATA && one.flags === 1)

/** How many bytes of stream 1 stand between the head of another stream and its end. */
function inBetween(id: number): number {
  const from = peer.frames.findIndex(one => one.id === id && one.type === HEADERS)
  const between = peer.frames.slice(from, ended(id)).filter(one => one.id === 1)
  return between.reduce((sum, one) => sum + one.payload.length, 0)
}

test('one large body never starves small ones: each waits for a frame of every other in turn', async () => {
  const sizes = new Map([
    [1, LARGE],
    [3, 100],
    [5, 40_000],
    [7, 100],
  ])
  await connect(
    streaming(record => new BufferedBody(Buffer.alloc(sizes.get(record.stream?.id ?? 0) ?? 0, 'x'))),
  )
  peer.send(HELLO, ...OPEN_WINDOWS, get(1), get(3), get(5), get(7))
  await until(() => [1, 3, 5, 7].every(id => ended(id) >= 0))
  assert.ok(ended(3) < ended(1))
  assert.ok(inBetween(3) <= MARK + MAX_FRAME, `${inBetween(3)} bytes before 100`)
  assert.ok(inBetween(7) <= MARK + MAX_FRAME, `${inBetween(7)} bytes before 100`)
  assert.ok(inBetween(5) <= MARK + 3 * MAX_FRAME, `${inBetween(5)} bytes before 40,000`)
  assert.ok(peer.frames.every(one => one.payload.length <= MAX_FRAME))
})

test('two large bodies go out in turn', async () => {
  await connect(streaming(() => new BufferedBody(Buffer.alloc(1_000_000, 'x'))))
  peer.send(HELLO, ...OPEN_WINDOWS, get(1), get(3))
  await until(() => ended(1) >= 0 && ended(3) >= 0)
  const order = peer.frames.filter(one => one.type === DATA).map(one => one.id)
  const share = order.slice(8, 48).filter(id => id === 1).length
  assert.ok(share >= 16 && share <= 24, `${share} of 40 frames are of the first`)
})

test('a stream whose own window is closed holds up nobody', async () => {
  await connect(streaming(() => new BufferedBody(Buffer.alloc(100_000, 'x'))))
  peer.send(HELLO, frame(WINDOW_UPDATE, 0, 0, word(2 ** 30)), get(1), get(3))
  peer.send(frame(WINDOW_UPDATE, 0, 3, word(100_000)))
  await until(() => ended(3) >= 0)
  assert.equal(ended(1), -1)
})

test('sources are told to go on when their bytes are out, and give what they have in between', async () => {
  const source = new HandSource()
  await connect(streaming(() => source))
  peer.send(HELLO, ...OPEN_WINDOWS, get(1))
  await until(() => source.sink !== null)
  let given = 0
  for (let round = 1; round <= 5; round++) {
    while (source.sink?.chunk(Buffer.alloc(10_000, 'x'), false) === true) given += 10_000
    given += 10_000
    await until(() => source.resumed === round)
  }
  source.sink?.end(null)
  await until(() => ended(1) >= 0)
  const bytes = peer.frames.reduce((sum, one) => sum + (one.type === DATA ? one.payload.length : 0), 0)
  assert.equal(bytes, given)
  assert.equal(source.aborted, null)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { BodySink, BodySource } from '../exchange/body.ts'
import { MemoryBudget } from '../runtime/memory-budget.ts'
import { ReadBuffers } from '../runtime/read-buffers.ts'
import { closeFrame, controlFrame } from './control-frame.ts'
import { encodeFrame } from './frame-fixture.ts'
import { FrameLane } from './frame-lane.ts'
import { PING, PONG } from './frame-scanner.ts'

const OURS = Buffer.from('12345678')
const KEY = Buffer.from([9, 8, 7, 6])

/** A lane between a source that the test feeds and a sink that keeps what it is given. */
function setUp(masked: boolean) {
  const buffers = new ReadBuffers(new MemoryBudget(1 << 30))
  const out: Buffer[] = []
  const state = { takes: true, resumed: 0, ended: 0, lost: 0, closes: [] as number[], pinged: 0 }
  const source: BodySource = {
    length: 'unknown',
    start: () => {},
    resume: () => void state.resumed++,
    abort: () => {},
  }
  const sink: BodySink = {
    chunk(bytes, owned) {
      out.push(Buffer.from(bytes))
      if (owned) buffers.release(bytes)
      return state.takes
    },
    end: () => void state.ended++,
    abort: () => {},
  }
  const lane: FrameLane = new FrameLane(source, masked, false, buffers, {
    onLost() {
      state.lost++
      lane.passOn()
    },
    onPeerClose: (_lane, code) => void state.closes.push(code),
    onPinged: () => void state.pinged++,
    onLaneEnd: () => {},
  })
  lane.way.start(sink)
  /** As a socket that streams does: into a buffer of the pool, of which the lane gets a part. */
  const feed = (bytes: Buffer, owned: boolean): boolean => {
    if (!owned) return lane.chunk(bytes, false)
    const buffer = buffers.take()
    bytes.copy(buffer)
    const part = buffer.subarray(0, bytes.length)
    buffers.retain(part)
    const takes = lane.chunk(part, true)
    buffers.release(buffer)
    return takes
  }
  return { lane, buffers, state, feed, text: () => Buffer.concat(out) }
}

test('frames pass unchanged, ours go between them, answers to us do not pass, however it is cut', () => {
  const frame = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('data'), size: fc.integer({ min: 0, max: 200 }) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('ours'), size: fc.constant(0) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('pong'), size: fc.integer({ min: 0, max: 20 }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('ping'), size: fc.integer({ min: 0, max: 20 }) }) },
  )
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 12 }),
      fc.boolean(),
      fc.boolean(),
      fc.array(fc.nat({ max: 4000 }), { maxLength: 30 }),
      fc.array(fc.nat({ max: 30 }), { maxLength: 4 }),
      (frames, masked, owned, cuts, pingsAt) => {
        const { lane, buffers, state, feed, text } = setUp(masked)
        lane.expect(OURS)
        const mask = masked ? { mask: KEY } : {}
        const encoded = frames.map(({ kind, size }) => {
          const payload = kind === 'ours' ? OURS : Buffer.alloc(size, kind)
          const opcode = kind === 'data' ? 2 : kind === 'ping' ? PING : PONG
          return { kind, bytes: encodeFrame({ opcode, payload, ...mask }) }
        })
        const bytes = Buffer.concat(encoded.map(one => one.bytes))
        const edges = [...cuts.map(cut => cut % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b)
        const ping = encodeFrame({ opcode: PING, payload: Buffer.from('hello'), ...mask })
        let start = 0
        edges.forEach((edge, i) => {
          if (pingsAt.includes(i)) lane.ping(ping)
          if (edge > start) feed(bytes.subarray(start, edge), owned)
          start = edge
        })
        // Our pings taken out again, what is left has to be what came without the answers to us.
        let rest = text()
        const expected = encoded.filter(one => one.kind !== 'ours')
        let pings = 0
        for (const one of expected) {
          while (rest.subarray(0, ping.length).equals(ping)) {
            rest = rest.subarray(ping.length)
            pings++
          }
          assert.ok(
            rest.subarray(0, one.bytes.length).equals(one.bytes),
            'a frame is whole, and in its place',
          )
          rest = rest.subarray(one.bytes.length)
        }
        assert.equal(rest.length % ping.length, 0)
        pings += rest.length / ping.length
        assert.equal(pings, state.pinged)
        assert.equal(state.lost, 0)
        assert.equal(buffers.held, 0)
      },
    ),
    { numRuns: 400 },
  )
})

test('any bytes pass unchanged where nothing of ours is wanted', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.boolean(),
      fc.boolean(),
      fc.array(fc.nat({ max: 300 }), { maxLength: 10 }),
      (raw, masked, owned, cuts) => {
        const { lane, buffers, feed, text } = setUp(masked)
        lane.expect(OURS)
        const bytes = Buffer.from(raw)
        let start = 0
        for (const edge of [...cuts, bytes.length]
          .map(cut => Math.min(cut, bytes.length))
          .toSorted((a, b) => a - b)) {
          if (edge > start) feed(bytes.subarray(start, edge), owned)
          start = edge
        }
        lane.end(null)
        assert.ok(text().equals(bytes))
        assert.equal(buffers.held, 0)
      },
    ),
    { numRuns: 400 },
  )
})

test('a close frame of ours waits for the end of a frame; what comes behind it is dropped, but its answer seen', () => {
  for (const owned of [false, true]) {
    const { lane, buffers, state, feed, text } = setUp(false)
    const message = encodeFrame({ opcode: 1, payload: Buffer.from('in the middle') })
    feed(message.subarray(0, 5), owned)
    const close = closeFrame(1001, 'going away', false)
    lane.close(close)
    assert.equal(lane.closed, false)
    const more = encodeFrame({ opcode: 1, payload: Buffer.from('too late') })
    feed(Buffer.concat([message.subarray(5), more, more.subarray(0, 3)]), owned)
    assert.equal(lane.closed, true)
    assert.deepEqual(text(), Buffer.concat([message, close]))
    feed(
      Buffer.concat([more.subarray(3), encodeFrame({ opcode: 8, payload: Buffer.from([3, 0xe9]) })]),
      owned,
    )
    assert.deepEqual(state.closes, [1001])
    assert.deepEqual(text(), Buffer.concat([message, close]))
    lane.finish()
    lane.finish()
    assert.equal(state.ended, 1)
    assert.equal(buffers.held, 0)
  }
})

test('nothing of ours follows a close frame of the peer', () => {
  const { lane, state, feed, text } = setUp(true)
  const close = encodeFrame({ opcode: 8, payload: Buffer.from([0x0b, 0xb9]), mask: KEY })
  lane.expect(OURS)
  feed(close.subarray(0, 7), false)
  lane.close(closeFrame(1001, '', true))
  feed(close.subarray(7), false)
  lane.ping(controlFrame(PING, OURS, true))
  assert.deepEqual(state.closes, [3001])
  assert.equal(lane.closed, false)
  assert.deepEqual(text(), close)
})

test('what cannot be followed passes on, and nothing of ours with it', () => {
  const { lane, state, feed, text } = setUp(true)
  const bytes = Buffer.from('these are no frames')
  lane.ping(controlFrame(PING, OURS, false))
  const ping = text()
  feed(bytes, false)
  lane.ping(ping)
  lane.close(ping)
  assert.equal(state.lost, 1)
  assert.deepEqual(text(), Buffer.concat([ping, bytes]))
})

test('a taker that wants no more stops the source; a close frame of ours lets it go on', () => {
  const { lane, state, feed } = setUp(false)
  state.takes = false
  const message = encodeFrame({ opcode: 1, payload: Buffer.from('x') })
  assert.equal(feed(message, false), false)
  assert.equal(lane.blocked, true)
  lane.close(closeFrame(1000, '', false))
  assert.equal(state.resumed, 1)
  assert.equal(feed(message, false), true)
})

test('an answer to us that is not complete when the source ends passes as it is', () => {
  const { lane, state, feed, text } = setUp(false)
  lane.expect(OURS)
  const pong = controlFrame(PONG, OURS, false)
  feed(pong.subarray(0, 6), false)
  assert.equal(text().length, 0)
  lane.end(null)
  assert.deepEqual(text(), pong.subarray(0, 6))
  assert.equal(state.ended, 1)
})

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { CLOSE, FrameScanner, PING } from './frame-scanner.ts'
import { encodeFrame, type TestFrame } from './frame-fixture.ts'

/** The offsets at which frames end, as the scanner sees them where the bytes come in these pieces. */
function ends(scanner: FrameScanner, bytes: Buffer, cuts: readonly number[] = []): number[] {
  const found: number[] = []
  const edges = [...cuts.map(cut => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length]
  let start = 0
  for (const edge of edges) {
    const piece = bytes.subarray(start, edge)
    let at = 0
    while (at < piece.length && !scanner.lost) {
      at = scanner.next(piece, at, piece.length)
      if (scanner.between) found.push(start + at)
    }
    start = edge
  }
  return found
}

const MASK = Buffer.from([1, 2, 3, 4])
const frame = (opcode: number, length: number, more: Partial<TestFrame> = {}): Buffer =>
  encodeFrame({ opcode, payload: Buffer.alloc(length, 7), mask: MASK, ...more })

describe('frames are followed', () => {
  test('of every length there is a form for', () => {
    for (const length of [0, 1, 125, 126, 127, 255, 65_535, 65_536, 70_000]) {
      for (const mask of [MASK, null]) {
        const bytes = encodeFrame({
          opcode: 2,
          payload: Buffer.alloc(length),
          ...(mask === null ? {} : { mask }),
        })
        const scanner = new FrameScanner(mask !== null, false)
        assert.deepEqual(ends(scanner, bytes), [bytes.length], `${length}`)
        assert.equal(scanner.opcode, 2)
      }
    }
  })

  test('with control frames between fragments', () => {
    const parts = [
      frame(1, 5, { final: false }),
      frame(PING, 4),
      frame(0, 3, { final: false }),
      frame(0, 0),
      frame(2, 1),
    ]
    let sum = 0
    const expected = parts.map(part => (sum += part.length))
    for (let cut = 0; cut <= sum; cut++) {
      const scanner = new FrameScanner(true, false)
      assert.deepEqual(ends(scanner, Buffer.concat(parts), [cut]), expected, `cut at ${cut}`)
    }
  })

  test('a close frame has a code, or 1005', () => {
    const reason = Buffer.from('\x03\xe9bye', 'latin1')
    for (const mask of [MASK, undefined]) {
      for (let cut = 0; cut < 12; cut++) {
        const scanner = new FrameScanner(mask !== undefined, false)
        ends(scanner, encodeFrame({ opcode: CLOSE, payload: reason, ...(mask && { mask }) }), [cut])
        assert.equal(scanner.opcode, CLOSE)
        assert.equal(scanner.closeCode, 1001)
      }
    }
    const bare = new FrameScanner(true, false)
    ends(bare, frame(CLOSE, 0))
    assert.equal(bare.closeCode, 1005)
  })

  test('compressed messages begin with RSV1 where that was agreed on', () => {
    const bytes = Buffer.concat([frame(1, 9, { rsv: 4, final: false }), frame(0, 2)])
    const agreed = new FrameScanner(true, true)
    assert.equal(ends(agreed, bytes).length, 2)
    assert.equal(agreed.lost, false)
    const plain = new FrameScanner(true, false)
    ends(plain, bytes)
    assert.equal(plain.lost, true)
  })
})

describe('what is no frame is lost', () => {
  const length = (text: string): Buffer => Buffer.from(text, 'hex')
  for (const [what, bytes] of [
    ['an unmasked frame of a client', encodeFrame({ opcode: 1, payload: Buffer.alloc(1) })],
    ['opcode 3', frame(3, 1)],
    ['opcode 11', frame(11, 1)],
    ['RSV2', frame(1, 1, { rsv: 2 })],
    ['RSV3', frame(1, 1, { rsv: 1 })],
    ['a ping in fragments', frame(PING, 1, { final: false })],
    ['a ping that is too long', frame(PING, 126)],
    ['RSV1 on a ping', frame(PING, 1, { rsv: 4 })],
    ['a continuation of nothing', frame(0, 1)],
    ['a message inside of another', Buffer.concat([frame(1, 1, { final: false }), frame(1, 1)])],
    ['RSV1 on a continuation', Buffer.concat([frame(1, 1, { final: false }), frame(0, 1, { rsv: 4 })])],
    ['a length with its highest bit', length('82ff800000000000000001020304')],
    ['a length beyond counting', length('82ff002000000000000001020304')],
    ['text', Buffer.from('GET / HTTP/1.1\r\n')],
  ] as const) {
    test(what, () => {
      for (let cut = 0; cut < Math.min(bytes.length, 20); cut++) {
        const scanner = new FrameScanner(true, true)
        ends(scanner, bytes, [cut])
        assert.equal(scanner.lost, true)
        assert.equal(scanner.between, false)
      }
    })
  }

  test('a masked frame of a server', () => {
    const scanner = new FrameScanner(false, false)
    ends(scanner, frame(1, 1))
    assert.equal(scanner.lost, true)
  })
})

test('as the reference encoder wrote them, however they are cut', () => {
  const control = fc.record({ opcode: fc.constantFrom(8, 9, 10), size: fc.integer({ min: 0, max: 125 }) })
  const size = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 65_530, max: 65_545 }))
  const message = fc.record({
    opcode: fc.constantFrom(1, 2),
    fragments: fc.array(fc.record({ size, between: fc.array(control, { maxLength: 2 }) }), {
      minLength: 1,
      maxLength: 4,
    }),
  })
  const mask = fc.uint8Array({ minLength: 4, maxLength: 4 })
  const cuts = fc.array(fc.nat({ max: 1_000_000 }), { maxLength: 40 })
  fc.assert(
    fc.property(
      fc.array(message, { maxLength: 5 }),
      mask,
      fc.boolean(),
      cuts,
      (messages, key, masked, at) => {
        const parts: Buffer[] = []
        const put = (opcode: number, length: number, final: boolean): void => {
          const one: TestFrame = { opcode, payload: Buffer.alloc(length, opcode), final }
          parts.push(encodeFrame(masked ? { ...one, mask: Buffer.from(key) } : one))
        }
        for (const { opcode, fragments } of messages) {
          fragments.forEach((fragment, i) => {
            put(i === 0 ? opcode : 0, fragment.size, i === fragments.length - 1)
            for (const between of fragment.between) put(between.opcode, between.size, true)
          })
        }
        let sum = 0
        const expected = parts.map(part => (sum += part.length))
        const scanner = new FrameScanner(masked, false)
        assert.deepEqual(ends(scanner, Buffer.concat(parts), at), expected)
        assert.equal(scanner.lost, false)
      },
    ),
    { numRuns: 150 },
  )
})

test('any bytes: it ends, and says the same however they are cut', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 400 }),
      fc.boolean(),
      fc.boolean(),
      fc.array(fc.nat({ max: 400 }), { maxLength: 10 }),
      (bytes, masked, compressed, cuts) => {
        const whole = new FrameScanner(masked, compressed)
        const pieces = new FrameScanner(masked, compressed)
        const buffer = Buffer.from(bytes)
        assert.deepEqual(ends(pieces, buffer, cuts), ends(whole, buffer))
        assert.equal(pieces.lost, whole.lost)
        assert.equal(pieces.closeCode, whole.closeCode)
      },
    ),
    { numRuns: 500 },
  )
})

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { EMPTY_SETTINGS, frame, get, post, TRAILER, word } from './frame-fixture.ts'
import { FrameReader } from './frame-reader.ts'
import type { FrameSink } from './frame-sink.ts'
import { CONTINUATION, DATA, HEADERS, PING, PRIORITY, SETTINGS, WINDOW_UPDATE } from './frames.ts'

/** Writes down what a reader tells; the pieces of a DATA frame as one. */
class Told implements FrameSink {
  readonly lines: string[] = []
  #data = ''
  onData(
    id: number,
    flow: number,
    padding: number,
    buffer: Buffer,
    start: number,
    end: number,
    ended: boolean,
  ): void {
    const bytes = buffer.toString('hex', start, end)
    if (flow >= 0) {
      this.lines.push('')
      this.#data = `DATA ${id} counts ${flow}, padding ${padding}: `
    }
    this.#data += bytes
    this.lines[this.lines.length - 1] = this.#data + (ended ? ' end' : '')
  }
  onHeaders(id: number, buffer: Buffer, start: number, end: number, ended: boolean, parent: number): void {
    this.lines.push(
      `HEADERS ${id} ${buffer.toString('hex', start, end)}${ended ? ' end' : ''} parent ${parent}`,
    )
  }
  onPriority(id: number, parent: number): void {
    this.lines.push(`PRIORITY ${id} parent ${parent}`)
  }
  onReset(id: number, code: number): void {
    this.lines.push(`RST_STREAM ${id} ${code}`)
  }
  onSettings(ack: boolean, buffer: Buffer, start: number, end: number): void {
    this.lines.push(`SETTINGS ${ack} ${buffer.toString('hex', start, end)}`)
  }
  onPing(ack: boolean, buffer: Buffer, start: number): void {
    this.lines.push(`PING ${ack} ${buffer.toString('hex', start, start + 8)}`)
  }
  onGoaway(lastId: number, code: number): void {
    this.lines.push(`GOAWAY ${lastId} ${code}`)
  }
  onWindowUpdate(id: number, increment: number): void {
    this.lines.push(`WINDOW_UPDATE ${id} ${increment}`)
  }
  onUnknown(): void {
    this.lines.push('unknown')
  }
  onBadLength(id: number): void {
    this.lines.push(`bad length ${id}`)
  }
  onBroken(code: number, cause: string): void {
    this.lines.push(`broken ${code} ${cause}`)
  }
}

/** Reads bytes in pieces that end at these places, in memory that is overwritten after each. */
function read(bytes: Buffer, cuts: readonly number[] = []): string[] {
  const told = new Told()
  const reader = new FrameReader(told)
  const places = [0, ...cuts.toSorted((a, b) => a - b), bytes.length]
  for (let i = 1; i < places.length; i++) {
    const piece = Buffer.concat([
      Buffer.from('xx'),
      bytes.subarray(places[i - 1], places[i]),
      Buffer.from('xx'),
    ])
    reader.read(piece, 2, piece.length - 2)
    piece.fill(0xdb)
  }
  return told.lines
}

/** Frames of every kind. */
const EXAMPLE = Buffer.concat([
  EMPTY_SETTINGS,
  frame(SETTINGS, 0, 0, Buffer.from([0, 4, 0, 0, 1, 0])),
  post(1),
  frame(DATA, 0, 1, 'some bytes'),
  frame(DATA, 8, 1, [3, 65, 66, 0, 0, 0]),
  frame(DATA, 0, 1),
  frame(DATA, 9, 1, [0]),
  frame(
    HEADERS,
    0x28,
    3,
    Buffer.concat([Buffer.from([2]), word(5), Buffer.from([9]), TRAILER, Buffer.alloc(2)]),
  ),
  frame(CONTINUATION, 0, 3, TRAILER),
  frame(CONTINUATION, 4, 3),
  frame(PRIORITY, 0, 5, [0, 0, 0, 1, 9]),
  frame(PRIORITY, 0, 5, [0, 0, 1]),
  frame(3, 0, 3, word(8)),
  frame(PING, 0, 0, 'pingpong'),
  frame(0x77, 0x77, 77, 'unknown'),
  frame(WINDOW_UPDATE, 0, 0, word(1000)),
  frame(7, 0, 0, Buffer.concat([word(1), word(0), Buffer.from('bye')])),
  get(7),
])

test('frames of every kind', () => {
  assert.deepEqual(read(EXAMPLE), [
    'SETTINGS false ',
    'SETTINGS false 000400000100',
    'HEADERS 1 838684010161 parent -1',
    'DATA 1 counts 10, padding 0: 736f6d65206279746573',
    'DATA 1 counts 6, padding 4: 4142',
    'DATA 1 counts 0, padding 0: ',
    'DATA 1 counts 1, padding 1:  end',
    'HEADERS 3 00016101620001610162 parent 5',
    'PRIORITY 5 parent 1',
    'bad length 5',
    'RST_STREAM 3 8',
    'PING false 70696e67706f6e67',
    'unknown',
    'WINDOW_UPDATE 0 1000',
    'GOAWAY 1 0',
    'HEADERS 7 828684010161 end parent -1',
  ])
})

test('the same wherever it is cut, once or everywhere', () => {
  const whole = read(EXAMPLE)
  for (let at = 1; at < EXAMPLE.length; at++) assert.deepEqual(read(EXAMPLE, [at]), whole, `cut at ${at}`)
  const everywhere = Array.from({ length: EXAMPLE.length - 1 }, (_, i) => i + 1)
  assert.deepEqual(read(EXAMPLE, everywhere), whole)
})

test('what is left when the bytes end in the middle is told by nobody', () => {
  const told = new Told()
  const reader = new FrameReader(told)
  reader.read(EXAMPLE, 0, EXAMPLE.length - 1)
  assert.ok(reader.partial)
  assert.equal(told.lines.length, 15)
})

test('property: any frames read the same in any pieces, and after a break nothing comes', () => {
  const one = fc
    .record({
      type: fc.integer({ min: 0, max: 11 }),
      flags: fc.integer({ min: 0, max: 0x3f }),
      id: fc.constantFrom(0, 1, 1, 3, 0x7fff_ffff),
      payload: fc.uint8Array({ maxLength: 20 }),
    })
    .map(({ type, flags, id, payload }) => frame(type, flags, id, Buffer.from(payload)))
  const property = fc.property(
    fc.array(one, { maxLength: 12 }),
    fc.array(fc.nat({ max: 300 }), { maxLength: 6 }),
    (frames, cuts) => {
      const bytes = Buffer.concat([EMPTY_SETTINGS, ...frames])
      const whole = read(bytes)
      assert.deepEqual(
        read(
          bytes,
          cuts.filter(cut => cut < bytes.length),
        ),
        whole,
      )
      const broken = whole.findIndex(line => line.startsWith('broken'))
      assert.ok(broken === -1 || broken === whole.length - 1)
    },
  )
  fc.assert(property, { numRuns: 2000 })
})

test('property: random and mutated bytes throw nothing', () => {
  const mutated = fc.tuple(
    fc.array(fc.tuple(fc.nat({ max: EXAMPLE.length - 1 }), fc.nat({ max: 255 })), { maxLength: 4 }),
    fc.array(fc.nat({ max: EXAMPLE.length }), { maxLength: 4 }),
  )
  const property = fc.property(mutated, fc.uint8Array({ maxLength: 100 }), ([changes, cuts], random) => {
    const bytes = Buffer.from(EXAMPLE)
    for (const [at, value] of changes) bytes[at] = value
    assert.deepEqual(read(bytes, cuts), read(bytes))
    read(Buffer.concat([EMPTY_SETTINGS, Buffer.from(random)]))
  })
  fc.assert(property, { numRuns: 2000 })
})

interface Vector {
  readonly name: string
  /** The error codes that fit. */
  readonly error: number[] | null
  readonly wire: string
  readonly frame: {
    readonly frame_payload: Readonly<Record<string, string | number | boolean | number[][] | null>>
    readonly flags: number
    readonly stream_identifier: number
    readonly type: number
  } | null
}

const VECTORS = readFileSync(
  new URL('../../test/vectors/http2-frame-test-case/frames.jsonl', import.meta.url),
  'utf8',
)
  .trimEnd()
  .split('\n')
  .map(line => JSON.parse(line) as Vector) // as the vectors' own schema says

/** What a vector's frame is told as. */
function expected({ frame: one, name }: Vector): RegExp | string {
  if (one === null) return /^(broken|bad length)/
  const { frame_payload: payload, stream_identifier: id } = one
  const hex = (text: unknown) => Buffer.from(String(text), 'latin1').toString('hex')
  const number = (key: string) => Number(payload[key] ?? -1)
  const padding = payload['padding_length'] == null ? 0 : Number(payload['padding_length']) + 1
  switch (one.type) {
    case 0: {
      const data = String(payload['data'])
      return `DATA ${id} counts ${data.length + padding}, padding ${padding}: ${hex(data)}`
    }
    case 1:
      return `HEADERS ${id} ${hex(payload['header_block_fragment'])} parent ${number('stream_dependency')}`
    case 2:
      return `PRIORITY ${id} parent ${number('stream_dependency')}`
    case 3:
      return `RST_STREAM ${id} ${number('error_code')}`
    case 4:
      return `SETTINGS false ${(payload['settings'] as number[][]) // of a SETTINGS frame
        .map(([key, value]) => `${key?.toString(16).padStart(4, '0')}${value?.toString(16).padStart(8, '0')}`)
        .join('')}`
    case 5:
      return /^broken 1 PUSH_PROMISE/
    case 6:
      return `PING false ${hex(payload['opaque_data'])}`
    case 7:
      return `GOAWAY ${number('last_stream_id')} ${number('error_code')}`
    case 8:
      return `WINDOW_UPDATE ${id} ${number('window_size_increment')}`
    case 9:
      return `HEADERS ${id} ${hex(payload['header_block_fragment'])} parent -1`
    default:
      throw new Error(`${name} is of an unknown type`)
  }
}

describe('http2jp/http2-frame-test-case', () => {
  for (const vector of VECTORS)
    test(vector.name, () => {
      let bytes = Buffer.from(vector.wire, 'hex')
      // What CONTINUATION continues, and what ends it.
      if (vector.frame?.type === CONTINUATION)
        bytes = Buffer.concat([frame(HEADERS, 0, 50), bytes, frame(CONTINUATION, 4, 50)])
      const line = read(Buffer.concat([EMPTY_SETTINGS, bytes]))[1] ?? ''
      const want = expected(vector)
      // The value of an increment is for the session to judge.
      if (vector.name === 'error/window_update-frame-increment') assert.equal(line, 'WINDOW_UPDATE 1 0')
      else if (typeof want === 'string') assert.equal(line, want)
      else {
        assert.match(line, want)
        const code = Number(/^broken (\d+)/.exec(line)?.[1] ?? 6)
        assert.ok(
          vector.error === null || vector.error.includes(code),
          `${line}, not ${vector.error?.join()}`,
        )
      }
    })
})

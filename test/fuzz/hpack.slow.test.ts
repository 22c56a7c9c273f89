import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HeaderList } from '../../sidecar/exchange/headers.ts'
import { HpackDecoder } from '../../sidecar/http2/hpack/decoder.ts'
import { HpackEncoder } from '../../sidecar/http2/hpack/encoder.ts'
import { encodeHuffman, huffmanLength } from '../../sidecar/http2/hpack/huffman.ts'
import { PlainHpack } from './plain-hpack.ts'
import { caseCount, RandomSource, seed } from './random-source.ts'

const CASES = caseCount(30_000)
const NAMES = [
  ':path',
  ':status',
  'cookie',
  'x-a',
  'x-longer-name',
  'X-Upper',
  '',
  'a b',
  ':',
  'content-type',
]
const VALUES = [
  '',
  'a',
  '/',
  '200',
  'a=b; c=d',
  'x'.repeat(130),
  'y'.repeat(1300),
  ' a',
  'a\r\nb',
  '\xe9\xff',
  '\0',
]

/** Field blocks as peers write them, and as they should not. */
class BlockSource {
  readonly #random: RandomSource
  constructor(random: RandomSource) {
    this.#random = random
  }

  block(): Buffer {
    const random = this.#random
    const parts: Buffer[] = []
    while (random.chance(0.15)) parts.push(this.#integer(0x20, 5, random.below(4200)))
    for (let fields = random.below(12); fields > 0; fields--) parts.push(this.#field())
    const block = Buffer.concat(parts)
    return random.chance(0.15) ? this.#mutated(block) : block
  }

  #field(): Buffer {
    const random = this.#random
    const index = random.chance(0.02) ? random.below(200) : 1 + random.below(random.chance(0.3) ? 64 : 61)
    if (random.chance(0.4)) return this.#integer(0x80, 7, index)
    const [pattern, bits] = random.pick([
      [0x40, 6] as const,
      [0x40, 6] as const,
      [0x00, 4] as const,
      [0x10, 4] as const,
    ])
    if (random.chance(0.5)) return Buffer.concat([this.#integer(pattern, bits, index), this.#string(VALUES)])
    return Buffer.concat([this.#integer(pattern, bits, 0), this.#string(NAMES), this.#string(VALUES)])
  }

  #string(texts: readonly string[]): Buffer {
    // Those at the end are not valid.
    const text = this.#random.chance(0.9) ? this.#random.pick(texts.slice(0, 5)) : this.#random.pick(texts)
    if (this.#random.chance(0.5))
      return Buffer.concat([this.#integer(0, 7, text.length), Buffer.from(text, 'latin1')])
    const coded = Buffer.alloc(huffmanLength(text))
    encodeHuffman(text, coded, 0)
    return Buffer.concat([this.#integer(0x80, 7, coded.length), coded])
  }

  #integer(pattern: number, bits: number, value: number): Buffer {
    const most = 2 ** bits - 1
    if (value < most) return Buffer.of(pattern | value)
    const octets = [pattern | most]
    let rest = value - most
    for (; rest >= 128; rest >>= 7) octets.push((rest & 127) | 128)
    return Buffer.of(...octets, rest)
  }

  #mutated(block: Buffer): Buffer {
    const random = this.#random
    const bytes = [...block]
    for (let times = 1 + random.below(3); times > 0; times--) {
      const at = random.below(bytes.length + 1)
      const byte = random.chance(0.3) ? 0xff : random.below(256)
      const kind = random.below(4)
      if (kind === 0) bytes.splice(at, 1)
      else if (kind === 1) bytes.splice(at, 0, byte)
      else if (kind === 2) bytes.splice(at)
      else bytes[Math.min(at, Math.max(bytes.length - 1, 0))] = byte
    }
    return Buffer.from(bytes)
  }
}

test(`${CASES} connections of field blocks: read as a plain decoder reads them, within any limits`, () => {
  const random = new RandomSource(seed())
  const source = new BlockSource(random)
  const outcomes = { ok: 0, malformed: 0, too_large: 0, compression_error: 0 }
  for (let number = 0; number < CASES; number++) {
    const tableBytes = random.pick([4096, 4150])
    const ours = new HpackDecoder({ tableBytes })
    const plain = new PlainHpack(tableBytes)
    for (let blocks = 1 + random.below(6); blocks > 0; blocks--) {
      const limits = random.chance(0.3)
        ? { fields: random.below(6), bytes: random.below(400) }
        : { fields: 100, bytes: 20_000 }
      const block = random.chance(0.05)
        ? Buffer.from(Array.from({ length: random.below(40) }, () => random.below(256)))
        : source.block()
      const what = `case ${number} of seed ${seed()}: ${block.toString('hex')}`
      const outcome = ours.decode(block, 0, block.length, limits)
      assert.equal(outcome, plain.decode(block, limits), what)
      outcomes[outcome]++
      assert.equal(ours.fault === '', outcome === 'ok', what)
      assert.deepEqual(ours.headers, plain.headers, what)
      assert.equal(ours.tableSize, plain.tableSize, what)
      if (outcome === 'compression_error') break
    }
  }
  for (const [outcome, count] of Object.entries(outcomes))
    assert.ok(count > CASES * 0.05, `${outcome} came ${count} times`)
})

test(`${CASES} connections of headers: what is written, the plain decoder reads`, () => {
  const random = new RandomSource(seed() + 1)
  // Without those that are not valid, and those that take most of the time.
  const values = VALUES.filter(value => !/^ |[\r\n\0]/.test(value) && value.length < 1000)
  const names = NAMES.filter(name => /^:?[a-z-]+$/.test(name))
  for (let number = 0; number < CASES; number++) {
    const encoder = new HpackEncoder()
    const plain = new PlainHpack(4096)
    for (let blocks = 1 + random.below(6); blocks > 0; blocks--) {
      if (random.chance(0.2)) encoder.resize(random.below(5000))
      if (random.chance(0.1)) {
        encoder.begin(Buffer.alloc(0), 0)
        encoder.field('x-lost', 'entry')
      }
      const headers: HeaderList = []
      for (let fields = random.below(10); fields > 0; fields--)
        headers.push(
          random.pick(names),
          random.chance(0.5) ? random.pick(values) : String(random.below(1000)),
        )
      encoder.begin(Buffer.alloc(0), 0)
      encoder.fields(headers)
      const end = encoder.end()
      const outcome = plain.decode(encoder.out.subarray(0, end), { fields: 100, bytes: 100_000 })
      assert.equal(outcome, 'ok', `case ${number} of seed ${seed()}`)
      assert.deepEqual(plain.headers, headers, `case ${number} of seed ${seed()}`)
    }
  }
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CODE_BITS, CODES, EOS } from './huffman-code.ts'
import { decodeHuffman, encodeHuffman, huffmanLength, huffmanRoom } from './huffman.ts'

/** Encodes and decodes; null where the decoder refuses. */
function decode(bytes: Uint8Array): string | null {
  const out = Buffer.alloc(huffmanRoom(bytes.length))
  const result = decodeHuffman(bytes, 0, bytes.length, out)
  return result < 0 ? null : out.toString('latin1', 0, result >> 2)
}

function encode(text: string): Buffer {
  const out = Buffer.alloc(huffmanLength(text))
  assert.equal(encodeHuffman(text, out, 0), out.length)
  return out
}

test('codes are those of RFC 7541 appendix B', () => {
  // The first, the last and some of every length.
  const codes: readonly (readonly [symbol: number, code: number, bits: number])[] = [
    ...([[0, 0x1ff8, 13] as const, [1, 0x7fffd8, 23] as const, [9, 0xffffea, 24] as const] as const),
    ...([[10, 0x3ffffffc, 30] as const, [0x20, 0x14, 6] as const, [0x30, 0, 5] as const] as const),
    ...([[0x5c, 0x7fff0, 19] as const, [0x61, 3, 5] as const, [0x7a, 0x7b, 7] as const] as const),
    ...([
      [0x7f, 0xffffffc, 28] as const,
      [0x80, 0xfffe6, 20] as const,
      [0xc7, 0x1ffffec, 25] as const,
    ] as const),
    ...([
      [0xfe, 0x7fffff0, 27] as const,
      [0xff, 0x3ffffee, 26] as const,
      [EOS, 0x3fffffff, 30] as const,
    ] as const),
  ]
  for (const [symbol, code, bits] of codes) {
    assert.equal(CODES[symbol], code)
    assert.equal(CODE_BITS[symbol], bits)
  }
})

test('every byte comes back, at every place within a byte', () => {
  for (let byte = 0; byte < 256; byte++) {
    // `0` has five bits, so that eight of them go through all places.
    for (let before = 0; before < 8; before++) {
      const text = '0'.repeat(before) + String.fromCharCode(byte).repeat(3)
      assert.equal(decode(encode(text)), text)
    }
  }
})

test('what is encoded is decoded, in the room that was told', () => {
  const bytes = fc.uint8Array({ maxLength: 200 }).map(array => Buffer.from(array).toString('latin1'))
  fc.assert(
    fc.property(bytes, text => {
      assert.equal(decode(encode(text)), text)
    }),
    { numRuns: 500 },
  )
})

test('bytes are refused, or are what their text is encoded to', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), bytes => {
      const text = decode(bytes)
      if (text !== null) assert.deepEqual(encode(text), Buffer.from(bytes))
    }),
    { numRuns: 5000 },
  )
})

test('padding is the beginning of EOS, and shorter than a byte', () => {
  assert.equal(decode(Buffer.of(0x07)), '0')
  assert.equal(decode(Buffer.of(0x06)), null)
  assert.equal(decode(Buffer.of(0x00)), null)
  assert.equal(decode(Buffer.of(0x07, 0xff)), null)
  assert.equal(decode(Buffer.of(0xff)), null)
  // `:` is 1011100.
  assert.equal(decode(Buffer.of(0xb9)), ':')
  assert.equal(decode(Buffer.of(0xb8)), null)
  assert.equal(decode(Buffer.of(0xff, 0xff, 0xff, 0xff)), null)
  assert.equal(decode(Buffer.of(0xff, 0xff, 0xff, 0xfc, 0x07)), null)
})

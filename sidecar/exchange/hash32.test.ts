import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hash32, mix32 } from './hash32.ts'

/** Bytes as code units, two in each, so that published vectors can be hashed. */
function units(bytes: string): string {
  const buffer = Buffer.from(bytes, 'latin1')
  return String.fromCharCode(
    ...Array.from({ length: buffer.length / 2 }, (_, at) => buffer.readUInt16LE(at * 2)),
  )
}

const BITS = Array.from({ length: 32 }, (_, bit) => bit)

test('gives the published values of MurmurHash3', () => {
  assert.equal(hash32(''), 0)
  assert.equal(hash32(units('test')), 0xba6bd213)
  assert.equal(hash32(units('\0\0\0\0')), 0x2362f9de)
  assert.equal(hash32(units('!Ce\x87')), 0xf55b516b)
  assert.equal(hash32(units('!C')), 0xa0f7b07a)
})

test('is an unsigned 32-bit integer whatever the text', () => {
  for (const text of ['a', 'ab', 'abc', 'é', '\u{1f600}', '\uffff'.repeat(9), 'x'.repeat(10_000)]) {
    const hash = hash32(text)
    assert.ok(Number.isInteger(hash) && hash >= 0 && hash <= 0xffffffff, text)
  }
})

test('one bit of the text turns about half of the bits of the hash', () => {
  const turned = BITS.map(() => 0)
  let pairs = 0
  for (let i = 0; i < 2000; i++) {
    const text = `user-${i}`
    for (let bit = 0; bit < 3; bit++) {
      const last = text.charCodeAt(text.length - 1) ^ (1 << bit)
      const difference = hash32(text) ^ hash32(text.slice(0, -1) + String.fromCharCode(last))
      for (const at of BITS) turned[at] = (turned[at] as number) + ((difference >>> at) & 1)
      pairs++
    }
  }
  for (const count of turned) assert.ok(Math.abs(count / pairs - 0.5) < 0.05, turned.join(' '))
})

test('keys that follow one another fall evenly', () => {
  const buckets = Array.from({ length: 64 }, () => 0)
  for (let i = 0; i < 64_000; i++) {
    const at = hash32(`10.0.${i >> 8}.${i & 255}`) >>> 26
    buckets[at] = (buckets[at] as number) + 1
  }
  for (const count of buckets) assert.ok(count > 850 && count < 1150, buckets.join(' '))
})

test('mix32 maps no two numbers to one', () => {
  const seen = new Set<number>()
  for (let i = 0; i < 50_000; i++) seen.add(mix32(i))
  assert.equal(seen.size, 50_000)
})

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { HeaderList } from '../../exchange/headers.ts'
import { HpackDecoder } from './decoder.ts'
import { HpackEncoder } from './encoder.ts'

const LIMITS = { fields: 1000, bytes: 1_000_000 }

/** Writes a block; as hexadecimal. */
function write(encoder: HpackEncoder, ...headers: HeaderList): string {
  encoder.begin(Buffer.alloc(0), 0)
  encoder.fields(headers)
  const end = encoder.end()
  return encoder.out.toString('hex', 0, end)
}

/** Writes a block and reads it. Returns how many bytes it took. */
function pass(encoder: HpackEncoder, decoder: HpackDecoder, headers: HeaderList): number {
  const bytes = Buffer.from(write(encoder, ...headers), 'hex')
  assert.equal(decoder.decode(bytes, 0, bytes.length, LIMITS), 'ok', decoder.fault)
  assert.deepEqual(decoder.headers, headers)
  return bytes.length
}

describe('what is indexed', () => {
  test('fields of the static table are one byte', () => {
    assert.equal(write(new HpackEncoder(), ':method', 'POST', ':scheme', 'https', ':status', '404'), '83878d')
    assert.equal(write(new HpackEncoder(), ':authority', ''), '81')
  })

  test('what comes again is one byte', () => {
    const encoder = new HpackEncoder()
    const decoder = new HpackDecoder()
    const headers = [
      ':status',
      '201',
      'server',
      'orders/1.4',
      'x-name',
      'x',
      'content-type',
      'application/json',
    ]
    assert.ok(pass(encoder, decoder, headers) > 30)
    assert.equal(pass(encoder, decoder, headers), 4)
  })

  test('secrets never are, and say so', () => {
    for (const name of ['authorization', 'cookie', 'set-cookie', 'proxy-authorization', 'x-api-key']) {
      const encoder = new HpackEncoder()
      const first = write(encoder, name, 'secret')
      assert.match(first, /^1/)
      assert.equal(write(encoder, name, 'secret'), first)
    }
  })

  test('a peer that wants a field never indexed is obeyed', () => {
    const encoder = new HpackEncoder()
    const decoder = new HpackDecoder()
    pass(encoder, decoder, ['x-name', 'value'])
    encoder.begin(Buffer.alloc(0), 0)
    encoder.sensitive('x-name', 'value')
    encoder.sensitive('x-other', 'value')
    const end = encoder.end()
    assert.equal(decoder.decode(encoder.out, 0, end, LIMITS), 'ok')
    assert.deepEqual(decoder.sensitive, ['x-name', 'x-other'])
    assert.deepEqual(decoder.headers, ['x-name', 'value', 'x-other', 'value'])
  })

  test('what differs in each message is a literal without indexing', () => {
    const encoder = new HpackEncoder()
    assert.equal(write(encoder, 'content-length', '13', 'etag', '"1"'), '0f0d0231330f1303223122')
    assert.equal(write(encoder, 'content-length', '13'), '0f0d023133')
  })

  test('but where its name has no index, one is put into the table, and referred to', () => {
    const encoder = new HpackEncoder()
    const decoder = new HpackDecoder()
    pass(encoder, decoder, ['x-request-id', 'a1'])
    assert.equal(write(encoder, 'x-request-id', 'a1'), '0f2f026131')
  })

  test('a path is while paths come again, one with a query is not', () => {
    const encoder = new HpackEncoder()
    const decoder = new HpackDecoder()
    pass(encoder, decoder, [':path', '/shop.Orders/Get'])
    assert.equal(pass(encoder, decoder, [':path', '/shop.Orders/Get']), 1)
    const query = pass(encoder, decoder, [':path', '/a?token=1'])
    assert.equal(pass(encoder, decoder, [':path', '/a?token=1']), query)
  })

  test('values that never come again do not push out those that do', () => {
    const encoder = new HpackEncoder()
    const decoder = new HpackDecoder()
    const steady = ['server', 'orders/1.4', 'x-frame-options', 'deny', 'content-type', 'text/html']
    pass(encoder, decoder, steady)
    let total = 0
    for (let i = 0; i < 1000; i++) {
      pass(encoder, decoder, [':path', `/orders/${i}`, 'x-number', String(i), 'referer', `http://a/${i}`])
      total += pass(encoder, decoder, steady)
    }
    // Three or four bytes each time, but for a few times.
    assert.ok(total < 4 * 1000, `${total} bytes`)
  })

  test('a large value leaves the table as it is', () => {
    const encoder = new HpackEncoder()
    const decoder = new HpackDecoder()
    pass(encoder, decoder, ['server', 'a', 'x-large', 'b'.repeat(3000)])
    assert.equal(decoder.tableSize, 39)
  })
})

describe('the size of the table', () => {
  test('follows the peer, the least first', () => {
    const encoder = new HpackEncoder()
    const first = write(encoder, 'server', 'a')
    encoder.resize(100)
    assert.equal(write(encoder, ':method', 'GET'), '3f4582')
    assert.equal(write(encoder, 'server', 'a'), 'be')
    encoder.resize(0)
    encoder.resize(200)
    assert.equal(write(encoder, 'server', 'a'), '203fa901' + first)
    assert.equal(write(encoder, 'server', 'a'), 'be')
  })

  test('is 4096 at most, and nothing is said where it stays so', () => {
    const encoder = new HpackEncoder()
    encoder.resize(1_000_000)
    assert.equal(write(encoder, ':method', 'GET'), '82')
    encoder.resize(4096)
    assert.equal(write(encoder, ':method', 'GET'), '82')
    encoder.resize(0)
    encoder.resize(1_000_000)
    assert.equal(write(encoder, ':method', 'GET'), '203fe11f82')
  })
})

describe('a block that fails', () => {
  const bad: readonly (readonly [name: string, value: string])[] = [
    ['a', 'b\r\nc: d'],
    ['a', `${'b'.repeat(50)}\n`],
    ['a', '\u010d\u010a'],
    ['content-length', '1\0'],
    ['content-length', '\u0131'],
    ['cookie', `${'b'.repeat(50)}\u0131`],
    ['A', 'b'],
    ['', 'b'],
    ['a b', 'c'],
    ['\u0161', 'c'],
    ['a\n', 'c'],
  ]
  test('what does not belong on the wire is refused, and the next block begins anew', () => {
    for (const [name, value] of bad) {
      const encoder = new HpackEncoder()
      const decoder = new HpackDecoder()
      pass(encoder, decoder, ['server', 'one'])
      encoder.begin(Buffer.alloc(100), 0)
      // This would be in our table, and not in the peer's.
      encoder.field('server', 'two')
      assert.throws(() => encoder.field(name, value), /wide character|no token/)
      const bytes = pass(encoder, decoder, ['server', 'two', 'server', 'one'])
      assert.ok(bytes > 8)
      assert.equal(pass(encoder, decoder, ['server', 'two', 'server', 'one']), 2)
    }
  })

  test('white space at the ends of a value is left out', () => {
    const encoder = new HpackEncoder()
    assert.equal(write(encoder, ':method', ' GET\t'), '82')
    assert.equal(write(encoder, 'content-length', ' 1 '), '0f0d0131')
    const decoder = new HpackDecoder()
    const bytes = Buffer.from(write(encoder, 'a', '\xa0b\t'), 'hex')
    assert.equal(decoder.decode(bytes, 0, bytes.length, LIMITS), 'ok')
    assert.deepEqual(decoder.headers, ['a', '\xa0b'])
  })
})

test('a buffer that is too small gives way to a larger one with the same beginning', () => {
  const encoder = new HpackEncoder()
  const out = Buffer.from('123456789')
  encoder.begin(out, 9)
  encoder.field('location', 'http://127.0.0.1/'.repeat(20))
  const end = encoder.end()
  assert.notEqual(encoder.out, out)
  assert.equal(encoder.out.toString('latin1', 0, 9), '123456789')
  const decoder = new HpackDecoder()
  assert.equal(decoder.decode(encoder.out, 9, end, LIMITS), 'ok')
})

test('names without number are not kept', () => {
  const encoder = new HpackEncoder()
  const decoder = new HpackDecoder()
  for (let i = 0; i < 2000; i++) pass(encoder, decoder, [`x-${i}`, 'a', 'x-'.repeat(100) + String(i), 'b'])
  assert.ok(encoder.namesKept <= 256)
})

test('what is written is read again, whatever becomes of the table', () => {
  const name = fc.constantFrom(
    ':path',
    ':status',
    'cookie',
    'date',
    'server',
    'via',
    'x-a',
    'x-b',
    'etag',
    'x-c',
  )
  const value = fc.oneof(
    fc.constantFrom('', '200', 'a', 'b', '/', 'x'.repeat(300), 'y'.repeat(1500)),
    fc.uint8Array({ maxLength: 40 }).map(
      bytes =>
        // Text of what is allowed within a value, with nothing else at its ends.
        `v${Buffer.from(bytes.map(byte => (byte < 0x20 || byte === 0x7f ? 0x09 : byte))).toString('latin1')}v`,
    ),
  )
  const block = fc.record({
    resize: fc.option(fc.integer({ min: 0, max: 5000 }), { freq: 5 }),
    fails: fc.integer({ min: 0, max: 9 }),
    fields: fc.array(fc.tuple(name, value), { maxLength: 12 }),
  })
  fc.assert(
    fc.property(fc.array(block, { maxLength: 20 }), blocks => {
      const encoder = new HpackEncoder()
      const decoder = new HpackDecoder({ tableBytes: 5000 })
      for (const { resize, fails, fields } of blocks) {
        if (resize !== null) {
          encoder.resize(resize)
          decoder.acknowledged(resize)
        }
        const headers = fields.flat()
        if (fails === 0) {
          encoder.begin(Buffer.alloc(0), 0)
          encoder.fields(headers)
        }
        pass(encoder, decoder, headers)
      }
    }),
    { numRuns: 200 },
  )
})

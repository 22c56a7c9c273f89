import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type DecodeOutcome, HpackDecoder } from './decoder.ts'

const LIMITS = { fields: 100, bytes: 16_384 }

/** Reads blocks in hexadecimal, white space aside, one after the other; returns the last outcome. */
function read(decoder: HpackDecoder, ...blocks: string[]): DecodeOutcome {
  let outcome: DecodeOutcome = 'ok'
  for (const block of blocks) {
    const bytes = Buffer.from(block.replaceAll(' ', ''), 'hex')
    outcome = decoder.decode(bytes, 0, bytes.length, LIMITS)
  }
  return outcome
}

/** A raw string with its length before it, in hexadecimal. */
function text(value: string): string {
  const bytes = Buffer.from(value, 'latin1')
  assert.ok(bytes.length < 127)
  return Buffer.of(bytes.length, ...bytes).toString('hex')
}

/** A literal with a new name, in hexadecimal: `40` with indexing, `00` without, `10` never. */
function literal(pattern: '40' | '00' | '10', name: string, value: string): string {
  return pattern + text(name) + text(value)
}

describe('a compression error', () => {
  const cases: readonly (readonly [what: string, block: string, fault: RegExp])[] = [
    // What h2spec sends for RFC 7541 sections 2.3.3, 4.2, 5.2, 6.1 and 6.3.
    ['2.3.3: an indexed field beyond the table', 'c6', /not in the table/],
    ['2.3.3: a literal whose name is beyond the table', '7f0b 0161', /not in the table/],
    ['4.2: a size update at the end of a block', '82 20', /between fields/],
    ['5.2: padding of a Huffman string longer than seven bits', '00 0161 82 1fff', /Huffman/],
    ['5.2: padding of a Huffman string with zeros', '00 0161 81 18', /Huffman/],
    ['5.2: EOS in a Huffman string', '00 0161 84 ffffffff', /Huffman/],
    ['6.1: index 0', '80', /index 0/],
    ['6.3: a size update beyond SETTINGS_HEADER_TABLE_SIZE', '3fe21f', /larger than allowed/],
    // And others.
    ['an index of the dynamic table, which is empty', 'be', /not in the table/],
    ['more than two size updates', '20 21 22', /more than twice/],
    ['a size update of more than 2^31 - 1', '3fffffffff7f', /too large/],
    ['an index of more octets than five', 'ff808080808000', /too large/],
    ['an index of more than 2^31 - 1', 'ffffffffffffff', /too large/],
    ['a block that ends within an index', 'ff', /within an integer/],
    ['a block that ends within an index of two octets', 'ff80', /within an integer/],
    ['a block that ends within a size update', '3f', /within an integer/],
    ['a block that ends before a name', '40', /within a field/],
    ['a block that ends before a value', '41', /within a field/],
    ['a block that ends within a length', '417f', /within an integer/],
    ['a block that ends within a string', '41026a', /within a string/],
    ['a string as long as there are numbers', '417f80ffffff07', /within a string/],
    ['a Huffman string that is only padding of eight bits', '00 0161 81ff', /Huffman/],
    ['EOS followed by more', '00 0161 86 fffffffcffff', /Huffman/],
  ]
  for (const [what, block, fault] of cases) {
    test(what, () => {
      const decoder = new HpackDecoder()
      assert.equal(read(decoder, block), 'compression_error')
      assert.match(decoder.fault, fault)
    })
  }
})

describe('what is allowed at the border of that', () => {
  const cases: readonly (readonly [what: string, block: string])[] = [
    ['an empty block', ''],
    ['a size update alone', '3fe11f'],
    ['two size updates, the least first', '20 3fe11f 82'],
    ['an integer with a last octet of nothing', '3f8000'],
    ['an empty Huffman string', '00 0161 80'],
    ['a Huffman string with seven bits of padding', '00 0161 85 1c6490b27f'],
    ['a raw empty value', '00 0161 00'],
  ]
  for (const [what, block] of cases) {
    test(what, () => {
      const decoder = new HpackDecoder()
      assert.equal(read(decoder, block), 'ok', decoder.fault)
    })
  }
})

describe('a malformed field', () => {
  const cases: readonly (readonly [what: string, name: string, value: string, fault: RegExp])[] = [
    ['an upper-case name', 'X-A', 'b', /field name contains/],
    ['a name with a space', 'a b', 'b', /field name contains/],
    ['a name with a colon', 'a:b', 'b', /field name contains/],
    ['a colon alone', ':', 'b', /field name contains/],
    ['two colons', '::a', 'b', /field name contains/],
    ['a pseudo-header field in upper case', ':Path', '/', /field name contains/],
    ['a name with a control character', 'a\x01', 'b', /field name contains/],
    ['a name with DEL', 'a\x7f', 'b', /field name contains/],
    ['a name with a byte above 0x7f', 'a\xe9', 'b', /field name contains/],
    ['no name', '', 'b', /empty/],
    ['a value with CR', 'a', 'b\rc', /control character/],
    ['a value with LF', 'a', 'b\nc', /control character/],
    ['a value with NUL', 'a', 'b\0c', /control character/],
    ['a value with DEL', 'a', 'b\x7f', /control character/],
    ['a value that begins with a space', 'a', ' b', /white space/],
    ['a value that ends with a tab', 'a', 'b\t', /white space/],
    ['a value of one space', 'a', ' ', /white space/],
  ]
  for (const [what, name, value, fault] of cases) {
    test(what, () => {
      for (const pattern of ['40', '00', '10'] as const) {
        const decoder = new HpackDecoder()
        assert.equal(read(decoder, '82' + literal(pattern, name, value) + '84'), 'malformed')
        assert.match(decoder.fault, fault)
        assert.deepEqual(decoder.headers, [':method', 'GET'])
        // Once in the table it is malformed wherever it is referred to; and what follows is understood.
        if (pattern === '40') assert.equal(read(decoder, '82be'), 'malformed')
        assert.match(pattern === '40' ? decoder.fault : fault.source, pattern === '40' ? fault : /./)
        assert.equal(read(decoder, '82'), 'ok')
      }
    })
  }

  test('a name of the table that is none is none with another value, and its value says nothing of that', () => {
    const decoder = new HpackDecoder()
    assert.equal(read(decoder, literal('40', 'A', 'b'), '0f2f' + text('c')), 'malformed')
    const other = new HpackDecoder()
    assert.equal(read(other, literal('40', 'a', ' b'), '0f2f' + text('c')), 'ok', other.fault)
    assert.deepEqual(other.headers, ['a', 'c'])
  })

  test('Huffman-coded ones are found too', () => {
    // `A` is 100001, NUL 1111111111000 and both are padded with ones.
    assert.equal(read(new HpackDecoder(), '00 8187' + text('b')), 'malformed')
    assert.equal(read(new HpackDecoder(), '00' + text('a') + '82ffc7'), 'malformed')
  })

  test('a value may hold a tab, a space and bytes above 0x7f', () => {
    const decoder = new HpackDecoder()
    assert.equal(read(decoder, literal('00', 'a', '\xa0\t \xff')), 'ok', decoder.fault)
    assert.deepEqual(decoder.headers, ['a', '\xa0\t \xff'])
  })
})

describe('limits', () => {
  function outcome(block: string, fields: number, bytes: number): [DecodeOutcome, HpackDecoder] {
    const decoder = new HpackDecoder()
    const buffer = Buffer.from(block, 'hex')
    return [decoder.decode(buffer, 0, buffer.length, { fields, bytes }), decoder]
  }

  test('fields are counted, cookie crumbs one by one', () => {
    const crumb = '00' + text('cookie') + text('a=b')
    assert.equal(outcome(crumb.repeat(10), 10, 1000)[0], 'ok')
    const [result, decoder] = outcome(crumb.repeat(11), 10, 1000)
    assert.equal(result, 'too_large')
    assert.match(decoder.fault, /more header fields/)
    assert.equal(decoder.headers.length, 20)
  })

  test('bytes are counted with 32 a field, references as what they stand for', () => {
    // `:method: GET` is 42 bytes.
    assert.equal(outcome('8282', 10, 84)[0], 'ok')
    const [result, decoder] = outcome('828282', 10, 84)
    assert.equal(result, 'too_large')
    assert.match(decoder.fault, /larger than allowed/)
    const large = literal('40', 'a', 'b'.repeat(100))
    assert.equal(outcome(large + 'be'.repeat(3), 10, 4 * 133)[0], 'ok')
    assert.equal(outcome(large + 'be'.repeat(3), 10, 4 * 133 - 1)[0], 'too_large')
  })

  test('beyond them the table stays in step, and nothing else is kept', () => {
    const decoder = new HpackDecoder()
    const block = Buffer.from(
      '82'.repeat(3) + literal('40', 'x-late', 'entry') + literal('00', 'x-lost', 'c'.repeat(100)),
      'hex',
    )
    assert.equal(decoder.decode(block, 0, block.length, { fields: 2, bytes: 1000 }), 'too_large')
    assert.deepEqual(decoder.headers, [':method', 'GET', ':method', 'GET'])
    assert.equal(read(decoder, 'be'), 'ok')
    assert.deepEqual(decoder.headers, ['x-late', 'entry'])
  })

  test('a name longer than what is left goes into the table whole', () => {
    const decoder = new HpackDecoder()
    const block = Buffer.from(literal('40', 'n'.repeat(60), 'v'), 'hex')
    assert.equal(decoder.decode(block, 0, block.length, { fields: 2, bytes: 50 }), 'too_large')
    assert.equal(read(decoder, 'be'), 'ok')
    assert.deepEqual(decoder.headers, ['n'.repeat(60), 'v'])
  })

  test('beyond them a compression error is still one', () => {
    assert.equal(outcome('828280', 1, 1000)[0], 'compression_error')
  })
})

describe('the table', () => {
  test('an entry larger than it empties it, and is itself a field', () => {
    const decoder = new HpackDecoder()
    assert.equal(read(decoder, '3f09' + literal('40', 'a', 'b') + literal('40', 'a', 'b'.repeat(9))), 'ok')
    assert.equal(decoder.tableSize, 0)
    assert.deepEqual(decoder.headers, ['a', 'b', 'a', 'b'.repeat(9)])
    assert.equal(read(decoder, 'be'), 'compression_error')
  })

  test('a new entry may take its name from one that goes for it', () => {
    const decoder = new HpackDecoder()
    // 40 bytes, which one entry fills.
    assert.equal(read(decoder, '3f09' + literal('40', 'name', 'one'), '7e' + text('two'), 'be'), 'ok')
    assert.deepEqual(decoder.headers, ['name', 'two'])
    assert.equal(decoder.tableSize, 39)
  })

  test('a smaller SETTINGS_HEADER_TABLE_SIZE has to be followed from its acknowledgement on', () => {
    const decoder = new HpackDecoder({ tableBytes: 100 })
    assert.equal(read(decoder, '3fe11f82'), 'ok', 'the peer may not have read it yet')
    decoder.acknowledged(100)
    assert.equal(read(decoder, '82'), 'compression_error')
    assert.match(decoder.fault, /as small as was asked/)

    const follows = new HpackDecoder({ tableBytes: 100 })
    follows.acknowledged(100)
    assert.equal(read(follows, '3f4582', '82'), 'ok', follows.fault)
    assert.equal(read(follows, '3f4682'), 'compression_error')
  })

  test('a larger one may be used from the beginning', () => {
    assert.equal(read(new HpackDecoder({ tableBytes: 8192 }), '3fe13f82'), 'ok')
    assert.equal(read(new HpackDecoder({ tableBytes: 8192 }), '3fe23f82'), 'compression_error')
  })
})

test('nothing refers to the bytes of a block after it was read', () => {
  const decoder = new HpackDecoder()
  const bytes = Buffer.from('ff' + literal('40', 'x-name', 'a value of some length') + 'ff', 'hex')
  assert.equal(decoder.decode(bytes, 1, bytes.length - 1, LIMITS), 'ok')
  const { headers } = decoder
  bytes.fill(0xdb)
  assert.deepEqual(headers, ['x-name', 'a value of some length'])
  assert.equal(read(decoder, 'be'), 'ok')
  assert.deepEqual(decoder.headers, headers)
  assert.notEqual(decoder.headers, headers)
})

test('what is never indexed by itself is not named', () => {
  const decoder = new HpackDecoder()
  assert.equal(read(decoder, literal('10', 'cookie', 'a=b') + literal('10', 'x-secret', 'c')), 'ok')
  assert.deepEqual(decoder.sensitive, ['x-secret'])
  assert.equal(read(decoder, '82'), 'ok')
  assert.equal(decoder.sensitive, null)
})

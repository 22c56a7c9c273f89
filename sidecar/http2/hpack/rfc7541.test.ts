import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HeaderList } from '../../exchange/headers.ts'
import { HpackDecoder } from './decoder.ts'
import { HpackEncoder } from './encoder.ts'

const LIMITS = { fields: 100, bytes: 16_384 }

/** Field blocks of one connection, in hexadecimal, with what they hold and the size of the table after each. */
type Blocks = readonly (readonly [block: string, headers: HeaderList, tableSize: number])[]

const FIRST_REQUEST = [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'www.example.com']
const SECOND_REQUEST = [...FIRST_REQUEST, 'cache-control', 'no-cache']
const THIRD_REQUEST = [
  ...[':method', 'GET', ':scheme', 'https', ':path', '/index.html', ':authority', 'www.example.com'],
  ...['custom-key', 'custom-value'],
]
const FIRST_RESPONSE = [
  ...[':status', '302', 'cache-control', 'private', 'date', 'Mon, 21 Oct 2013 20:13:21 GMT'],
  ...['location', 'https://www.example.com'],
]
const SECOND_RESPONSE = FIRST_RESPONSE.with(1, '307')
const THIRD_RESPONSE = [
  ...[':status', '200', 'cache-control', 'private', 'date', 'Mon, 21 Oct 2013 20:13:22 GMT'],
  ...['location', 'https://www.example.com', 'content-encoding', 'gzip'],
  ...['set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'],
]

const REQUESTS_HUFFMAN: Blocks = [
  ['828684418cf1e3c2e5f23a6ba0ab90f4ff', FIRST_REQUEST, 57],
  ['828684be5886a8eb10649cbf', SECOND_REQUEST, 110],
  ['828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf', THIRD_REQUEST, 164],
]

const SECTIONS: Record<string, { readonly table?: number; readonly blocks: Blocks }> = {
  'C.2.1 literal with indexing': {
    blocks: [['400a637573746f6d2d6b65790d637573746f6d2d686561646572', ['custom-key', 'custom-header'], 55]],
  },
  'C.2.2 literal without indexing': {
    blocks: [['040c2f73616d706c652f70617468', [':path', '/sample/path'], 0]],
  },
  'C.2.3 literal never indexed': {
    blocks: [['100870617373776f726406736563726574', ['password', 'secret'], 0]],
  },
  'C.2.4 indexed': { blocks: [['82', [':method', 'GET'], 0]] },
  'C.3 requests without Huffman coding': {
    blocks: [
      ['828684410f7777772e6578616d706c652e636f6d', FIRST_REQUEST, 57],
      ['828684be58086e6f2d6361636865', SECOND_REQUEST, 110],
      ['828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565', THIRD_REQUEST, 164],
    ],
  },
  'C.4 requests with Huffman coding': { blocks: REQUESTS_HUFFMAN },
  'C.5 responses without Huffman coding': {
    table: 256,
    blocks: [
      [
        '4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54' +
          '6e1768747470733a2f2f7777772e6578616d706c652e636f6d',
        FIRST_RESPONSE,
        222,
      ],
      ['4803333037c1c0bf', SECOND_RESPONSE, 222],
      [
        '88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f' +
          '3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076' +
          '657273696f6e3d31',
        THIRD_RESPONSE,
        215,
      ],
    ],
  },
  'C.6 responses with Huffman coding': {
    table: 256,
    blocks: [
      [
        '488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad1718' +
          '63c78f0b97c8e9ae82ae43d3',
        FIRST_RESPONSE,
        222,
      ],
      ['4883640effc1c0bf', SECOND_RESPONSE, 222],
      [
        '88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7' +
          'b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007',
        THIRD_RESPONSE,
        215,
      ],
    ],
  },
}

for (const [name, { table, blocks }] of Object.entries(SECTIONS)) {
  test(`RFC 7541 ${name}`, () => {
    const decoder = new HpackDecoder()
    // The examples assume that a smaller table was agreed on before.
    const update = table === undefined ? '' : '3fe101'
    for (const [number, [block, headers, tableSize]] of blocks.entries()) {
      const bytes = Buffer.from((number === 0 ? update : '') + block, 'hex')
      assert.equal(decoder.decode(bytes, 0, bytes.length, LIMITS), 'ok', decoder.fault)
      assert.deepEqual(decoder.headers, headers)
      assert.equal(decoder.tableSize, tableSize)
    }
  })
}

test('RFC 7541 C.2.3: what is never indexed is named, for the next hop', () => {
  const decoder = new HpackDecoder()
  const bytes = Buffer.from('100870617373776f726406736563726574', 'hex')
  decoder.decode(bytes, 0, bytes.length, LIMITS)
  assert.deepEqual(decoder.sensitive, ['password'])
})

test('RFC 7541 C.4 is what the encoder writes', () => {
  const encoder = new HpackEncoder()
  for (const [block, headers] of REQUESTS_HUFFMAN) {
    encoder.begin(Buffer.alloc(100), 9)
    encoder.fields(headers)
    assert.equal(encoder.out.toString('hex', 9, encoder.end()), block)
  }
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Question } from './decision.ts'
import { decodeCheck, encodeCheck } from './messages.ts'

// The bytes were made by protobufjs from Envoy's definitions.

const QUESTION: Question = {
  requestId: 'r-1',
  route: 'orders',
  method: 'POST',
  scheme: 'https',
  authority: 'shop.example:8443',
  path: '/orders/1',
  query: '?a=1',
  protocol: 'HTTP/1.1',
  headers: [
    ['x-a', '1'],
    ['cookie', 'a=b; c=d'],
  ],
  source: { address: '192.0.2.9', port: 54_321, principal: 'spiffe://shop/edge' },
  size: -1,
  body: null,
}

const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex')

test('a question is what Envoy would send', () => {
  const expected =
    '0a83020a270a110a0f12093139322e302e322e3918b1a80322127370696666653a2f2f73686f702f6564676522c60112c3010a03722d311204504f53541a0f0a073a6d6574686f641204504f53541a160a053a70617468120d2f6f72646572732f313f613d311a1f0a0a3a617574686f72697479121173686f702e6578616d706c653a383434331a100a073a736368656d65120568747470731a080a03782d611201311a120a06636f6f6b69651208613d623b20633d64220d2f6f72646572732f313f613d312a1173686f702e6578616d706c653a383434333205687474707348ffffffffffffffffff015208485454502f312e31520f0a05726f75746512066f7264657273'
  assert.equal(encodeCheck(QUESTION).toString('hex'), expected)
})

test('a body is text where it is, else bytes', () => {
  const ending = (body: Buffer): string => {
    const hex = encodeCheck({ ...QUESTION, body }).toString('hex')
    return hex.slice(hex.indexOf(Buffer.from('HTTP/1.1').toString('hex')) + 16).split('520f0a05', 1)[0] ?? ''
  }
  assert.equal(ending(Buffer.from('hé')), `5a03${Buffer.from('hé').toString('hex')}`)
  assert.equal(ending(Buffer.from([0xff, 0])), '6202ff00')
  assert.equal(ending(Buffer.alloc(0)), '')
})

test('an answer allows, with fields, or refuses, with a status', () => {
  const allow =
    '0a0208001a2c12110a0f0a06582d557365721205616c69636512120a0a0a05782d7261771a01e91202080118012a03782d7a'
  assert.deepEqual(decodeCheck(bytes(allow)), {
    kind: 'allow',
    headers: ['x-user', 'alice', 'x-raw', '\xe9'],
    remove: ['x-z'],
  })
  for (const ok of ['0a00', '1a00'])
    assert.deepEqual(decodeCheck(bytes(ok)), { kind: 'allow', headers: [], remove: [] })
  const deny =
    '0a06080712026e6f12300a03089103121c0a1a0a105757572d41757468656e74696361746512064265617265721a0b77686f2061726520796f75'
  assert.deepEqual(decodeCheck(bytes(deny)), {
    kind: 'deny',
    status: 401,
    headers: ['www-authenticate', 'Bearer'],
    body: 'who are you',
  })
  // A code alone, a refusal alone, and a code of all bits.
  for (const hex of ['0a020810', '1200', '0a0b08ffffffffffffffffff01'])
    assert.deepEqual(decodeCheck(bytes(hex)), { kind: 'deny', status: 403, headers: [], body: '' }, hex)
})

test('what is no decision allows nothing', () => {
  const line = Buffer.from('x\r\ny: z').toString('hex')
  for (const hex of [
    '',
    '0a02080712050a0308c801', // refuses with 200
    '0a', // cut
    '0a05', // cut
    '0a020a00', // a code that is no number
    '0800', // a status that is a number
    '0f00', // a kind that nobody knows
    `0a0208001a10120e0a0c0a01781207${line}`, // two lines
  ])
    assert.equal(decodeCheck(bytes(hex)).kind, 'failed', hex)
})

test('any bytes are read or refused, and never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), one => {
      assert.match(decodeCheck(Buffer.from(one)).kind, /^(allow|deny|failed)$/)
    }),
    { numRuns: 2_000 },
  )
})

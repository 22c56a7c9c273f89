import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { forge } from '../../../../test/harness/tokens.ts'
import { parseObject, readHeader } from './token.ts'

const PAYLOAD = { sub: 'a' }

test('a header says algorithm, key and type, and nothing that decides how it is read', () => {
  assert.deepEqual(readHeader(forge({ alg: 'ES256', kid: 'k', typ: 'application/AT+JWT' }, PAYLOAD)), {
    alg: 'ES256',
    kid: 'k',
    typ: 'at+jwt',
  })
  assert.deepEqual(readHeader(forge({ alg: 'ES256' }, PAYLOAD)), { alg: 'ES256', kid: null, typ: null })
  for (const more of [
    ...[
      { crit: ['exp'] },
      { b64: false },
      { b64: true },
      { jku: 'https://evil.example/jwks' },
      { x5u: 'https://evil.example' },
    ],
    ...[
      { jwk: { kty: 'oct', k: 'AAAA' } },
      { enc: 'A256GCM' },
      { zip: 'DEF' },
      { kid: 7 },
      { kid: 'x'.repeat(129) },
      { typ: 1 },
    ],
    ...[{ alg: undefined }, { alg: 7 }, { alg: null }],
  ])
    assert.equal(typeof readHeader(forge({ alg: 'ES256', ...more }, PAYLOAD)), 'string', JSON.stringify(more))
})

test('what is no compact token is refused', () => {
  const good = forge({ alg: 'ES256' }, PAYLOAD)
  const [header = '', payload = '', signature = ''] = good.split('.')
  for (const text of [
    ...[
      '',
      '.',
      '..',
      'a',
      'a.b',
      `${header}.${payload}`,
      `${header}.${payload}.`,
      `.${payload}.${signature}`,
    ],
    ...[
      `${good}.x.y`,
      `${good}=`,
      ` ${good}`,
      `${good}\n`,
      good.replace('.', ' .'),
      `${header}+.${payload}.${signature}`,
    ],
    ...[
      `${header}A.${payload}.${signature}`,
      `${header}.${payload}.AB`,
      forge('[]', PAYLOAD),
      forge('null', PAYLOAD),
      forge('{', PAYLOAD),
    ],
    ...[forge({ alg: 'ES256', pad: 'x'.repeat(8192) }, PAYLOAD), forge('\ufeff{"alg":"ES256"}', PAYLOAD)],
  ])
    assert.equal(typeof readHeader(text), 'string', text.slice(0, 80))
})

test('any text is refused or read, and never throws', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json().map(text => forge(text, {})),
      ),
      text => {
        const read = readHeader(text)
        assert.ok(typeof read === 'string' || typeof read.alg === 'string')
      },
    ),
    { numRuns: 500 },
  )
})

test('an object has no prototype, and its members are its own', () => {
  const read = parseObject(Buffer.from('{"__proto__":{"admin":true},"a":1}'))
  assert.equal(Object.getPrototypeOf(read), null)
  assert.equal((read as { admin?: unknown }).admin, undefined)
  assert.equal(parseObject(Buffer.from([0x7b, 0xff, 0x7d])), null)
})

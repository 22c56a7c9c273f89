import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { clearPieces, cookieNames, namesOf, readPieces, writePieces } from './cookie-jar.ts'

const NAME = '__Host-og~login'

/** The cookie field that a browser sends after these lines. */
function sent(lines: readonly string[]): string[] {
  const pairs = lines.filter(line => !line.includes('Max-Age=0')).map(line => line.split('; ', 1)[0])
  return ['cookie', pairs.join('; ')]
}

test('what is written is read, in as many cookies as it needs', () => {
  fc.assert(
    fc.property(fc.nat(11_300), length => {
      const value = 'abcdefghij'.repeat(1_140).slice(0, length)
      const lines = writePieces(NAME, value)
      assert.ok(lines)
      // All of them are told something, so that no piece of an older one stays.
      assert.equal(lines.length, 3)
      for (const line of lines) assert.ok(line.length <= 4_096, String(line.length))
      if (value !== '') assert.equal(readPieces(sent(lines), NAME), value)
    }),
    { numRuns: 50 },
  )
  assert.equal(writePieces(NAME, 'x'.repeat(3 * 3_800 + 1)), null)
})

test('every cookie is of this host alone, from https alone, and for no script', () => {
  for (const line of [...(writePieces(NAME, 'x'.repeat(5_000)) ?? []), ...clearPieces(NAME)]) {
    const [pair = '', ...attributes] = line.split('; ')
    assert.ok(pair.startsWith('__Host-'))
    for (const one of ['Path=/', 'Secure', 'HttpOnly', 'SameSite=Lax'])
      assert.ok(attributes.includes(one), line)
    assert.ok(!/domain/i.test(line))
  }
})

test('a piece that is missing, or a count that is none, is no value', () => {
  const [, second = ''] = writePieces(NAME, 'x'.repeat(5_000)) ?? []
  for (const cookie of [
    `${NAME}=2~abc`,
    `${NAME}=abc`,
    `${NAME}=0~abc`,
    `${NAME}=9~abc`,
    `${NAME}=`,
    second.split(';', 1)[0] ?? '',
  ])
    assert.equal(readPieces(['cookie', cookie], NAME), null, cookie)
  assert.equal(readPieces([], NAME), null)
})

test('the names of the request that begin so are found', () => {
  const headers = ['cookie', 'a=1; __Host-og-login~x~1=b', 'cookie', '__Host-og-login~x~2=c;d']
  assert.deepEqual(cookieNames(headers, '__Host-og-login~x~'), ['__Host-og-login~x~1', '__Host-og-login~x~2'])
  assert.deepEqual(namesOf('a'), ['a', 'a~1', 'a~2'])
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { asWritten, sentenceAsWritten } from './as-written.ts'
import type { ResolvedReference } from './resolved.ts'

function references(values: Readonly<Record<string, string>>, within = ''): ResolvedReference[] {
  return Object.entries(values).map(([name, value]) => ({
    value,
    written: `\${env:${name}}`,
    ...(name === within ? ({ within: true } as const) : {}),
  }))
}

test('a short value replaces no piece of our own words, and what a configuration says is hidden whole', () => {
  const found = references({ ON: 'on', ONE: '1', NAME: 'name', THERE: 'there', KEY: 's3cr3t' })
  const said = (text: string): string => sentenceAsWritten(text, found)
  assert.equal(said('there is no connection, expected 1 to 10'), 'there is no connection, expected 1 to 10')
  assert.equal(said('there is no upstream `there`'), 'there is no upstream `${env:THERE}`')
  assert.equal(
    said('the name `name` is taken, one of `names`'),
    'the name `${env:NAME}` is taken, one of `names`',
  )
  assert.equal(said('no `on`, `1` or `on/1`'), 'no `${env:ON}`, `${env:ONE}` or `${env:ON}/${env:ONE}`')
  assert.equal(said('s3cr3t:80 is taken'), '${env:KEY}:80 is taken')
  assert.equal(said('the header `S3CR3T`'), 'the header `${env:KEY}`')
  assert.equal(said('İ and `S3CR3T`'), 'İ and `${env:KEY}`', 'a letter that lower case makes two of')
})

test('a value that was written into a word is hidden there, and a long one everywhere', () => {
  const found = references({ TAG: 'abc', TOKEN: 'correcthorse' }, 'TAG')
  assert.equal(sentenceAsWritten('no upstream `v-abcd`', found), 'no upstream `v-${env:TAG}d`')
  assert.equal(asWritten('xcorrecthorsex', found), 'x${env:TOKEN}x')
  assert.equal(asWritten('abcd', references({ TAG: 'abc' })), 'abcd')
})

test('a value is not looked for in the place of another, and the longest goes first', () => {
  const found = references({ A: 'pass', B: 'pass-word', C: 'env', D: 'B', E: '$&' })
  assert.equal(asWritten('pass-word pass', found), '${env:B} ${env:A}')
  assert.equal(asWritten('x $& env', found), 'x $& ${env:C}')
  assert.equal(asWritten('$&', found), '${env:E}')
  assert.equal(asWritten('', references({ A: '' })), '${env:A}')
  // What a backtick without its other half begins may be anything.
  assert.equal(sentenceAsWritten('b ` b', references({ A: 'b' })), 'b ` ${env:A}')
})

test('values may be long and many', () => {
  const long = `-----BEGIN\n${'0123456789abcdef'.repeat(40_000)}`
  const many = Object.fromEntries(
    Array.from({ length: 3000 }, (_, i) => [`N${i}`, `value-${i}-${'x'.repeat(99)}`]),
  )
  const found = references({ PEM: long, ...many, WORD: 'orders' })
  assert.equal(sentenceAsWritten('no upstream `orders`', found), 'no upstream `${env:WORD}`')
  assert.equal(asWritten(long, found), '${env:PEM}')
  assert.equal(asWritten(`in ${long}.`, found), 'in ${env:PEM}.')
  assert.equal(asWritten(`a ${many['N77']} b`, found), 'a ${env:N77} b')
})

test('no value between backticks comes out, whatever it is', () => {
  const value = fc.oneof(
    fc.string({ minLength: 3, maxLength: 12 }),
    fc.string({ unit: fc.constantFrom('`', 'a', '.', '$'), minLength: 3, maxLength: 6 }),
  )
  fc.assert(
    fc.property(value, fc.constantFrom('', '/', '.', ': '), (secret, edge) => {
      const shown = sentenceAsWritten(`no upstream \`${edge}${secret}${edge}\``, references({ X: secret }))
      const rest = shown.replaceAll('${env:X}', '\0').replace('no upstream', '')
      assert.ok(!rest.includes(secret), shown)
    }),
    { numRuns: 300, seed: 11 },
  )
})

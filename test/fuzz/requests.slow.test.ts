import assert from 'node:assert/strict'
import { test } from 'node:test'
import { REQUEST_CASES } from './corpus.ts'
import { difference } from './difference.ts'
import { Grammar } from './grammar.ts'
import { Llhttp, LLHTTP_METHODS } from './llhttp.ts'
import { readWhole } from './own-codec.ts'
import { caseCount, RandomSource, seed } from './random-source.ts'

const CASES = caseCount(100_000)

test(`${CASES} requests: what we accept, llhttp in strict mode accepts and reads in the same way`, () => {
  const grammar = new Grammar(
    new RandomSource(seed()),
    REQUEST_CASES.map(entry => entry.bytes),
  )
  const llhttp = new Llhttp('request')
  let accepted = 0
  for (let number = 0; number < CASES; number++) {
    const bytes = Buffer.from(grammar.message('request'), 'latin1')
    const ours = readWhole(bytes, 'request')
    if (ours.messages.some(message => !LLHTTP_METHODS.has(message.start.split(' ')[0] as string))) continue
    const theirs = llhttp.read(ours.error === null ? bytes.subarray(0, ours.consumed) : bytes)
    const found = difference(ours, theirs)
    assert.equal(found, null, `case ${number} of seed ${seed()}: ${JSON.stringify(bytes.toString('latin1'))}`)
    if (ours.messages.length > 0) accepted++
  }
  // A run in which nearly all is refused, or nothing, tests little.
  assert.ok(accepted > CASES * 0.25 && accepted < CASES * 0.9, `${accepted} of ${CASES} accepted`)
})

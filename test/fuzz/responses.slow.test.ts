import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RESPONSE_CASES } from './corpus.ts'
import { difference } from './difference.ts'
import { Grammar } from './grammar.ts'
import { Llhttp } from './llhttp.ts'
import { readWhole } from './own-codec.ts'
import { caseCount, RandomSource, seed } from './random-source.ts'

const CASES = caseCount(100_000)

test(`${CASES} responses: what we accept, llhttp in strict mode accepts and reads in the same way`, () => {
  const random = new RandomSource(seed() + 1)
  const grammar = new Grammar(
    random,
    RESPONSE_CASES.map(entry => entry.bytes),
  )
  const llhttp = new Llhttp('response')
  let accepted = 0
  for (let number = 0; number < CASES; number++) {
    const bytes = Buffer.from(grammar.message('response'), 'latin1')
    const method = random.chance(0.2) ? 'HEAD' : 'GET'
    const ours = readWhole(bytes, 'response', method, true)
    // Behind 101 the connection is a tunnel, of which neither parser sees the end.
    const ended = ours.error !== null || ours.messages.at(-1)?.last !== true
    const theirs = llhttp.read(ours.error === null ? bytes.subarray(0, ours.consumed) : bytes, method, ended)
    const found = difference(ours, theirs)
    assert.equal(
      found,
      null,
      `case ${number} of seed ${seed()}, ${method}: ${JSON.stringify(bytes.toString('latin1'))}`,
    )
    if (ours.messages.length > 0) accepted++
  }
  assert.ok(accepted > CASES * 0.25 && accepted < CASES * 0.9, `${accepted} of ${CASES} accepted`)
})

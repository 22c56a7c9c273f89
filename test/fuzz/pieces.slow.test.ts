import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HeadLimits } from '../../sidecar/http1/message.ts'
import { REQUEST_CASES, RESPONSE_CASES } from './corpus.ts'
import { Grammar } from './grammar.ts'
import { LIMITS, OwnCodec } from './own-codec.ts'
import { caseCount, RandomSource, seed } from './random-source.ts'
import type { ReadMessage } from './transcript.ts'

const CASES = caseCount(100_000)
const TIGHT: HeadLimits = { headerBytes: 120, headerFields: 4, urlBytes: 8 }

interface Reading {
  readonly messages: readonly ReadMessage[]
  readonly refused: boolean
  readonly at: string
}

function reading(
  kind: 'request' | 'response',
  method: string,
  limits: HeadLimits,
  pieces: readonly Buffer[],
): Reading {
  const codec = new OwnCodec(kind, method, limits)
  for (const piece of pieces) codec.push(piece)
  const { messages, at } = codec.finish()
  return { messages, refused: codec.error !== null, at }
}

/** Cuts at up to eight places, each piece in memory of its own. */
function cut(bytes: Buffer, random: RandomSource): Buffer[] {
  const places = Array.from({ length: 1 + random.below(8) }, () => random.below(bytes.length + 1))
  places.sort((a, b) => a - b)
  const pieces: Buffer[] = []
  let from = 0
  for (const to of [...places, bytes.length]) {
    pieces.push(bytes.subarray(from, to))
    from = to
  }
  return pieces
}

for (const kind of ['request', 'response'] as const) {
  const corpus = (kind === 'request' ? REQUEST_CASES : RESPONSE_CASES).map(entry => entry.bytes)
  test(`${CASES} times ${kind} bytes in pieces: read as the same bytes in one piece are`, () => {
    const random = new RandomSource(seed() + 2)
    const grammar = new Grammar(random, corpus)
    for (let number = 0; number < CASES; number++) {
      const bytes = Buffer.from(random.chance(0.9) ? grammar.message(kind) : grammar.noise(), 'latin1')
      const method = random.chance(0.2) ? 'HEAD' : 'GET'
      const limits = random.chance(0.3) ? TIGHT : LIMITS
      const whole = reading(kind, method, limits, [bytes])
      const pieces = cut(bytes, random)
      const lengths = pieces.map(piece => piece.length).join(' ')
      const what = `case ${number} of seed ${seed()}, ${lengths}: ${JSON.stringify(bytes.toString('latin1'))}`
      assert.deepEqual(reading(kind, method, limits, pieces), whole, what)
    }
  })
}

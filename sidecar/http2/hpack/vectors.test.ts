import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import type { HeaderList } from '../../exchange/headers.ts'
import { HpackDecoder } from './decoder.ts'
import { DEFAULT_TABLE_BYTES } from './dynamic-table.ts'
import { HpackEncoder } from './encoder.ts'

const FOLDER = path.resolve(import.meta.dirname, '../../../test/vectors/hpack-test-case')
const LIMITS = { fields: 200, bytes: 65_536 }

interface Story {
  readonly story: number
  readonly headers: readonly HeaderList[]
  readonly wire: readonly string[]
  readonly tableBytes: Readonly<Record<number, number>>
}

// Both kinds of lines are read as one type: each test uses what its file has.
function stories(file: string): readonly Story[] {
  const lines = readFileSync(path.join(FOLDER, file), 'utf8').trimEnd().split('\n')
  return lines.map(line => JSON.parse(line) as Story)
}

const raw = new Map(stories('headers.jsonl').map(({ story, headers }) => [story, headers]))
const encoders = globSync('*.jsonl', { cwd: FOLDER }).filter(file => file !== 'headers.jsonl')

test('the vectors are there', () => {
  assert.equal(raw.size, 22)
  assert.equal(encoders.length, 6)
})

for (const file of encoders) {
  test(`what ${path.basename(file, '.jsonl')} wrote is read`, () => {
    for (const { story, wire, tableBytes } of stories(file)) {
      const decoder = new HpackDecoder()
      for (const [number, block] of wire.entries()) {
        const acknowledged = tableBytes[number]
        if (acknowledged !== undefined) decoder.acknowledged(acknowledged)
        const bytes = Buffer.from(block, 'hex')
        const outcome = decoder.decode(bytes, 0, bytes.length, LIMITS)
        assert.equal(outcome, 'ok', `story ${story}, block ${number}: ${decoder.fault}`)
        assert.deepEqual(decoder.headers, raw.get(story)?.[number])
      }
    }
  })
}

test('what the encoder writes of the same fields is read again, whatever becomes of the table', () => {
  for (const [story, blocks] of raw) {
    const encoder = new HpackEncoder()
    const decoder = new HpackDecoder()
    for (const [number, headers] of blocks.entries()) {
      if (number % 7 === 3) {
        const tableBytes = [0, 256, DEFAULT_TABLE_BYTES, 65_536][number % 4] ?? 0
        encoder.resize(tableBytes)
        decoder.acknowledged(tableBytes)
      }
      encoder.begin(Buffer.alloc(64), 9)
      encoder.fields(headers)
      const end = encoder.end()
      assert.equal(decoder.decode(encoder.out, 9, end, LIMITS), 'ok', `${story}.${number}: ${decoder.fault}`)
      assert.deepEqual(decoder.headers, headers)
    }
  }
})

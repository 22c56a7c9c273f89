import assert from 'node:assert/strict'
import { test } from 'node:test'
import { REQUEST_CASES, RESPONSE_CASES } from './corpus.ts'
import { difference } from './difference.ts'
import { Llhttp, LLHTTP_METHODS } from './llhttp.ts'
import { OwnCodec } from './own-codec.ts'
import type { Transcript } from './transcript.ts'

interface Outcome {
  readonly transcript: Transcript
  /** The number of complete messages, or the status of the refusal. */
  readonly got: string
}

function outcome(kind: 'request' | 'response', method: string, pieces: readonly Buffer[]): Outcome {
  const codec = new OwnCodec(kind, method)
  for (const piece of pieces) codec.push(piece)
  const transcript = codec.finish(kind === 'response')
  const count = transcript.messages.filter(message => message.complete).length
  if (codec.error === null) return { transcript, got: String(count) }
  return { transcript, got: kind === 'request' ? String(codec.error.status) : 'refused' }
}

function check(kind: 'request' | 'response', method: string, text: string, want: string): void {
  const bytes = Buffer.from(text, 'latin1')
  assert.equal(bytes.length, text.length)
  const whole = outcome(kind, method, [bytes])
  assert.equal(whole.got, want)
  // A smuggled request must not be seen, whatever came before the refusal.
  assert.ok(whole.transcript.messages.every(message => !message.start.includes('smuggled')))
  const step = bytes.length > 1000 ? 97 : 1
  for (let at = 1; at < bytes.length; at += step) {
    const cut = outcome(kind, method, [bytes.subarray(0, at), bytes.subarray(at)])
    assert.equal(cut.got, want, `cut at ${at}`)
    assert.deepEqual(cut.transcript.messages, whole.transcript.messages, `cut at ${at}`)
  }
  const single = outcome(
    kind,
    method,
    Array.from(bytes, byte => Buffer.of(byte)),
  )
  assert.equal(single.got, want, 'byte by byte')
  assert.deepEqual(single.transcript.messages, whole.transcript.messages, 'byte by byte')
}

for (const { row, name, bytes, want } of REQUEST_CASES) {
  test(`request${row > 0 ? `, row ${row}` : ''}: ${name}: ${want}`, () => {
    check('request', 'GET', bytes, want)
    const ours = outcome('request', 'GET', [Buffer.from(bytes, 'latin1')]).transcript
    if (ours.messages.some(message => !LLHTTP_METHODS.has(message.start.split(' ')[0] ?? ''))) return
    const known = Buffer.from(bytes, 'latin1').subarray(0, ours.error === null ? ours.consumed : bytes.length)
    assert.equal(difference(ours, new Llhttp('request').read(known)), null)
  })
}

for (const { name, method, bytes, want } of RESPONSE_CASES) {
  test(`response to ${method}: ${name}: ${want}`, () => check('response', method, bytes, want))
}

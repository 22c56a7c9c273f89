import { isUtf8 } from 'node:buffer'
import { fromWire, WIRE_VALUE } from '../../exchange/headers.ts'
import type { Decision, Question } from './decision.ts'

// The part of `envoy.service.auth.v3` that is used here, with the numbers of its fields, in the wire format of Protocol
// Buffers (https://protobuf.dev/programming-guides/encoding/).

const VARINT = 0
const FIXED64 = 1
const BYTES = 2
const FIXED32 = 5

/** A CheckRequest. */
export function encodeCheck(question: Question): Buffer {
  const { source } = question
  const pseudo: [string, string][] = [
    [':method', question.method],
    [':path', question.path + question.query],
    [':authority', question.authority],
    [':scheme', question.scheme],
  ]
  const http = [
    text(1, question.requestId),
    text(2, question.method),
    ...[...pseudo, ...question.headers].map(([name, value]) =>
      message(3, [text(1, name), text(2, fromWire(value))]),
    ),
    text(4, question.path + question.query),
    text(5, question.authority),
    text(6, question.scheme),
    number(9, question.size),
    text(10, question.protocol),
    ...(question.body === null || question.body.length === 0 ? [] : [bodyOf(question.body)]),
  ]
  const address = message(1, [message(1, [text(2, source.address), number(3, source.port)])])
  const attributes = [
    message(1, [address, text(4, source.principal)]),
    message(4, [message(2, http)]),
    message(10, [text(1, 'route'), text(2, question.route)]),
  ]
  return message(1, attributes)
}

/** What a CheckResponse decides. */
export function decodeCheck(bytes: Buffer): Decision {
  try {
    const response = fields(bytes)
    const status = last(response, 1)
    const denied = last(response, 2)
    const ok = last(response, 3)
    // A message that says nothing at all would be an OK by the letter, and nobody's decision.
    if (status === null && denied === null && ok === null) return failed('the answer says nothing')
    const code = status === null ? 0 : varintOf(fields(status), 1)
    if (code === 0 && denied === null) {
      const allowed = ok === null ? [] : fields(ok)
      return { kind: 'allow', headers: headersOf(allowed), remove: namesToRemove(allowed) }
    }
    if (denied === null) return { kind: 'deny', status: 403, headers: [], body: '' }
    const answer = fields(denied)
    const said = last(answer, 1)
    const http = said === null ? 0 : varintOf(fields(said), 1)
    if (http !== 0 && (http < 300 || http > 599)) return failed(`it refuses with ${http}`)
    return {
      kind: 'deny',
      status: http || 403,
      headers: headersOf(answer),
      body: (last(answer, 3) ?? Buffer.alloc(0)).toString('utf8'),
    }
  } catch (error) {
    if (error instanceof RangeError) return failed('the answer is no CheckResponse')
    throw error
  }
}

function failed(cause: string): Decision {
  return { kind: 'failed', cause, status: 0 }
}

/** `headers_to_remove`, field 5 of an OkHttpResponse. */
function namesToRemove(ok: readonly Field[]): string[] {
  const names: string[] = []
  for (const { id, value } of ok)
    if (id === 5 && Buffer.isBuffer(value)) names.push(value.toString('utf8').toLowerCase())
  return names
}

/** Repeated HeaderValueOption, field 2 of both answers. */
function headersOf(answer: readonly Field[]): string[] {
  const headers: string[] = []
  for (const option of answer) {
    if (option.id !== 2 || !Buffer.isBuffer(option.value)) continue
    const header = last(fields(option.value), 1)
    if (header === null) continue
    const pair = fields(header)
    const name = (last(pair, 1) ?? Buffer.alloc(0)).toString('utf8').toLowerCase()
    const value = (last(pair, 2) ?? last(pair, 3) ?? NOTHING).toString('latin1')
    // It becomes a line of a head.
    if (!WIRE_VALUE.test(value)) throw new RangeError('no field value')
    headers.push(name, value)
  }
  return headers
}

interface Field {
  readonly id: number
  readonly value: Buffer | number
}

/** @throws RangeError where it is no message */
function fields(bytes: Buffer): Field[] {
  const found: Field[] = []
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = bytes[at++]
      if (byte === undefined) throw new RangeError('cut')
      // Beyond 53 bits nothing here has a meaning.
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw new RangeError('endless')
  }
  const take = (length: number): Buffer => {
    if (at + length > bytes.length) throw new RangeError('cut')
    const part = bytes.subarray(at, at + length)
    at += length
    return part
  }
  while (at < bytes.length) {
    const tag = varint()
    const id = Math.floor(tag / 8)
    const kind = tag % 8
    if (id === 0) throw new RangeError('no field')
    if (kind === VARINT) found.push({ id, value: varint() })
    else if (kind === BYTES) found.push({ id, value: take(varint()) })
    else if (kind === FIXED64) take(8)
    else if (kind === FIXED32) take(4)
    else throw new RangeError('unknown kind')
  }
  return found
}

/** The last field of a number counts. Null: it is not there. */
function last(all: readonly Field[], id: number): Buffer | null {
  const value = all.findLast(field => field.id === id)?.value
  if (typeof value === 'number') throw new RangeError('another kind')
  return value ?? null
}

function varintOf(all: readonly Field[], id: number): number {
  const value = all.findLast(field => field.id === id)?.value ?? 0
  if (typeof value !== 'number') throw new RangeError('another kind')
  return value
}

function message(id: number, parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([varintBytes(id * 8 + BYTES), varintBytes(body.length), body])
}

const NOTHING = Buffer.alloc(0)

/** `body` is text; what is none goes as `raw_body`. */
function bodyOf(bytes: Buffer): Buffer {
  return message(isUtf8(bytes) ? 11 : 12, [bytes])
}

function text(id: number, value: string): Buffer {
  return value === '' ? NOTHING : message(id, [Buffer.from(value)])
}

/** An int64 that is small; -1 has all its bits set. */
function number(id: number, value: number): Buffer {
  if (value === 0) return NOTHING
  const bytes = value < 0 ? Buffer.from('ffffffffffffffffff01', 'hex') : varintBytes(value)
  return Buffer.concat([varintBytes(id * 8 + VARINT), bytes])
}

function varintBytes(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80)
  bytes.push(rest)
  return Buffer.from(bytes)
}

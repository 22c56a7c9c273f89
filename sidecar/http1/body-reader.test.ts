import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { BodySink } from '../exchange/body.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import type { Channel } from '../runtime/channel.ts'
import { MemoryBudget } from '../runtime/memory-budget.ts'
import { ReadBuffers } from '../runtime/read-buffers.ts'
import { BodyReader } from './body-reader.ts'
import type { Framing } from './message.ts'

/** What a reader does with its socket, without one. */
function setUp(side: 'request' | 'response' = 'request') {
  const buffers = new ReadBuffers(new MemoryBudget(1e9))
  const channel = {
    buffers,
    paused: false,
    streaming: false,
    pause: () => (channel.paused = true),
    resume: () => (channel.paused = false),
    stream: () => (channel.streaming = true),
    settle: () => (channel.streaming = false),
  }
  const told: string[] = []
  const reader = new BodyReader(channel as unknown as Channel, side, {
    // The reader uses no more of a channel than this.
    onBodyComplete: () => told.push('complete'),
    onBodyBroken: error => told.push(`broken ${error.reason}`),
    onBodyAbandoned: () => told.push('abandoned'),
    onBytesBehind: bytes => told.push(`behind ${bytes.toString()}`),
  })
  return { reader, channel, told, buffers }
}

class Sink implements BodySink {
  text = ''
  more = true
  chunk(bytes: Buffer): boolean {
    this.text += bytes.toString('latin1')
    return this.more
  }
  end(trailers: unknown): void {
    this.text += trailers === null ? '.' : `.${JSON.stringify(trailers)}`
  }
  abort(error: ProxyError): void {
    this.text += `!${error.reason}`
  }
}

/** Begins a body of which `head` came with the head, in a buffer that is overwritten afterwards. */
function begin(reader: BodyReader, framing: Framing, head: string, start?: BodySink): Buffer | null {
  const buffer = Buffer.from(head)
  reader.begin(framing, buffer, 0, buffer.length)
  if (start !== undefined) reader.start(start)
  const rest = reader.retainPending()
  buffer.fill(0xdb)
  return rest
}

const push = (reader: BodyReader, text: string): number => reader.push(Buffer.from(text), 0, text.length)

test('there is no body: it is complete before anybody asks, and what follows is the next message', () => {
  for (const framing of ['none', 0] as const) {
    const { reader, told } = setUp()
    const sink = new Sink()
    assert.equal(begin(reader, framing, 'GET /next')?.toString(), 'GET /next')
    assert.ok(reader.complete)
    reader.start(sink)
    assert.equal(sink.text, '.')
    assert.deepEqual(told, [])
  }
})

test('a length is read to its last byte, and what follows is not touched', () => {
  const { reader, told, channel } = setUp()
  const sink = new Sink()
  assert.equal(begin(reader, 10, '012', sink), null)
  assert.ok(channel.streaming)
  assert.equal(reader.remaining, 7)
  assert.equal(push(reader, '3456789GET'), 7)
  assert.equal(sink.text, '0123456789.')
  assert.deepEqual(told, ['complete'])
  assert.ok(!channel.streaming)
  assert.equal(reader.received, 10)
})

test('what nobody took yet is copied, read no further, and passed on when it is asked for', () => {
  const { reader, channel, told } = setUp()
  assert.equal(begin(reader, 6, 'abc'), null)
  assert.ok(channel.paused)
  const sink = new Sink()
  reader.start(sink)
  assert.equal(sink.text, 'abc')
  assert.ok(!channel.paused)
  push(reader, 'def')
  assert.equal(sink.text, 'abcdef.')
  assert.deepEqual(told, ['complete'])
})

test('a body that was there whole before anybody took it leaves the socket reading, and what lies behind is given back', () => {
  for (const [framing, text] of [
    [3, 'abcGET'],
    ['chunked', '3\r\nabc\r\n0\r\n\r\nGET'],
  ] as const) {
    const { reader, channel, told } = setUp()
    assert.equal(begin(reader, framing, text), null)
    const sink = new Sink()
    reader.start(sink)
    assert.equal(sink.text, 'abc.')
    assert.ok(!channel.paused)
    assert.deepEqual(told, ['complete', 'behind GET'])
  }
})

test('a taker that wants no more stops the socket after one more read, and one whose body is over does not', () => {
  const { reader, channel } = setUp()
  const sink = new Sink()
  sink.more = false
  begin(reader, 9, 'abc', sink)
  // Read on: a client that leaves now is heard.
  assert.deepEqual([channel.paused, reader.stopped], [false, true])
  push(reader, 'def')
  assert.deepEqual([channel.paused, sink.text], [true, 'abc'])
  reader.resume()
  assert.deepEqual([channel.paused, sink.text], [false, 'abcdef'])
  sink.more = true
  reader.resume()
  assert.deepEqual([channel.paused, reader.stopped], [false, false])
  // The last piece: a connection that stayed paused would see neither FIN nor the next message.
  sink.more = false
  push(reader, 'ghi')
  assert.equal(sink.text, 'abcdefghi.')
  assert.ok(reader.complete)
  assert.ok(!channel.paused)
  reader.resume()
})

test('an upstream is stopped at once', () => {
  const { reader, channel } = setUp('response')
  const sink = new Sink()
  sink.more = false
  begin(reader, 9, 'abc', sink)
  assert.ok(channel.paused)
})

test('what was read although the taker wanted no more: passed on with what lies behind, or given up, and not kept', () => {
  for (const [then, told, text] of [
    ['resume', ['complete', 'behind GET'], 'abcdef.'],
    ['discard', ['abandoned', 'complete', 'behind GET'], 'abc'],
    ['push', ['abandoned', 'complete', 'behind GET'], 'abc'],
    ['fail', [], 'abc!client_gone'],
    ['end', ['complete', 'behind GET'], 'abcdef.'],
    ['begin', [], 'abc'],
  ] as const) {
    const setup = setUp()
    const { reader, buffers } = setup
    const sink = new Sink()
    sink.more = false
    begin(reader, 6, 'abc', sink)
    const pooled = buffers.take()
    pooled.write('defGET')
    assert.equal(reader.push(pooled, 0, 6), 6)
    buffers.release(pooled)
    assert.equal(buffers.held, 1, 'held')
    sink.more = true
    // The taker's references are its own affair; this one takes text only.
    if (then === 'resume') reader.resume()
    else if (then === 'end') {
      reader.finish()
      reader.resume()
    } else if (then === 'fail') reader.fail(new ProxyError('client_gone'))
    else if (then === 'begin') begin(reader, 'none', '')
    else {
      reader.abort()
      if (then === 'discard') reader.discard()
      else assert.equal(push(reader, 'more'), 0, 'all of it lies behind')
    }
    assert.deepEqual(setup.told, told, then)
    assert.equal(sink.text, text, then)
    const taken = sink.text.includes('def') ? 1 : 0
    assert.equal(buffers.held, taken, `${then}: no reference is left but the taker's`)
  }
})

test('a FIN ends a body that has nothing else to end it, and breaks every other', () => {
  const close = setUp('response')
  const whole = new Sink()
  begin(close.reader, 'close', 'ab', whole)
  close.reader.finish()
  assert.equal(whole.text, 'ab.')
  for (const [framing, side, reason] of [
    [5, 'request', 'body_aborted'],
    ['chunked', 'response', 'upstream_aborted'],
  ] as const) {
    const { reader, told } = setUp(side)
    const sink = new Sink()
    begin(reader, framing, framing === 5 ? 'abcd' : '4\r\nabcd\r\n', sink)
    reader.finish()
    assert.equal(sink.text, `abcd!${reason}`)
    assert.ok(!reader.complete)
    // Over is over.
    reader.finish()
    push(reader, 'e')
    assert.equal(sink.text, `abcd!${reason}`)
    assert.deepEqual(told, [])
    const late = new Sink()
    reader.start(late)
    assert.equal(late.text, `!${reason}`)
  }
})

test('a body beyond its limit fails for its taker and for the connection', () => {
  const { reader, told } = setUp()
  const sink = new Sink()
  const buffer = Buffer.from('abc')
  reader.begin('chunked', Buffer.from('4\r\nabcd\r\n'), 0, 9)
  reader.limit = 6
  reader.start(sink)
  reader.retainPending()
  assert.equal(sink.text, 'abcd')
  push(reader, '4\r\nefgh\r\n')
  assert.equal(sink.text, 'abcd!request_too_large')
  assert.deepEqual(told, ['broken request_too_large'])
  assert.equal(buffer.length, 3)
})

test('bad chunks break the body and the connection', () => {
  const { reader, told } = setUp()
  const sink = new Sink()
  begin(reader, 'chunked', '4\r\nabcd\r\n', sink)
  push(reader, 'zz\r\n')
  assert.match(sink.text, /^abcd!bad_request$/)
  assert.deepEqual(told, ['broken bad_request'])
})

test('a taker that gives up hears no more; the rest can be read away', () => {
  const { reader, told, channel } = setUp()
  const sink = new Sink()
  begin(reader, 6, 'ab', sink)
  reader.abort()
  assert.deepEqual(told, ['abandoned'])
  push(reader, 'cd')
  assert.equal(sink.text, 'ab')
  reader.discard()
  assert.ok(!channel.paused)
  push(reader, 'ef')
  assert.ok(reader.complete)
  assert.deepEqual(told, ['abandoned', 'complete'])
  assert.equal(sink.text, 'ab')
})

test('private memory is given away with a reference for its taker', () => {
  const { reader, buffers } = setUp()
  let kept: Buffer | null = null
  begin(reader, 100, '', {
    chunk: (bytes, owned) => {
      assert.ok(owned)
      kept = bytes
      return true
    },
    end() {},
    abort() {},
  })
  const buffer = buffers.take()
  reader.push(buffer, 0, 50)
  assert.ok(!buffers.isSole(buffer))
  assert.ok(kept !== null)
  buffers.release(kept)
  assert.ok(buffers.isSole(buffer))
  // The shared buffer is lent, and only for the call.
  const shared = setUp()
  begin(shared.reader, 100, '', { chunk: (_bytes, owned) => !owned, end() {}, abort() {} })
  shared.reader.push(shared.buffers.shared, 0, 50)
  assert.ok(!shared.channel.paused)
  buffers.release(buffer)
})

test('one message after the other: nothing of the last is left for the next', () => {
  const { reader, told } = setUp()
  for (let i = 0; i < 3; i++) {
    const sink = new Sink()
    begin(reader, 'chunked', '2\r\nab\r\n', sink)
    push(reader, '0\r\nx: 1\r\n\r\n')
    assert.equal(sink.text, 'ab.["x","1"]')
    const other = new Sink()
    begin(reader, 2, 'cd', other)
    assert.equal(other.text, 'cd.')
  }
  assert.equal(told.length, 6)
})

test('however a body is cut into reads, what is passed on is the same', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme-ascii' }), { maxLength: 6 }),
      fc.boolean(),
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 10 }),
      fc.boolean(),
      (parts, chunked, cuts, late) => {
        const body = parts.join('')
        const wire = chunked
          ? parts.map(part => `${part.length.toString(16)}\r\n${part}\r\n`).join('') + '0\r\n\r\n'
          : body
        const { reader } = setUp()
        const sink = new Sink()
        let at = cuts[0] ?? 1
        begin(reader, chunked ? 'chunked' : body.length, wire.slice(0, at), late ? undefined : sink)
        if (late) reader.start(sink)
        for (let i = 1; at < wire.length; i++) {
          const size = cuts[i % cuts.length] ?? 1
          push(reader, wire.slice(at, at + size))
          at += size
        }
        assert.equal(sink.text, `${body}.`)
        assert.ok(reader.complete)
        assert.equal(reader.received, body.length)
      },
    ),
    { numRuns: 300 },
  )
})

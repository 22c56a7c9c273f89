import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import { BufferedBody, type BodySink, type BodySource, NO_BODY } from '../exchange/body.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import type { Channel } from '../runtime/channel.ts'
import { MemoryBudget } from '../runtime/memory-budget.ts'
import { ReadBuffers } from '../runtime/read-buffers.ts'
import { BodyWriter } from './body-writer.ts'

const HEAD = 'HEAD\r\n\r\n'

/** A socket that keeps what is written, a write at a time, and takes only so much before it is full. */
class Socket {
  readonly buffers = new ReadBuffers(new MemoryBudget(1e9))
  writes: string[] = []
  backlog = 0
  full = false
  #corked: string | null = null
  write(text: string): boolean {
    if (this.#corked === null) this.writes.push(text)
    else this.#corked += text
    if (this.full) this.backlog += text.length
    return this.backlog <= 65_536
  }
  writeBytes(bytes: Buffer, owned: boolean): boolean {
    const more = this.write(bytes.toString('latin1'))
    if (owned) this.buffers.release(bytes)
    return more
  }
  cork(): void {
    this.#corked = ''
  }
  uncork(): void {
    this.writes.push(this.#corked ?? '')
    this.#corked = null
  }
  get all(): string {
    return this.writes.join('')
  }
}

class Source implements BodySource {
  readonly length = 'unknown'
  sink: BodySink | null = null
  readonly calls: string[] = []
  start(sink: BodySink): void {
    this.sink = sink
  }
  resume(): void {
    this.calls.push('resume')
  }
  abort(error: ProxyError): void {
    this.calls.push(`abort ${error.reason}`)
  }
}

function setUp() {
  const socket = new Socket()
  const told: string[] = []
  const writer = new BodyWriter(socket as unknown as Channel, {
    // The writer uses no more of a channel than this.
    onMessageWritten: () => told.push('written'),
    onMessageBroken: error => told.push(`broken ${error?.reason ?? 'length'}`),
    onWriteBlocked: () => told.push('blocked'),
  })
  return { socket, told, writer, source: new Source() }
}

test('a small message is one write, a message without a body its head alone', () => {
  const { socket, told, writer } = setUp()
  writer.begin(HEAD, 5)
  writer.pump(new BufferedBody(Buffer.from('hello')))
  writer.begin(HEAD, 'none')
  writer.pump(NO_BODY)
  writer.begin(HEAD, 'chunked')
  writer.pump(new BufferedBody(Buffer.from('hello')))
  assert.deepEqual(socket.writes, [`${HEAD}hello`, HEAD, `${HEAD}5\r\nhello\r\n0\r\n\r\n`])
  assert.deepEqual(told, ['written', 'written', 'written'])
  assert.ok(!writer.active)
})

test('a large piece goes out behind its head, corked, and is released', () => {
  const { socket, writer, source } = setUp()
  writer.begin(HEAD, 'chunked')
  writer.pump(source)
  const bytes = socket.buffers.take().fill('x')
  assert.equal(source.sink?.chunk(bytes, true), true)
  assert.deepEqual(socket.writes, [HEAD, `10000\r\n${'x'.repeat(65_536)}\r\n`])
  assert.equal(socket.buffers.held, 0)
})

test('chunks and the last one are written as they come, for the channel to gather', () => {
  const { socket, writer, source } = setUp()
  writer.begin(HEAD, 'chunked')
  writer.pump(source)
  source.sink?.chunk(Buffer.from('a'), false)
  source.sink?.chunk(Buffer.from('b'), false)
  source.sink?.end(['t', '1'])
  assert.deepEqual(socket.writes, [HEAD, '1\r\na\r\n', '1\r\nb\r\n', '0\r\nt: 1\r\n\r\n'])
})

test('a socket that is full stops the source, and goes on with it once it is empty', () => {
  for (const size of [100, 65_536]) {
    const { socket, told, writer, source } = setUp()
    writer.begin(HEAD, 'close')
    writer.pump(source)
    socket.full = true
    let pieces = 0
    while (source.sink?.chunk(Buffer.alloc(size), false) && pieces < 2000) pieces++
    assert.ok(pieces >= 1 && pieces < 2000, String(pieces))
    assert.deepEqual(told, ['blocked'])
    writer.onDrain()
    assert.deepEqual(source.calls, ['resume'])
    writer.onDrain()
    assert.deepEqual(source.calls, ['resume'])
  }
})

test('a body that is not as long as was said breaks the message, and none of what is too much is sent', () => {
  const long = setUp()
  long.writer.begin(HEAD, 3)
  long.writer.pump(long.source)
  long.source.sink?.chunk(Buffer.from('ab'), false)
  long.source.sink?.chunk(Buffer.from('cd'), false)
  long.source.sink?.chunk(Buffer.from('ef'), false)
  long.source.sink?.end(null)
  assert.equal(long.socket.all, `${HEAD}ab`)
  assert.deepEqual(long.told, ['broken length'])
  assert.deepEqual(long.source.calls, ['abort internal'])

  const short = setUp()
  short.writer.begin(HEAD, 3)
  short.writer.pump(short.source)
  short.source.sink?.chunk(Buffer.from('ab'), false)
  short.source.sink?.end(null)
  assert.deepEqual(short.told, ['broken length'])
})

test('a source that fails breaks the message: no last chunk, and nothing that was held', async () => {
  const { socket, told, writer, source } = setUp()
  writer.begin(HEAD, 'chunked')
  writer.pump(source)
  source.sink?.chunk(Buffer.from('a'), false)
  source.sink?.abort(new ProxyError('upstream_aborted'))
  await nextTurn()
  assert.deepEqual(told, ['broken upstream_aborted'])
  assert.ok(!socket.all.includes('0\r\n'))
  assert.ok(!writer.active)
})

test('dropped, it stops its source once and takes no more, but gives memory back', () => {
  const { socket, told, writer, source } = setUp()
  writer.begin(HEAD, 'chunked')
  writer.pump(source)
  writer.drop(new ProxyError('client_gone'))
  writer.drop(new ProxyError('client_gone'))
  assert.deepEqual(source.calls, ['abort client_gone'])
  const writes = socket.writes.length
  const late = socket.buffers.take()
  assert.equal(source.sink?.chunk(late, true), true)
  source.sink?.end(null)
  source.sink?.abort(new ProxyError('upstream_aborted'))
  assert.equal(socket.writes.length, writes)
  assert.equal(socket.buffers.held, 0)
  assert.deepEqual(told, [])
})

test('the body of a message that has none is not sent', () => {
  const { socket, told, writer } = setUp()
  writer.begin(HEAD, 'none')
  writer.pump(new BufferedBody(Buffer.from('a HEAD has none')))
  assert.equal(socket.all, HEAD)
  assert.deepEqual(told, ['written'])
})

test('however a body comes, what is on the wire is its framing of it', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 9000 }), fc.boolean()), { maxLength: 8 }),
      fc.constantFrom('length', 'chunked', 'close'),
      async (pieces, kind) => {
        const { socket, told, writer, source } = setUp()
        const body = pieces.map(([size], at) => String.fromCharCode(97 + at).repeat(size))
        const whole = body.join('')
        writer.begin(HEAD, kind === 'length' ? whole.length : kind === 'chunked' ? 'chunked' : 'close')
        writer.pump(source)
        for (const [at, text] of body.entries()) {
          source.sink?.chunk(Buffer.from(text), false)
          if (pieces[at]?.[1] === true) await nextTurn()
        }
        source.sink?.end(null)
        const framed = body.map(text => `${text.length.toString(16)}\r\n${text}\r\n`).join('')
        assert.equal(socket.all, HEAD + (kind === 'chunked' ? `${framed}0\r\n\r\n` : whole))
        assert.ok(socket.writes.every(write => write !== ''))
        assert.deepEqual(told, ['written'])
        assert.equal(writer.sent, whole.length)
      },
    ),
    { numRuns: 100 },
  )
})

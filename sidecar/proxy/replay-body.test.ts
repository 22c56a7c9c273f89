import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BodySink, BodySource } from '../exchange/body.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import { MemoryBudget } from '../runtime/memory-budget.ts'
import { ReadBuffers } from '../runtime/read-buffers.ts'
import { ReplayBody } from './replay-body.ts'

/** A client's body that says what the test has it say. */
class Source implements BodySource {
  readonly length = 'unknown'
  sink: BodySink | null = null
  readonly calls: string[] = []
  start(sink: BodySink): void {
    assert.equal(this.sink, null, 'started twice')
    this.sink = sink
    this.calls.push('start')
  }
  resume(): void {
    this.calls.push('resume')
  }
  abort(error: ProxyError): void {
    this.calls.push(`abort ${error.reason}`)
  }
  say(text: string): boolean | undefined {
    return this.sink?.chunk(Buffer.from(text), false)
  }
}

class Sink implements BodySink {
  text = ''
  more = true
  chunk(bytes: Buffer): boolean {
    this.text += bytes.toString('latin1')
    return this.more
  }
  end(trailers: unknown): void {
    this.text += `.${JSON.stringify(trailers)}`
  }
  abort(error: ProxyError): void {
    this.text += `!${error.reason}`
  }
}

function setUp(limit = 1e9) {
  const budget = new MemoryBudget(limit)
  const buffers = new ReadBuffers(budget)
  const source = new Source()
  return { budget, buffers, source, body: new ReplayBody(source, budget, buffers, 65_536) }
}

test('passes on what comes, and begins again with a copy for the next attempt', () => {
  const { budget, source, body } = setUp()
  const [first, second] = [new Sink(), new Sink()]
  body.start(first)
  source.say('one ')
  source.say('two ')
  body.abort()
  assert.ok(body.replayable)
  assert.equal(budget.used, 8)
  // Between two attempts no more is read, and what came all the same is kept.
  assert.equal(source.say('three '), false)
  body.start(second)
  assert.deepEqual(source.calls, ['start', 'resume'])
  source.say('four')
  source.sink?.end(['x', '1'])
  assert.equal(first.text, 'one two ')
  assert.equal(second.text, 'one two three four.["x","1"]')
  body.release(null)
  assert.equal(budget.used, 0)
})

test('a body that had ended is sent whole again, with its trailers', () => {
  const { budget, source, body } = setUp()
  body.start(new Sink())
  source.say('all')
  source.sink?.end(null)
  const again = new Sink()
  body.start(again)
  assert.equal(again.text, 'all.null')
  assert.deepEqual(source.calls, ['start'])
  body.release(null)
  assert.equal(budget.used, 0)
})

test('a second attempt that takes no more for now is not overrun', () => {
  const { source, body } = setUp()
  body.start(new Sink())
  source.say('a')
  body.abort()
  const slow = new Sink()
  slow.more = false
  body.start(slow)
  assert.deepEqual(source.calls, ['start'])
  body.resume()
  assert.deepEqual(source.calls, ['start', 'resume'])
  body.release(null)
})

test('beyond 64 KiB the copy is dropped and the body goes on as a plain one', () => {
  const { budget, source, body } = setUp()
  const sink = new Sink()
  body.start(sink)
  source.say('x'.repeat(65_536))
  assert.ok(body.replayable)
  source.say('y')
  assert.ok(!body.replayable)
  assert.equal(budget.used, 0)
  assert.equal(sink.text.length, 65_537)
  source.say('z')
  assert.equal(budget.used, 0)
  assert.ok(!body.replayable)
})

test('what comes between two attempts is kept whatever the limit: the next one never begins in the middle', () => {
  const { budget, source, body } = setUp()
  body.start(new Sink())
  source.say('x'.repeat(65_536))
  body.abort()
  assert.equal(source.say('y'), false)
  budget.take(1e9)
  assert.equal(source.say('z'), false)
  const second = new Sink()
  body.start(second)
  assert.equal(second.text, `${'x'.repeat(65_536)}yz`)
  // From here on it is as long as it is.
  source.say('!')
  assert.ok(!body.replayable)
  assert.equal(second.text.length, 65_539)
  budget.give(1e9)
  assert.equal(budget.used, 0)
})

test('where memory is short no copy is made', () => {
  const { budget, source, body } = setUp(10)
  budget.take(10)
  const sink = new Sink()
  body.start(sink)
  source.say('x')
  assert.ok(!body.replayable)
  assert.equal(sink.text, 'x')
  assert.equal(budget.used, 10)
})

test('memory that is given away comes back, taken by an attempt or not', () => {
  const { buffers, source, body } = setUp()
  const give = (): void => {
    const buffer = buffers.take()
    source.sink?.chunk(buffer, true)
  }
  body.start({
    chunk: (bytes, owned) => {
      assert.ok(owned)
      buffers.release(bytes)
      return true
    },
    end() {},
    abort() {},
  })
  give()
  assert.equal(buffers.held, 0)
  body.abort()
  give()
  assert.equal(buffers.held, 0)
  body.release(null)
})

test('a client that leaves ends this attempt and every later one', () => {
  const { budget, source, body } = setUp()
  const sink = new Sink()
  body.start(sink)
  source.say('a')
  source.sink?.abort(new ProxyError('body_aborted'))
  assert.equal(sink.text, 'a!body_aborted')
  assert.ok(!body.replayable)
  const late = new Sink()
  body.start(late)
  assert.equal(late.text, '!body_aborted')
  body.release(new ProxyError('body_aborted'))
  assert.deepEqual(source.calls, ['start'])
  assert.equal(budget.used, 0)
})

test('the end of the exchange stops a body that nobody takes, once, and one that is over not at all', () => {
  const open = setUp()
  open.body.start(new Sink())
  open.body.release(new ProxyError('upstream_timeout'))
  open.body.release(new ProxyError('upstream_timeout'))
  assert.deepEqual(open.source.calls, ['start', 'abort upstream_timeout'])

  const over = setUp()
  over.body.start(new Sink())
  over.source.sink?.end(null)
  over.body.release(new ProxyError('upstream_timeout'))
  assert.deepEqual(over.source.calls, ['start'])
})

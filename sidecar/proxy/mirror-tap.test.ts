import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BodySink, BodySource } from '../exchange/body.ts'
import { exchangeFixture } from '../exchange/exchange-fixture.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import { MemoryBudget } from '../runtime/memory-budget.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { tapBody } from './mirror-tap.ts'

/** A body that a test plays by hand. */
class Played implements BodySource {
  readonly length = 'unknown'
  sink: BodySink | null = null
  readonly given: string[] = []
  start(sink: BodySink): void {
    this.sink = sink
  }
  resume(): void {}
  abort(error: ProxyError): void {
    this.given.push(error.reason)
  }
}

function tapped(): {
  source: Played
  body: BodySource
  copies: number[]
  dropped: () => number
  used: () => number
} {
  const source = new Played()
  const budget = new MemoryBudget(1_048_576)
  const copies: number[] = []
  const counts = { recorder: { mirrorsDropped: 0 }, load: { mirrored: 0 } }
  const copy = { send: (one: BodySource) => copies.push(Number(one.length)) }
  // Of an upstream a tap uses these counts only.
  const body = tapBody(exchangeFixture(), source, copy, counts as unknown as Upstream, budget)
  return { source, body, copies, dropped: () => counts.recorder.mirrorsDropped, used: () => budget.used }
}

function taker(): BodySink & { heard: string[] } {
  const heard: string[] = []
  return {
    heard,
    chunk: bytes => heard.push(bytes.toString()) > 0,
    end: () => heard.push('end'),
    abort: error => heard.push(error.reason),
  }
}

test('a whole body goes on, and its copy after it', () => {
  const { source, body, copies, used } = tapped()
  const sink = taker()
  body.start(sink)
  source.sink?.chunk(Buffer.from('abc'), false)
  source.sink?.end(null)
  assert.deepEqual(sink.heard, ['abc', 'end'])
  assert.deepEqual(copies, [3])
  assert.equal(used(), 0)
})

test('a body that breaks is broken for its taker too, and leaves no copy', () => {
  const { source, body, copies, dropped, used } = tapped()
  const sink = taker()
  body.start(sink)
  source.sink?.chunk(Buffer.from('abc'), false)
  source.sink?.abort(new ProxyError('body_aborted'))
  assert.deepEqual(sink.heard, ['abc', 'body_aborted'])
  assert.deepEqual([copies.length, dropped(), used(), source.given.length], [0, 1, 0, 0])
})

test('a body that nobody wants any more is given up at its source', () => {
  const { source, body, dropped } = tapped()
  body.start(taker())
  body.abort(new ProxyError('internal'))
  assert.deepEqual(source.given, ['internal'])
  assert.equal(dropped(), 1)
})

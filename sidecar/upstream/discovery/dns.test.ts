import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DnsResolver, type Every } from './dns.ts'
import { type Lookup, LookupQueue } from './lookup-queue.ts'

type Done = Parameters<Lookup>[1]

/** A name server that answers when the test says so, and the timers that a resolver asks for. */
function setUp() {
  const asked: { readonly name: string; readonly done: Done }[] = []
  const ticks = new Set<() => void>()
  const every: Every = (milliseconds, call) => {
    assert.equal(milliseconds, 5000)
    ticks.add(call)
    return { stop: () => ticks.delete(call) }
  }
  const queue = new LookupQueue((name, done) => asked.push({ name, done }))
  return {
    queue,
    every,
    ticks,
    pending: asked,
    tick: () => ticks.forEach(call => call()),
    answer: (...addresses: string[]) => asked.shift()?.done(null, addresses),
    fail: (code: string) => asked.shift()?.done(Object.assign(new Error(code), { code }), []),
  }
}

function watched(resolver: DnsResolver): { changes: number } {
  const seen = { changes: 0 }
  resolver.watch(() => seen.changes++)
  return seen
}

test('the first answer, and each that differs, is told; the order of addresses and repeated ones are no difference', () => {
  const server = setUp()
  const resolver = new DnsResolver('app', server.queue, server.every)
  const seen = watched(resolver)
  assert.equal(resolver.addresses, null)
  server.answer('10.0.0.2', '10.0.0.1')
  assert.deepEqual(resolver.addresses, ['10.0.0.1', '10.0.0.2'])
  assert.equal(seen.changes, 1)
  server.tick()
  server.answer('10.0.0.1', '10.0.0.2', '10.0.0.1')
  assert.equal(seen.changes, 1)
  server.tick()
  server.answer('10.0.0.3')
  assert.deepEqual(resolver.addresses, ['10.0.0.3'])
  assert.equal(seen.changes, 2)
})

test('a name that is not there: said once, and the first address that comes later is told', () => {
  const server = setUp()
  const resolver = new DnsResolver('app', server.queue, server.every)
  const seen = watched(resolver)
  server.fail('ENOTFOUND')
  assert.equal(resolver.addresses, null)
  assert.equal(resolver.error, 'ENOTFOUND')
  assert.equal(seen.changes, 1)
  server.tick()
  server.fail('ENOTFOUND')
  assert.equal(seen.changes, 1)
  server.tick()
  server.answer('10.0.0.1')
  assert.equal(resolver.error, '')
  assert.equal(seen.changes, 2)
})

test('an answer that fails or is empty keeps the last addresses', () => {
  const server = setUp()
  const resolver = new DnsResolver('app', server.queue, server.every)
  const seen = watched(resolver)
  server.answer('10.0.0.1')
  for (const bad of [() => server.fail('EAI_AGAIN'), () => server.answer()]) {
    server.tick()
    bad()
    assert.deepEqual(resolver.addresses, ['10.0.0.1'])
    assert.notEqual(resolver.error, '')
  }
  assert.equal(resolver.error, 'no addresses')
  server.tick()
  server.answer('10.0.0.1')
  assert.equal(resolver.error, '')
  assert.equal(seen.changes, 1)
})

test('a name server that hangs is asked once, not every five seconds', () => {
  const server = setUp()
  const resolver = new DnsResolver('app', server.queue, server.every)
  for (let i = 0; i < 10; i++) server.tick()
  assert.equal(server.pending.length, 1)
  server.answer('10.0.0.1')
  assert.deepEqual(resolver.addresses, ['10.0.0.1'])
  server.tick()
  assert.equal(server.pending.length, 1)
})

test('at most two look-ups run at once, and the others follow in order', () => {
  const server = setUp()
  const resolvers = ['a', 'b', 'c', 'd'].map(name => new DnsResolver(name, server.queue, server.every))
  assert.deepEqual(
    server.pending.map(one => one.name),
    ['a', 'b'],
  )
  server.answer('10.0.0.1')
  assert.deepEqual(
    server.pending.map(one => one.name),
    ['b', 'c'],
  )
  server.answer('10.0.0.2')
  server.answer('10.0.0.3')
  server.answer('10.0.0.4')
  assert.deepEqual(
    resolvers.map(one => one.addresses),
    [['10.0.0.1'], ['10.0.0.2'], ['10.0.0.3'], ['10.0.0.4']],
  )
})

test('closed, it asks no more and a late answer is nobody’s', () => {
  const server = setUp()
  const resolver = new DnsResolver('app', server.queue, server.every)
  const seen = watched(resolver)
  resolver.close()
  assert.equal(server.ticks.size, 0)
  server.answer('10.0.0.1')
  assert.equal(seen.changes, 0)
  assert.equal(resolver.addresses, null)
})

test('the process hears when look-ups begin to fail and when they no longer do, once each', () => {
  const server = setUp()
  const heard: (readonly [string, string, number])[] = []
  const resolver = new DnsResolver('app', server.queue, server.every, (...all) => heard.push(all))
  server.fail('ENOTFOUND')
  server.tick()
  server.fail('EAI_AGAIN')
  assert.deepEqual(heard, [['app', 'ENOTFOUND', 0]])
  server.tick()
  server.answer('10.0.0.1', '10.0.0.2')
  server.tick()
  server.answer('10.0.0.1')
  assert.deepEqual(heard.slice(1), [['app', '', 0]])
  server.tick()
  server.answer()
  assert.deepEqual(heard.slice(2), [['app', 'no addresses', 1]])
  resolver.close()
})

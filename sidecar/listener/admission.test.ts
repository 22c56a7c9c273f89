import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ListenerLimits } from '../exchange/connection-settings.ts'
import { Admission } from './admission.ts'

const LIMITS: ListenerLimits = {
  headerBytes: 16_384,
  headerFields: 100,
  urlBytes: 8192,
  connections: null,
  connectionsPerAddress: null,
  requestsPerConnection: null,
  http2: { streams: 100, streamWindow: 65_536, window: 1_048_576 },
}

function make(maxConnections = 100): {
  admission: Admission
  parts: { maxConnections: number; connections: number }
} {
  const parts = { maxConnections, connections: 0 }
  return { parts, admission: new Admission(parts, address => address.startsWith('10.')) }
}

/** How many of `count` connections of an address come in. */
function entered(admission: Admission, address: string, count: number, limits: ListenerLimits): number {
  let inside = 0
  for (let i = 0; i < count; i++) if (admission.enter(address, limits) !== null) inside++
  return inside
}

test('one address has its share, another its own', () => {
  const { admission, parts } = make()
  const limits = { ...LIMITS, connectionsPerAddress: 3 }
  assert.equal(entered(admission, '203.0.113.1', 10, limits), 3)
  assert.equal(entered(admission, '203.0.113.2', 10, limits), 3)
  assert.equal(entered(admission, '2001:db8::1', 10, limits), 3)
  assert.equal(parts.connections, 9)
  admission.leave('203.0.113.1')
  assert.equal(entered(admission, '203.0.113.1', 10, limits), 1)
})

test('of IPv6 a whole /64 has one share: its addresses are one client’s', () => {
  const { admission, parts } = make()
  const limits = { ...LIMITS, connectionsPerAddress: 2 }
  const counted = ['2001:db8::1', '2001:db8::2', '2001:db8::ffff:3', '2001:db8:0:1::1'].map(address =>
    admission.enter(address, limits),
  )
  assert.deepEqual(
    counted.map(one => one !== null),
    [true, true, false, true],
  )
  admission.leave(counted[0] ?? '')
  assert.equal(entered(admission, '2001:db8::4', 2, limits), 1)
  assert.equal(parts.connections, 3)
})

test('this machine, Unix sockets and trusted proxies are not counted by address, but over all they are', () => {
  const limits = { ...LIMITS, connectionsPerAddress: 1 }
  for (const address of ['127.0.0.1', '127.8.8.8', '::1', '', '10.0.0.7']) {
    const { admission, parts } = make(20)
    assert.equal(entered(admission, address, 30, limits), 20, address)
    admission.leave('')
    assert.equal(parts.connections, 19)
    // What looks like one is none.
    assert.equal(entered(admission, '128.0.0.1', 5, limits), 1)
    assert.equal(entered(admission, '128.0.0.1', 5, limits), 0)
  }
})

test('the smaller of the process’s limit and the listener’s holds over all', () => {
  for (const [process, listener, both] of [
    [5, null, 5],
    [5, 3, 3],
    [3, 5, 3],
  ] as const) {
    const { admission } = make(process)
    assert.equal(entered(admission, '203.0.113.1', 10, { ...LIMITS, connections: listener }), both)
  }
})

test('places that were given back are free, and nothing is kept of an address that left', () => {
  const { admission, parts } = make()
  const limits = { ...LIMITS, connectionsPerAddress: 2 }
  for (let round = 0; round < 100; round++) {
    const counted = [admission.enter('203.0.113.1', limits), admission.enter('203.0.113.1', limits)]
    assert.deepEqual(counted, ['203.0.113.1', '203.0.113.1'])
    assert.equal(admission.enter('203.0.113.1', limits), null)
    for (const one of counted) if (one !== null) admission.leave(one)
    assert.equal(parts.connections, 0)
  }
})

test('a limit that a reload takes away or brings back counts each connection as it came in', () => {
  const { admission, parts } = make()
  const limits = { ...LIMITS, connectionsPerAddress: 1 }
  const before = admission.enter('203.0.113.1', LIMITS)
  const after = admission.enter('203.0.113.1', limits)
  assert.deepEqual([before, after], ['', '203.0.113.1'])
  admission.leave(before ?? '')
  assert.equal(admission.enter('203.0.113.1', limits), null)
  admission.leave(after ?? '')
  assert.equal(admission.enter('203.0.113.1', limits), '203.0.113.1')
  assert.equal(parts.connections, 1)
})

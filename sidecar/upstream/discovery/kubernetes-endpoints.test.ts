import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { endpointSlice, type SliceMember } from '../../../test/harness/endpoint-slices.ts'
import { mergeSlices } from './kubernetes-endpoints.ts'
import { readSlice, type Slice } from './kubernetes-slice.ts'

function slice(ports: Record<string, number>, ...members: (string | SliceMember)[]): Slice {
  const read = readSlice(endpointSlice('orders', ports, members), '10.96.0.1')
  assert.ok(read !== null)
  return read
}

/** `10.0.0.1:80`, with the zone where there is one. */
function found(slices: Slice[], port: string | number | null = 'http', zone = ''): string[] {
  const { endpoints, fault } = mergeSlices(slices, port, zone)
  assert.equal(fault, '')
  return endpoints.map(one => `${one.host}:${one.port}${one.zone === '' ? '' : ` ${one.zone}`}`)
}

const HTTP = { http: 80 }

test('slices of one Service are one list, without what stands twice', () => {
  const one = slice(HTTP, '10.0.0.2', '10.0.0.1')
  const other = slice(HTTP, '10.0.0.3', { address: '10.0.0.1', state: 'not-ready' })
  const all = ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80']
  assert.deepEqual(found([one, other]), all)
  assert.deepEqual(found([other, one]), all, 'whichever comes first: the ready one counts')
})

test('who is ready is used; who terminates only where nobody is ready, and only while it serves', () => {
  const going: SliceMember = { address: '10.0.0.2', state: 'terminating' }
  const gone: SliceMember = { address: '10.0.0.3', state: 'gone' }
  const sick: SliceMember = { address: '10.0.0.4', state: 'not-ready' }
  assert.deepEqual(found([slice(HTTP, '10.0.0.1', going, gone, sick)]), ['10.0.0.1:80'])
  assert.deepEqual(found([slice(HTTP, going, gone, sick)]), ['10.0.0.2:80'])
  assert.deepEqual(found([slice(HTTP, gone, sick)]), [])
  // In another slice somebody is ready.
  assert.deepEqual(found([slice(HTTP, going), slice(HTTP, '10.0.0.1')]), ['10.0.0.1:80'])
})

test('conditions that are not said, and a Service that publishes whoever is not ready', () => {
  const read = (conditions: unknown): string[] => {
    const object = {
      ...endpointSlice('orders', HTTP, []),
      endpoints: [{ addresses: ['10.0.0.1'], conditions }],
    }
    const one = readSlice(object, '')
    return one === null ? [] : found([one])
  }
  assert.deepEqual(read(undefined), ['10.0.0.1:80'])
  assert.deepEqual(read({}), ['10.0.0.1:80'])
  assert.deepEqual(read({ ready: null, serving: null, terminating: null }), ['10.0.0.1:80'])
  assert.deepEqual(read({ ready: false }), [], 'serving is as ready')
  assert.deepEqual(read({ ready: false, terminating: true }), [])
  // publishNotReadyAddresses: ready, whatever else.
  assert.deepEqual(read({ ready: true, serving: false, terminating: true }), ['10.0.0.1:80'])
})

test('a port by name is found in each slice anew; by number it is that number; alone it needs no name', () => {
  const old = slice({ http: 8080, metrics: 9090 }, '10.0.0.1')
  const current = slice({ http: 8081, metrics: 9090 }, '10.0.0.2')
  const without = slice({ metrics: 9090 }, '10.0.0.3')
  assert.deepEqual(found([old, current, without]), ['10.0.0.1:8080', '10.0.0.2:8081'])
  assert.deepEqual(found([old, current], 7000), ['10.0.0.1:7000', '10.0.0.2:7000'])
  assert.deepEqual(found([slice({ '': 80 }, '10.0.0.1')], null), ['10.0.0.1:80'])
  assert.deepEqual(found([without], null), ['10.0.0.3:9090'])
})

test('what can never give an endpoint says why', () => {
  const fault = (slices: Slice[], port: string | number | null): string => mergeSlices(slices, port, '').fault
  const both = slice({ http: 80, metrics: 9090 }, '10.0.0.1')
  assert.equal(fault([both], 'web'), 'no port is called `web`: its ports are http, metrics')
  assert.equal(fault([both], null), 'say which `port`: its ports are http, metrics')
  assert.equal(fault([slice({}, '10.0.0.1')], null), 'say which `port`: it has no TCP port')
  assert.equal(fault([], 'http'), 'no such Service is known, or it has no EndpointSlice')
  // Scaled to nothing: a slice without endpoints has no ports either.
  assert.deepEqual(found([slice({})]), [])
})

test('UDP ports, ports that are none and addresses that are none are no endpoints', () => {
  const object = {
    ...endpointSlice('orders', {}, ['10.0.0.1', 'localhost', '300.0.0.1', '::1']),
    addressType: 'IPv4',
    ports: [
      { name: 'http', port: 53, protocol: 'UDP' },
      { name: 'http', port: 0 },
      { name: 'http', port: '80' },
      { name: 'http', port: null },
      { name: 'http', port: 81, protocol: null },
    ],
  }
  const read = readSlice(object, '')
  assert.ok(read !== null)
  assert.deepEqual(found([read]), ['10.0.0.1:81'])
  assert.equal(readSlice({ ...object, addressType: 'FQDN' }, ''), null)
})

test('a pod of two families is one endpoint: IPv4, or IPv6 where there is nothing else', () => {
  const four = slice(HTTP, '10.0.0.1')
  const six = slice(HTTP, 'fd00::1')
  assert.deepEqual(found([six, four]), ['10.0.0.1:80'])
  assert.deepEqual(found([six]), ['fd00::1:80'])
  assert.deepEqual(found([six, slice(HTTP)]), ['fd00::1:80'], 'an IPv4 slice of nobody')
  // Not by readiness: both families have the same pods.
  assert.deepEqual(found([six, slice(HTTP, { address: '10.0.0.1', state: 'not-ready' })]), [])
})

test('zones: where it is; by hints where all that are used have one and one is for us', () => {
  const a: SliceMember = { address: '10.0.0.1', zone: 'a', hints: ['a'] }
  const lent: SliceMember = { address: '10.0.0.2', zone: 'b', hints: ['a', 'c'] }
  const b: SliceMember = { address: '10.0.0.3', zone: 'b', hints: ['b'] }
  const plain: SliceMember = { address: '10.0.0.4', zone: 'b' }
  const zones = (zone: string, ...members: SliceMember[]): string[] =>
    found([slice(HTTP, ...members)], 'http', zone).map(one => one.split(' ')[1] ?? '')
  assert.deepEqual(zones('a', a, lent, b), ['a', 'a', 'b'])
  assert.deepEqual(zones('b', a, lent, b), ['a', 'a', 'b'], 'not ours, though it is here')
  assert.deepEqual(zones('d', a, lent, b), ['a', 'b', 'b'], 'no hint is for us')
  assert.deepEqual(zones('', a, lent, b), ['a', 'b', 'b'])
  assert.deepEqual(zones('a', a, lent, plain), ['a', 'b', 'b'], 'one has none')
  assert.deepEqual(zones('a', a, lent, { ...plain, state: 'not-ready' }), ['a', 'a'])
})

test('property: any JSON is read or left out, never thrown at; what is used is an address of the slices', () => {
  const json = fc.jsonValue({ maxDepth: 4 })
  const endpoint = fc.record(
    {
      addresses: fc.oneof(json, fc.array(fc.oneof(fc.ipV4(), fc.ipV6(), fc.string()), { maxLength: 2 })),
      conditions: fc.oneof(json, fc.record({ ready: json, serving: json, terminating: json })),
      zone: json,
      hints: fc.oneof(json, fc.record({ forZones: fc.oneof(json, fc.array(fc.record({ name: json }))) })),
    },
    { requiredKeys: [] },
  )
  const object = fc.record(
    {
      addressType: fc.oneof(fc.constantFrom('IPv4', 'IPv6', 'FQDN'), json),
      ports: fc.oneof(json, fc.array(fc.record({ name: json, port: fc.oneof(fc.nat(70_000), json) }))),
      endpoints: fc.oneof(json, fc.array(fc.oneof(endpoint, json), { maxLength: 4 })),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(fc.array(object, { maxLength: 4 }), fc.constantFrom('http', 80, null), (objects, port) => {
      const slices = objects.map(one => readSlice(one, '')).filter(one => one !== null)
      const { endpoints } = mergeSlices(slices, port, 'a')
      const known = new Set(slices.flatMap(one => one.endpoints.map(({ address }) => address)))
      for (const { host } of endpoints) assert.ok(known.has(host))
      assert.equal(new Set(endpoints.map(one => `${one.host} ${one.port}`)).size, endpoints.length)
    }),
    { numRuns: 500 },
  )
})

test('row 73: a slice that somebody wrote leads neither to this machine nor to the metadata of a cloud', () => {
  const bad = ['127.0.0.1', '0.0.0.0', '169.254.169.254', '100.100.100.200', '168.63.129.16', '192.0.0.192']
  assert.deepEqual(found([slice(HTTP, ...bad, '10.0.0.1')]), ['10.0.0.1:80'])
  const six = (...addresses: string[]): unknown => ({
    ...endpointSlice('orders', HTTP, []),
    addressType: 'IPv6',
    endpoints: addresses.map(address => ({ addresses: [address] })),
  })
  const bad6 = [
    '::1',
    '::',
    'fe80::1',
    '::ffff:127.0.0.1',
    '::ffff:169.254.169.254',
    'fd00:ec2::254',
    '64:ff9b::a9fe:a9fe',
  ]
  // What an object of JSON is.
  const read = readSlice(six(...bad6, 'fd12::1') as Record<string, unknown>, 'fd00::1')
  assert.deepEqual(
    read?.endpoints.map(({ address }) => address),
    ['fd12::1'],
  )
  const { endpoints, fault } = mergeSlices([slice(HTTP, ...bad)], 'http', '')
  assert.deepEqual(endpoints, [])
  assert.match(fault, /none that a pod has/)
  // From an API server on this machine, as in a test: its pods are here too.
  const local = readSlice(endpointSlice('orders', HTTP, ['127.0.0.1', '169.254.169.254']), '127.0.0.1')
  assert.deepEqual(
    local?.endpoints.map(({ address }) => address),
    ['127.0.0.1'],
  )
})

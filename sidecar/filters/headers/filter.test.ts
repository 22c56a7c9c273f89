import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeFixture } from '../../exchange/exchange-fixture.ts'
import { LiveFixture } from '../live-fixture.ts'
import type { HeaderList } from '../../exchange/headers.ts'
import { FORBIDDEN_NAMES, headersFilter } from './filter.ts'
import type { HeaderEdits } from './schema.ts'

const NONE: HeaderEdits = { set: [], add: [], remove: [] }
const route = { name: 'r' }

/** The request's list after the filter. */
function edited(
  edits: Partial<HeaderEdits>,
  headers: HeaderList,
  params: Record<string, string> | null = null,
): HeaderList {
  const exchange = exchangeFixture()
  exchange.request = {
    method: 'GET',
    scheme: 'http',
    host: 'h',
    port: 0,
    path: '/p',
    query: '',
    hasQuery: false,
  }
  exchange.params = params
  exchange.upstreamHeaders = headers
  const filter = headersFilter.create(
    { request: { ...NONE, ...edits }, response: NONE },
    route,
    new LiveFixture(),
  )
  assert.equal(filter.onRequest?.(exchange), undefined)
  assert.equal('onResponse' in filter, false)
  return exchange.upstreamHeaders
}

test('remove, set and add, in this order', () => {
  const edits = {
    remove: ['x', 'y'],
    set: [
      ['y', '1'],
      ['z', '2'],
    ],
    add: [
      ['z', '3'],
      ['x', '4'],
    ],
  } as const
  assert.deepEqual(edited(edits, ['x', 'a', 'z', 'b', 'k', 'c', 'z', 'd', 'y', 'e']), [
    ...['z', '2', 'k', 'c', 'y', '1', 'z', '3', 'x', '4'],
  ])
})

test('values are filled for each request, and dropped where they cannot be computed', () => {
  const edits: Partial<HeaderEdits> = {
    set: [
      ['a', '{id}'],
      ['b', 'host={request.host} {request.uri}'],
      ['c', '{missing}'],
    ],
    add: [['d', '{missing}']],
  }
  // What a client sent under the name does not stay in the place of a value that is missing.
  assert.deepEqual(edited(edits, ['c', 'evil'], { id: 'x y' }), ['a', 'x y', 'b', 'host=h /p'])
})

test('a value whose blanks would not arrive is another one, and is not sent', () => {
  const of = (id: string, template: string): HeaderList =>
    edited({ set: [['x-id', template]] }, ['x-id', 'client'], { id })
  for (const id of ['admin ', ' admin', 'admin\t', 'admin\u00a0', ' ']) {
    assert.deepEqual(of(id, '{id}'), [], JSON.stringify(id))
    assert.deepEqual(of(id, '<{id}>'), ['x-id', `<${Buffer.from(id).toString('latin1')}>`])
  }
  assert.deepEqual(of('admin ', 'user {id}'), [])
  assert.deepEqual(of(' admin', 'user {id}'), ['x-id', 'user  admin'])
  assert.deepEqual(of('a b', '{id}'), ['x-id', 'a b'])
  assert.deepEqual(of('', 'user {id}'), ['x-id', 'user '])
})

test('row 19: no value that is filled in can begin a line', () => {
  const set: Partial<HeaderEdits> = { set: [['a', 'v={id}']] }
  assert.deepEqual(edited(set, [], { id: '\u010d\u010a\u0100' }), [
    'a',
    'v=\u00c4\u008d\u00c4\u008a\u00c4\u0080',
  ])
  for (const id of ['a\r\nb: c', 'a\nb', '\0', '\x7f'])
    assert.deepEqual(edited(set, ['a', 'evil'], { id }), [])
  assert.throws(() => edited({ set: [['a', 'x\ny']] }, []))
  assert.deepEqual(edited({ set: [['a', 'é']] }, []), ['a', '\u00c3\u00a9'])
})

test('names of framing and of the connection are refused when the filter is made', () => {
  for (const name of FORBIDDEN_NAMES) {
    assert.throws(() => edited({ set: [[name, 'x']] }, []), name)
    assert.throws(() => edited({ add: [[name, 'x']] }, []), name)
    assert.throws(() => edited({ remove: [name] }, []), name)
  }
})

test('the response is edited by its own list, and what has nothing to do has no hook', () => {
  const filter = headersFilter.create(
    { request: NONE, response: { set: [['server', 'x']], add: [], remove: ['x-powered-by'] } },
    route,
    new LiveFixture(),
  )
  const headers = ['x-powered-by', 'y', 'set-cookie', 'a', 'set-cookie', 'b']
  filter.onResponse?.(exchangeFixture(), headers)
  assert.deepEqual(headers, ['set-cookie', 'a', 'set-cookie', 'b', 'server', 'x'])
  assert.equal('onRequest' in filter, false)
})

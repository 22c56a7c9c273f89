import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  WIRE_VALUE,
  fromWire,
  hasHeader,
  headerValue,
  headerValues,
  listMembers,
  removeHeader,
  setHeader,
  toWire,
} from './headers.ts'

const list = (): string[] => ['host', 'a', 'via', '1.1 x', 'accept', '*/*', 'via', '1.1 y', 'x', '']

test('reading', () => {
  assert.equal(headerValue(list(), 'via'), '1.1 x')
  assert.equal(headerValue(list(), 'x'), '')
  // A value that looks like a name is none.
  assert.equal(headerValue(['a', 'host'], 'host'), undefined)
  assert.equal(hasHeader(['a', 'host'], 'host'), false)
  assert.equal(hasHeader(list(), 'x'), true)
  assert.deepEqual(headerValues(list(), 'via'), ['1.1 x', '1.1 y'])
  assert.deepEqual(headerValues(list(), 'none'), [])
})

test('removing keeps the order of the rest', () => {
  const headers = list()
  assert.equal(removeHeader(headers, 'via'), true)
  assert.deepEqual(headers, ['host', 'a', 'accept', '*/*', 'x', ''])
  assert.equal(removeHeader(headers, 'via'), false)
  assert.deepEqual(headers, ['host', 'a', 'accept', '*/*', 'x', ''])
})

test('setting replaces the first line, drops the others, or appends', () => {
  const headers = list()
  setHeader(headers, 'via', 'z')
  assert.deepEqual(headers, ['host', 'a', 'via', 'z', 'accept', '*/*', 'x', ''])
  setHeader(headers, 'new', '1')
  assert.deepEqual(headers.slice(-2), ['new', '1'])
})

test('list editing does what a list of pairs does', () => {
  const line = fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('a', 'b', '1'))
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), fc.constantFrom('a', 'b', 'c'), (lines, name) => {
      const removed = lines.flat()
      assert.equal(
        removeHeader(removed, name),
        lines.some(([key]) => key === name),
      )
      assert.deepEqual(removed, lines.filter(([key]) => key !== name).flat())

      const set = lines.flat()
      setHeader(set, name, 'new')
      const first = lines.findIndex(([key]) => key === name)
      const kept = lines.filter(([key], index) => key !== name || index === first)
      const expected = kept.flatMap(([key, value]) => [key, key === name ? 'new' : value])
      assert.deepEqual(set, first < 0 ? [...expected, name, 'new'] : expected)
    }),
  )
})

test('list members over all lines, empty ones left out', () => {
  const headers = ['connection', 'a, b ,,\t c', 'x', 'y', 'connection', '', 'connection', 'd']
  assert.deepEqual(listMembers(headers, 'connection'), ['a', 'b', 'c', 'd'])
  assert.deepEqual(listMembers(headers, 'te'), [])
})

test('only space and tab are trimmed off a member: what looks like white space to JavaScript is part of it', () => {
  for (const byte of ['\xa0', '\x85', '\x0b', '\x0c']) {
    assert.deepEqual(listMembers(['te', `${byte}trailers`], 'te'), [`${byte}trailers`])
    assert.deepEqual(listMembers(['transfer-encoding', `chunked${byte}`], 'transfer-encoding'), [
      `chunked${byte}`,
    ])
    assert.deepEqual(listMembers(['te', byte], 'te'), [byte])
  }
})

test('toWire gives bytes that fit a field value, or null', () => {
  assert.equal(toWire('plain\ttext'), 'plain\ttext')
  assert.equal(toWire('č'), '\xc4\x8d')
  for (const control of ['\n', '\r', '\0', '\x7f', '\x1b']) {
    assert.equal(toWire(`a${control}b`), null)
    assert.equal(toWire(`č${control}b`), null)
  }
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 0x10_ffff }), { maxLength: 20 }), codes => {
      const text = String.fromCodePoint(...codes).toWellFormed()
      const wire = toWire(text)
      if (wire === null) return
      assert.match(wire, WIRE_VALUE)
      assert.equal(fromWire(wire), text)
    }),
  )
})

test('fromWire reads UTF-8 where it is valid, and else each byte', () => {
  assert.equal(fromWire('\xc4\x8d'), 'č')
  assert.equal(fromWire('caf\xe9'), 'café')
  // The replacement character itself is valid UTF-8.
  assert.equal(fromWire('\xef\xbf\xbd'), '\ufffd')
  for (const invalid of ['\xc0\xaf', '\xed\xa0\x80', '\xf5\x80\x80\x80', '\x80', '\xc4']) {
    assert.equal(fromWire(invalid), invalid)
  }
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesOf } from './field-lines.ts'
import { HeaderNames, headerNames, isToken, LEARNT_NAMES } from './header-names.ts'

function intern(names: HeaderNames, text: string, from: number): string {
  return names.intern(bytesOf(text), from)
}

test('a known name is found in any spelling, up to the first character that is not its', () => {
  assert.equal(intern(headerNames, 'Content-Length: 5', 0), 'content-length')
  assert.equal(intern(headerNames, 'xxHOST:', 2), 'host')
  assert.equal(intern(headerNames, 'host', 0), 'host')
  assert.equal(intern(headerNames, 'sec-WebSocket-Key : a', 0), 'sec-websocket-key')
})

test('where no token begins there is no name', () => {
  for (const text of ['', ':', ' host:', '\thost', '\x00', '\x7f', '\xe4', '(', '"']) {
    assert.equal(intern(headerNames, text, 0), '', JSON.stringify(text))
  }
})

test('a name ends before every character that is not of a token', () => {
  for (let code = 0; code < 256; code++) {
    const char = String.fromCharCode(code)
    const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]$/.test(char)
    assert.equal(intern(headerNames, `X${char}`, 0).length, token ? 2 : 1, `code ${code}`)
    assert.equal(isToken(char), token, `code ${code}`)
  }
  assert.equal(isToken(''), false)
  assert.equal(isToken('GET\u0141'), false)
})

test('an unknown name is learnt once, whatever its spelling', () => {
  const names = new HeaderNames()
  assert.equal(intern(names, 'X-Mine: 1', 0), 'x-mine')
  assert.equal(intern(names, 'x-MINE: 1', 0), 'x-mine')
  assert.equal(names.learntCount, 1)
  intern(names, 'Host:', 0)
  assert.equal(names.learntCount, 1)
})

test('names of objects are names like others', () => {
  const names = new HeaderNames()
  for (const name of ['__proto__', 'constructor', 'hasownproperty', 'tostring', '0', '42']) {
    assert.equal(intern(names, `${name}: 1`, 0), name)
    assert.equal(intern(names, `${name.toUpperCase()}: 1`, 0), name)
  }
})

test('a flood of names keeps the table within its bound, and what is read right', () => {
  const names = new HeaderNames()
  for (let i = 0; i < 20_000; i++) {
    assert.equal(intern(names, `X-Flood-${i}:`, 0), `x-flood-${i}`)
    assert.ok(names.learntCount <= LEARNT_NAMES)
  }
  assert.equal(intern(names, 'x-forwarded-for', 0), 'x-forwarded-for')
})

test('names that fall into the same place are still told apart', () => {
  const names = new HeaderNames()
  // In a sum with the factor 31, these two weigh the same.
  for (let round = 0; round < 3; round++) {
    for (const name of ['b_', 'a~']) assert.equal(intern(names, name, 0), name)
  }
  assert.equal(names.learntCount, 2)
})

test('a name longer than those that are learnt is read all the same', () => {
  const names = new HeaderNames()
  const long = 'X'.repeat(5000)
  assert.equal(intern(names, `${long}: 1`, 0), long.toLowerCase())
  assert.equal(names.learntCount, 0)
})

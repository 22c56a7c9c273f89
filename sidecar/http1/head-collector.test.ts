import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HeadCollector, type HeadKind } from './head-collector.ts'
import type { HeadLimits } from './message.ts'

const LIMITS: HeadLimits = { headerBytes: 16_384, headerFields: 100, urlBytes: 8192 }
const HEAD = 'GET / HTTP/1.1\r\nHost: a\r\nX-A: \xe4\r\n\r\n'

function bytes(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

/** Pushes pieces and answers what the last push came to, with the reason of a refusal. */
function push(collector: HeadCollector, pieces: readonly string[], limits = LIMITS): string {
  let last = ''
  for (const piece of pieces) {
    const buffer = bytes(piece)
    last = collector.push(buffer, 0, buffer.length, limits)
    buffer.fill(0xdb)
  }
  return last === 'refused' ? collector.error.reason : last
}

test('a head that lies whole in the bytes, and what follows it', () => {
  const collector = new HeadCollector('request')
  const buffer = bytes(`xx${HEAD}${HEAD}body\r\n\r\n`)
  assert.equal(collector.push(buffer, 2, buffer.length, LIMITS), 'head')
  assert.equal(collector.text, HEAD)
  assert.equal(collector.next, 2 + HEAD.length)
  assert.equal(collector.push(buffer, collector.next, buffer.length, LIMITS), 'head')
  assert.equal(collector.text, HEAD)
  assert.equal(buffer.toString('latin1', collector.next), 'body\r\n\r\n')
  assert.equal(collector.partial, false)
})

test('the end of a head is not looked for beyond the bytes given', () => {
  for (let length = 1; length < HEAD.length; length++) {
    const collector = new HeadCollector('request')
    const buffer = bytes(HEAD)
    assert.equal(collector.push(buffer, 0, length, LIMITS), 'more', `length ${length}`)
    assert.equal(collector.partial, true)
    assert.equal(collector.push(buffer, length, buffer.length, LIMITS), 'head')
    assert.equal(collector.text, HEAD)
    assert.equal(collector.next, HEAD.length)
    assert.equal(collector.partial, false)
  }
})

test('the end is found wherever it lies, and the first one of several', () => {
  for (let length = 0; length < 16; length++) {
    for (let before = 0; before < 4; before++) {
      const collector = new HeadCollector('request')
      const head = `GET / HTTP/1.1\r\nA: ${'b'.repeat(length)}\r\n\r\n`
      const buffer = bytes('\r\n\r\n'.slice(0, before) + head + head)
      assert.equal(collector.push(buffer, before, buffer.length, LIMITS), 'head')
      assert.equal(collector.text, head)
      assert.equal(collector.next, before + head.length)
    }
  }
})

test('byte by byte, one head after another', () => {
  const collector = new HeadCollector('request')
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < HEAD.length - 1; i++) assert.equal(push(collector, [HEAD.charAt(i)]), 'more')
    assert.equal(push(collector, ['\n']), 'head')
    assert.equal(collector.text, HEAD)
    assert.equal(collector.next, 1)
  }
})

test('a head of 16 KiB sent byte by byte takes the time of one', () => {
  const collector = new HeadCollector('request')
  const head = bytes(`GET / HTTP/1.1\r\nX: ${'a'.repeat(16_384 - 23)}\r\n\r\n`)
  assert.equal(head.length, 16_384)
  const before = performance.now()
  for (let i = 0; i < head.length - 1; i++) collector.push(head, i, i + 1, LIMITS)
  assert.equal(collector.push(head, head.length - 1, head.length, LIMITS), 'head')
  assert.equal(collector.text.length, 16_384)
  // Measured at 2 ms; searching all of it at each byte takes hundreds.
  assert.ok(performance.now() - before < 100)
})

test('one empty line before a request is skipped, however it comes', () => {
  for (const pieces of [[`\r\n${HEAD}`], ['\r\n', HEAD], ['\r', '\n', HEAD], ['\r', `\n${HEAD}`]]) {
    const collector = new HeadCollector('request')
    assert.equal(push(collector, pieces), 'head')
    assert.equal(collector.text, HEAD)
    assert.equal(push(collector, pieces), 'head', 'and before the next one')
  }
  const collector = new HeadCollector('request')
  assert.equal(push(collector, ['\r\n']), 'more')
  assert.equal(collector.partial, false)
  for (const pieces of [['\r\n\r\n'], ['\r\n', '\r'], ['\n'], ['\r', 'G'], ['\rG'], [`\r\n\r\n${HEAD}`]]) {
    assert.equal(push(new HeadCollector('request'), pieces), 'bad_request', JSON.stringify(pieces))
  }
  assert.equal(push(new HeadCollector('response'), ['\r\n']), 'upstream_bad_response')
})

test('what no further byte could make valid is refused at once', () => {
  const start = 'GET / HTTP/1.1\r\n'
  const refused = [
    '\x16', '\x80', ' ', 'G\x00', 'GET\r', 'GET\t', 'GET  ', 'GET /\x80', 'GET /\r', 'GET / H\r', 'GET / HTTP/1.1 ', 'GET / X',
    'GET / HTTP/1.1\n', 'GET / HTTP/1.1\rX', 'GET / HTTP/a', `${start} `, `${start}\t`, `${start}:`, `${start}\n`, `${start}\rX`,
    `${start}A `, `${start}A\r`, `${start}A: \x00`, `${start}A: b\n`, `${start}A: b\rc`, `${start}A: b\r\n `, `${start}A: \x7f`,
  ] // prettier-ignore
  for (const text of refused) {
    assert.equal(push(new HeadCollector('request'), [text]), 'bad_request', JSON.stringify(text))
    assert.equal(push(new HeadCollector('request'), Array.from(text)), 'bad_request', JSON.stringify(text))
    const before = text.slice(0, -1)
    if (before !== '')
      assert.equal(push(new HeadCollector('request'), [before]), 'more', JSON.stringify(before))
  }
  assert.equal(push(new HeadCollector('response'), ['X']), 'upstream_bad_response')
  assert.equal(push(new HeadCollector('response'), ['HTTP/1.1 200 OK\n']), 'upstream_bad_response')
})

test('a refusal holds until the collector is reset', () => {
  const collector = new HeadCollector('request')
  assert.throws(() => collector.error)
  assert.equal(push(collector, ['\x16']), 'bad_request')
  assert.equal(push(collector, [HEAD]), 'bad_request')
  collector.reset()
  assert.equal(push(collector, [HEAD]), 'head')
})

test('limits: of bytes, of the target, of fields', () => {
  const at = { headerBytes: HEAD.length, headerFields: 2, urlBytes: 1 }
  const cases: [Partial<HeadLimits>, string][] = [
    [{}, 'head'],
    [{ headerBytes: HEAD.length - 1 }, 'headers_too_large'],
    [{ headerBytes: 10 }, 'uri_too_long'],
    [{ urlBytes: 0 }, 'uri_too_long'],
    [{ headerFields: 1 }, 'headers_too_large'],
  ]
  for (const [change, want] of cases) {
    assert.equal(
      push(new HeadCollector('request'), Array.from(HEAD), { ...at, ...change }),
      want,
      JSON.stringify(change),
    )
  }
  // Whole, the bytes count; the rest is the parser's.
  assert.equal(push(new HeadCollector('request'), [HEAD], at), 'head')
  assert.equal(
    push(new HeadCollector('request'), [HEAD], { ...at, headerBytes: HEAD.length - 1 }),
    'headers_too_large',
  )
  assert.equal(push(new HeadCollector('request'), [`GET /${'a'.repeat(9000)}`]), 'uri_too_long')
  const answer = 'HTTP/1.1 200 OK\r\nA: b\r\n\r\n'
  const small = { ...LIMITS, headerBytes: 20 }
  assert.equal(push(new HeadCollector('response'), [answer], small), 'upstream_bad_response')
  assert.equal(push(new HeadCollector('response'), Array.from(answer), small), 'upstream_bad_response')
})

test('an empty line before a head does not count against its limit', () => {
  assert.equal(
    push(new HeadCollector('request'), ['\r\n', HEAD], { ...LIMITS, headerBytes: HEAD.length }),
    'head',
  )
})

test('trailers: the field lines up to the empty one, and nothing else', () => {
  for (const kind of ['request trailers', 'response trailers'] satisfies HeadKind[]) {
    const reason = kind === 'request trailers' ? 'bad_request' : 'upstream_bad_response'
    for (const text of ['\r\n', 'A: b\r\n\r\n', 'A: b\r\nC:\r\n\r\n']) {
      const collector = new HeadCollector(kind)
      assert.equal(push(collector, [`${text}GET`]), 'head')
      assert.equal(collector.text, text)
      assert.equal(collector.next, text.length)
      assert.equal(push(collector, Array.from(text)), 'head')
      assert.equal(collector.text, text)
    }
    assert.equal(push(new HeadCollector(kind), ['\n']), reason)
    assert.equal(push(new HeadCollector(kind), [' A: b']), reason)
    assert.equal(push(new HeadCollector(kind), ['\rA']), reason)
  }
})

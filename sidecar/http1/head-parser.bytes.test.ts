import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HeadCollector } from './head-collector.ts'
import { parseRequestHead, parseResponseHead } from './head-parser.ts'
import type { HeadLimits } from './message.ts'

const LIMITS: HeadLimits = { headerBytes: 16_384, headerFields: 100, urlBytes: 8192 }

/** A request with these lines behind its Host. */
function get(...lines: string[]): string {
  return ['GET /a?b HTTP/1.1', 'Host: a.example', ...lines, '', ''].join('\r\n')
}

test('a head is read alike from its text and from bytes that go on behind it', () => {
  const heads = [
    get('Accept: a', 'X-A:  b\t', 'Content-Length: 5'),
    get('A b: c'),
    get('A: b\0'),
    get('A: b\n'),
    'GET /\r\n\r\n',
    'GET  HTTP/1.1\r\n\r\n',
    '\r\n\r\n',
  ]
  for (const behind of ['', 'A: b\r\n\r\n', '\n', ' HTTP/1.1\r\n\r\n'])
    for (const head of heads) {
      const bytes = Buffer.from(head + behind, 'latin1')
      assert.deepEqual(parseRequestHead(head, LIMITS, bytes), parseRequestHead(head, LIMITS), head + behind)
      const answer = head.replace(/^GET [^\r]*/, 'HTTP/1.1 200 OK')
      assert.deepEqual(
        parseResponseHead(answer, LIMITS, 'GET', Buffer.from(answer + behind, 'latin1')),
        parseResponseHead(answer, LIMITS, 'GET'),
        answer + behind,
      )
    }
})

test('the bytes in which a head was read are not kept behind it', () => {
  const collector = new HeadCollector('request')
  const bytes = Buffer.from(get())
  assert.equal(collector.push(bytes, 0, bytes.length, LIMITS), 'head')
  assert.equal(collector.bytes, bytes)
  collector.reset()
  assert.equal(collector.bytes, null)
})

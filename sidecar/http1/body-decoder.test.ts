import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ChunkedDecoder } from './body-decoder.ts'

interface Decoded {
  readonly data: string
  readonly pieces: number
  readonly next: number
  readonly error: string | null
}

/** Decodes text in one go, or byte by byte; `next` is the offset in all of it. */
function decode(decoder: ChunkedDecoder, text: string, single = false): Decoded {
  const bytes = Buffer.from(text, 'latin1')
  let data = ''
  let pieces = 0
  const sink = {
    data(piece: Buffer) {
      assert.ok(piece.length > 0)
      data += piece.toString('latin1')
      pieces++
    },
  }
  let next = 0
  if (single) {
    while (next < bytes.length && !decoder.done && decoder.error === null) {
      next = decoder.decode(bytes, next, next + 1, sink)
    }
  } else next = decoder.decode(bytes, 0, bytes.length, sink)
  return { data, pieces, next, error: decoder.error?.reason ?? null }
}

function decoder(): ChunkedDecoder {
  return new ChunkedDecoder('request')
}

test('chunks, their end, and what follows them', () => {
  const body = '5\r\nhello\r\n00A\r\n0123456789\r\n0\r\n\r\n'
  for (const single of [false, true]) {
    const one = decoder()
    const read = decode(one, `${body}GET`, single)
    assert.equal(read.data, 'hello0123456789')
    assert.equal(read.next, body.length)
    assert.equal(one.done, true)
    assert.equal(one.trailers, null)
  }
})

test('data is not copied, and a chunk in pieces is passed on as they come', () => {
  const bytes = Buffer.from('5\r\nhello\r\n', 'latin1')
  const pieces: Buffer[] = []
  const sink = { data: (piece: Buffer) => void pieces.push(piece) }
  const one = decoder()
  assert.equal(one.decode(bytes, 0, 5, sink), 5)
  assert.equal(one.decode(bytes, 5, bytes.length, sink), bytes.length)
  assert.deepEqual(pieces.map(String), ['he', 'llo'])
  assert.equal(pieces[0]?.buffer, bytes.buffer)
  assert.equal(one.done, false)
})

test('nothing is decoded behind the end or an error', () => {
  const one = decoder()
  decode(one, '0\r\n\r\n')
  assert.deepEqual(decode(one, '5\r\nhello\r\n'), { data: '', pieces: 0, next: 0, error: null })
  one.reset()
  decode(one, 'x')
  assert.deepEqual(decode(one, '5\r\nhello\r\n'), { data: '', pieces: 0, next: 0, error: 'bad_request' })
})

test('sizes: 1 to 16 hexadecimal digits up to 2^53 - 1', () => {
  for (const size of ['5', '05', '0000000000000005'])
    assert.equal(decode(decoder(), `${size}\r\nhello`).data, 'hello')
  for (const size of ['1fffffffffffff', '1FFFFFFFFFFFFF'])
    assert.equal(decode(decoder(), `${size}\r\nhe`).data, 'he')
  const wrong = [
    '',
    ' 5',
    '5 ',
    '5\t',
    '+5',
    '-5',
    '0x5',
    'g',
    '00000000000000005',
    '20000000000000',
    'ffffffffffffffff',
    '5,',
  ]
  for (const size of wrong) {
    for (const single of [false, true]) {
      const read = decode(decoder(), `${size}\r\nhello`, single)
      assert.deepEqual([read.data, read.error], ['', 'bad_request'], size)
    }
  }
})

test('lines end with CRLF and nothing else', () => {
  for (const text of [
    '5\nhello',
    '5\rhello',
    '5\r\nhello\n',
    '5\r\nhello\rX',
    '5\r\nhelloX',
    '0\n\n',
    '0\r\n\n',
    '0\r\n\rX',
  ]) {
    for (const single of [false, true]) {
      assert.equal(decode(decoder(), text, single).error, 'bad_request', JSON.stringify(text))
    }
  }
})

test('extensions are checked and left out', () => {
  const right = [';a', ';a=b', ';a="b c"', ';a="\\""', ';a="\xe4\t"', ';a;b=c;d=""', ';a="b";c']
  for (const extension of right) {
    for (const single of [false, true]) {
      const read = decode(decoder(), `5${extension}\r\nhello\r\n0${extension}\r\n\r\n`, single)
      assert.deepEqual([read.data, read.error], ['hello', null], extension)
    }
  }
  const wrong = [
    ';', ';;', ';=', ';a=', ';a=;b', ';a b', ';a =b', '; a', ';a= b', ';"a"', ';a="b', ';a="b"c', ';a="\x00"', ';a="\\\x00"',
    ';a="\r"', ';a\x00', ';a\n', ';a,b', ';a=b=c', ';\xe4',
  ] // prettier-ignore
  for (const extension of wrong) {
    for (const single of [false, true]) {
      assert.equal(decode(decoder(), `5${extension}\r\nhello\r\n`, single).error, 'bad_request', extension)
    }
  }
})

test('extensions are bounded: 4 KiB a line, 16 KiB a body', () => {
  const line = (bytes: number) => `1;${'a'.repeat(bytes)}\r\nx\r\n`
  assert.equal(decode(decoder(), line(4000)).error, null)
  assert.equal(decode(decoder(), line(4096)).error, 'bad_request')
  assert.equal(decode(decoder(), line(1_000_000)).error, 'bad_request')
  assert.equal(decode(decoder(), line(4000).repeat(4)).error, null)
  assert.equal(decode(decoder(), line(4000).repeat(5)).error, 'bad_request')
  // Without extensions a body of many chunks is a body like others.
  assert.equal(decode(decoder(), '1\r\nx\r\n'.repeat(20_000)).data.length, 20_000)
  const one = decoder()
  decode(one, line(4000).repeat(4) + '0\r\n\r\n')
  one.reset()
  assert.equal(decode(one, line(4000).repeat(4)).error, null)
})

test('trailers: kept, dropped or refused by name', () => {
  const trailers = (...lines: string[]) => {
    const one = decoder()
    decode(one, `0\r\n${lines.map(line => `${line}\r\n`).join('')}\r\n`)
    return one.error?.reason ?? (one.done ? one.trailers : 'more')
  }
  assert.deepEqual(trailers('X-Sum: 1 ', 'Grpc-Status:0'), ['x-sum', '1', 'grpc-status', '0'])
  for (const name of ['Authorization', 'Cookie', 'Set-Cookie', 'Cache-Control', 'Content-Type', 'Via']) {
    assert.equal(trailers(`${name}: a`), null, name)
    assert.deepEqual(trailers(`${name}: a`, 'X-A: b'), ['x-a', 'b'], name)
  }
  for (const name of [
    'Content-Length',
    'Transfer-Encoding',
    'Host',
    'Connection',
    'Trailer',
    'TE',
    'Upgrade',
  ]) {
    assert.equal(trailers('X-A: b', `${name}: a`), 'bad_request', name)
  }
  assert.ok(Array.isArray(trailers(...Array.from({ length: 100 }, () => 'A: b'))))
  assert.equal(trailers(...Array.from({ length: 101 }, () => 'A: b')), 'headers_too_large')
  assert.equal(trailers(`A: ${'b'.repeat(8192)}`), 'headers_too_large')
})

test('the limits and the side given decide what is refused, and how', () => {
  const limits = { headerBytes: 20, headerFields: 1, urlBytes: 0 }
  const one = new ChunkedDecoder('response', limits)
  assert.equal(decode(one, '0\r\nA: b\r\nC: d\r\n\r\n').error, 'upstream_bad_response')
  one.reset({ ...limits, headerFields: 2 })
  assert.equal(decode(one, '0\r\nA: b\r\nC: d\r\n\r\n').error, null)
  assert.equal(one.done, true)
  one.reset()
  assert.equal(decode(one, '0\r\nTransfer-Encoding: chunked\r\n\r\n').error, 'upstream_bad_response')
})

test('after reset nothing is left of the body before', () => {
  const one = decoder()
  for (const left of ['5\r\nhe', '5;a="', '1', '0\r\nX-A: b\r\n', '0\r\nX-A: b\r\n\r\n', 'x']) {
    decode(one, left)
    one.reset()
    const read = decode(one, '3\r\nabc\r\n0\r\n\r\n')
    assert.deepEqual([read.data, one.done, one.trailers, read.error], ['abc', true, null, null], left)
    one.reset()
  }
})

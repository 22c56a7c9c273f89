// Row 40 of docs/security.md: what a request of HTTP/2 says is checked before it is written as one of HTTP/1. The sink
// behind the proxy must see none of it, or one request of HTTP/1 that says the same.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { ProxyError } from '../../sidecar/exchange/proxy-error.ts'
import { parseRequestHead } from '../../sidecar/http1/head-parser.ts'
import { writeRequestHead } from '../../sidecar/http1/head-writer.ts'
import { readRequestHead } from '../../sidecar/http2/request-head.ts'
import { routeTo } from '../harness/configs.ts'
import { InProcess } from '../harness/in-process.ts'
import { CODE, pseudo, RawH2 } from '../harness/raw-h2.ts'
import { RecordingSink } from '../harness/raw-upstream.ts'

const LIMITS = { headerBytes: 1_000_000, headerFields: 1000, urlBytes: 8192 }

describe('what the reader of request heads accepts', () => {
  const anyValue = fc.string({
    unit: fc.constantFrom(...'aZ09 /:;,%#?*"\t\x80\xff'.split('')),
    maxLength: 12,
  })
  const value = fc
    .oneof(
      anyValue,
      fc.constantFrom('GET', 'POST', 'CONNECT', '/', '*', 'http', 'https', 'a.example', 'a.example:80'),
      fc.constantFrom('chunked', 'trailers', '0', '5', '100-continue', 'websocket', 'close', '/a b'),
    )
    // The decoder has refused what begins or ends with a blank.
    .map(text => text.replaceAll(/^[ \t]+|[ \t]+$/g, ''))
  const name = fc.oneof(
    fc.constantFrom(':method', ':path', ':scheme', ':authority', ':protocol', ':status'),
    fc.constantFrom('host', 'cookie', 'content-length', 'te', 'transfer-encoding', 'connection', 'expect'),
    fc.constantFrom('x', 'upgrade', 'keep-alive', 'proxy-connection', '__proto__', 'accept'),
  )
  const usual = fc
    .record({ method: value, path: value, authority: value })
    .map(({ method, path, authority }) => [
      ...[':method', method === '' ? 'GET' : method, ':scheme', 'https'],
      ...[':path', path.startsWith('/') ? path : `/${path}`, ':authority', authority],
    ])
  const list = fc
    .tuple(fc.oneof(usual, fc.constant<string[]>([])), fc.array(fc.tuple(name, value), { maxLength: 8 }))
    .map(([first, more]) => [...first, ...more.flat()])

  test('is a request of HTTP/1 that its own parser accepts and that says the same', () => {
    let accepted = 0
    fc.assert(
      fc.property(list, fc.boolean(), (fields, ended) => {
        const head = readRequestHead([...fields], ended, LIMITS.urlBytes, true)
        if (head instanceof ProxyError) return
        accepted++
        const at = head.headers.indexOf('host')
        const own = new Set(['host', 'content-length', 'expect'])
        const rest: string[] = []
        for (let i = 0; i < head.headers.length; i += 2)
          if (!own.has(head.headers[i] ?? '')) rest.push(head.headers[i] ?? '', head.headers[i + 1] ?? '')
        const framing = head.length === 'unknown' ? 'chunked' : head.length
        const written = writeRequestHead('GET', '/', head.headers[at + 1] ?? '', rest, framing)
        const text = written.replace('GET / ', `${head.method} ${head.target} `)
        const parsed = parseRequestHead(text, LIMITS)
        assert.ok(!(parsed instanceof ProxyError), JSON.stringify([fields, parsed]))
        assert.equal(parsed.method, head.method)
        assert.equal(parsed.target, head.target)
        assert.equal(parsed.framing, framing)
        assert.deepEqual(parsed.upgrade, [])
        assert.equal(parsed.keepAlive, true)
      }),
      { numRuns: 5000 },
    )
    assert.ok(accepted > 100, `only ${accepted} were accepted`)
  })
})

describe('over a socket', () => {
  let sink: RecordingSink
  let proxy: InProcess
  before(async () => {
    sink = await RecordingSink.listen()
    proxy = await InProcess.start(routeTo(sink.port))
  })
  after(async () => {
    await proxy.stop()
    await sink.close()
  })

  const smuggled = 'GET /smuggled HTTP/1.1\r\nhost: b\r\n\r\n'
  const refusals: Record<string, string[]> = {
    'a line break in a value': [...pseudo('GET', '/'), 'x', `y\r\n\r\n${smuggled}`],
    'a line feed in a value': [...pseudo('GET', '/'), 'x', 'y\nz: 1'],
    'a NUL in a value': [...pseudo('GET', '/'), 'x', 'y\0'],
    'a line break in a name': [...pseudo('GET', '/'), 'x: y\r\nz', '1'],
    'a colon in a name': [...pseudo('GET', '/'), 'transfer-encoding: chunked\r\nx', '1'],
    'a space in a name': [...pseudo('GET', '/'), 'transfer-encoding ', 'chunked'],
    'upper case in a name': [...pseudo('GET', '/'), 'Transfer-Encoding', 'chunked'],
    'an empty name': [...pseudo('GET', '/'), '', 'x'],
    'a line break in the path': pseudo('GET', `/ HTTP/1.1\r\nhost: a\r\n\r\n${smuggled}`),
    'a space in the path': pseudo('GET', '/ HTTP/1.1'),
    'a line break in the method': pseudo(`GET / HTTP/1.1\r\nx: y\r\n\r\nGET`, '/'),
    'a space in the method': pseudo('GET /smuggled', '/'),
    'a line break in the authority': [...pseudo('GET', '/').slice(0, 6), ':authority', 'a\r\nx: y'],
    'a line break in the scheme': [':method', 'GET', ':scheme', 'http\r\nx', ':path', '/', ':authority', 'a'],
    'transfer-encoding': [...pseudo('POST', '/'), 'transfer-encoding', 'chunked'],
    'transfer-encoding and a length': [
      ...pseudo('POST', '/'),
      ...['content-length', '0', 'transfer-encoding', 'chunked'],
    ],
    connection: [...pseudo('GET', '/'), 'connection', 'x-forwarded-for'],
    'two lengths': [...pseudo('POST', '/'), 'content-length', '0', 'content-length', '35'],
    'a length that is a list': [...pseudo('POST', '/'), 'content-length', '0,35'],
    'two hosts': [...pseudo('GET', '/'), 'host', 'b.example'],
    'two paths': [...pseudo('GET', '/'), ':path', '/smuggled'],
  }
  for (const [what, fields] of Object.entries(refusals)) {
    test(`${what}: the stream is reset, the connection lives, the sink sees nothing`, async () => {
      const seen = sink.requestsSeen().length
      const client = await RawH2.connect(proxy.port())
      const bad = client.request(fields, fields[1] !== 'POST')
      if (fields[1] === 'POST') client.data(bad, smuggled, true)
      const answer = await client.over(bad)
      assert.equal(answer.reset, CODE.protocol)
      const good = await client.over(client.get('/here'))
      assert.equal(good.status, 200)
      client.destroy()
      assert.equal(sink.requestsSeen().length, seen)
      await proxy.accessLine(line => line.reason === 'bad_request' && line.status === 400)
    })
  }

  test('H2.CL: a body that is not its content-length never reaches the sink as another request', async () => {
    for (const length of ['0', '5', '1000']) {
      const client = await RawH2.connect(proxy.port())
      const id = client.request([...pseudo('POST', '/cl'), 'content-length', length], false)
      client.data(id, smuggled, true)
      assert.equal((await client.over(id)).reset, CODE.protocol, length)
      assert.equal((await client.over(client.get('/here'))).status, 200)
      client.destroy()
    }
    assert.ok(!sink.requestsSeen().some(request => request.target.includes('smuggled')))
  })

  test('a body of unknown length arrives in chunks of ours, whatever it looks like', async () => {
    const client = await RawH2.connect(proxy.port())
    const id = client.request(pseudo('POST', '/chunks'), false)
    client.data(id, `0\r\n\r\n${smuggled}`, true)
    assert.equal((await client.over(id)).status, 200)
    client.destroy()
    const [request] = sink.requestsSeen().filter(one => one.target === '/chunks')
    assert.equal(request?.headers['transfer-encoding'], 'chunked')
    assert.ok(!sink.requestsSeen().some(one => one.target.includes('smuggled')))
  })

  test('trailers that frame a message are refused', async () => {
    for (const name of ['content-length', 'transfer-encoding', ':path']) {
      const client = await RawH2.connect(proxy.port())
      const id = client.request(pseudo('POST', '/trailers'), false)
      client.data(id, 'x')
      client.trailers(id, [name, '0'])
      assert.equal((await client.over(id)).reset, CODE.protocol, name)
      client.destroy()
    }
  })

  test('what is in order arrives as it was said', async () => {
    const client = await RawH2.connect(proxy.port())
    const id = client.request([
      ...pseudo('GET', '/order?a=b'),
      ...['cookie', 'a=1', 'te', 'trailers', 'cookie', 'b=2', 'x-bytes', '\x80\xff'],
    ])
    assert.equal((await client.over(id)).status, 200)
    client.destroy()
    const [request] = sink.requestsSeen().filter(one => one.target === '/order?a=b')
    assert.equal(request?.headers['host'], 'a.example')
    assert.equal(request.headers['cookie'], 'a=1; b=2')
    assert.equal(request.headers['te'], 'trailers')
    assert.match(request.headers['via'] ?? '', /^2 outrigger$/)
    assert.equal(request.headers['x-forwarded-proto'], 'http')
  })
})

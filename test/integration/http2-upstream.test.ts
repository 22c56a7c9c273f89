import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type http2 from 'node:http2'
import { routeTo } from '../harness/configs.ts'
import { Http2Upstream, mirrorStream, streamSeenBy } from '../harness/http2-upstream.ts'
import { InProcess } from '../harness/in-process.ts'
import type { WireResponse } from '../harness/strict-http.ts'

// The upstream half of HTTP/2: clients of HTTP/1, and services of HTTP/2 behind. What one request and its response become.

/** A service that does what the path says. */
function service(stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders): void {
  const path = headers[':path'] ?? ''
  if (path === '/echo') {
    stream.respond({ ':status': 200, 'content-type': 'text/plain' })
    stream.pipe(stream)
  } else if (path === '/trailers') {
    stream.respond({ ':status': 200 }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '4' }))
    stream.end('body')
  } else if (path === '/hints') {
    stream.additionalHeaders({ ':status': 103, link: '</a.css>; rel=preload' })
    stream.respond({ ':status': 200 })
    stream.end('hinted')
  } else if (path === '/empty') stream.respond({ ':status': 204 }, { endStream: true })
  else if (path === '/not-modified')
    stream.respond({ ':status': 304, 'content-length': '7' }, { endStream: true })
  else if (path === '/length') {
    stream.respond({ ':status': 200, 'content-length': '5', 'set-cookie': ['a=1', 'b=2'] })
    stream.end(headers[':method'] === 'HEAD' ? undefined : 'hello')
  } else if (path === '/early') {
    stream.respond({ ':status': 401 })
    stream.end('no')
  } else if (path === '/cut') {
    stream.respond({ ':status': 200 })
    stream.write('12345', () => stream.destroy(new Error('cut')))
  } else if (path === '/reset') stream.close(2)
  else if (path === '/large') {
    stream.respond({ ':status': 200 })
    stream.end(Buffer.alloc(3_000_000, 'l'))
  } else if (path === '/hang') stream.resume()
  else mirrorStream(stream, headers)
}

describe('a request and its response', () => {
  let upstream: Http2Upstream
  let proxy: InProcess
  before(async () => {
    upstream = await Http2Upstream.listen(service)
    proxy = await InProcess.start(
      routeTo(upstream.port, { upstream: 'protocol: http2', route: 'retry: off' }),
    )
  })
  after(async () => {
    await proxy.stop()
    await upstream.close()
  })

  test('GET arrives as one of HTTP/2 and is answered', async () => {
    const response = await proxy.ask(
      'GET /a?b=c HTTP/1.1\r\nhost: a.example\r\ncookie: x=1; y=2\r\nte: trailers\r\nconnection: keep-alive\r\n\r\n',
    )
    assert.equal(response.status, 200)
    const { headers } = streamSeenBy(response.body)
    assert.equal(headers[':method'], 'GET')
    assert.equal(headers[':scheme'], 'http')
    assert.equal(headers[':authority'], 'a.example')
    assert.equal(headers[':path'], '/a?b=c')
    assert.equal(headers['cookie'], 'x=1; y=2')
    assert.equal(headers['te'], 'trailers')
    assert.equal(headers['via'], '1.1 outrigger')
    for (const name of ['connection', 'host', 'content-length', 'transfer-encoding'])
      assert.equal(headers[name], undefined, name)
  })

  test('bodies go up, of known length and of none, with trailers', async () => {
    const known = await proxy.ask('POST /x HTTP/1.1\r\nhost: a.example\r\ncontent-length: 5\r\n\r\nhello')
    const first = streamSeenBy(known.body)
    assert.equal(first.body, 'hello')
    assert.equal(first.headers['content-length'], '5')
    const chunked = await proxy.ask(
      'POST /x HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nx-sum: 5\r\n\r\n',
    )
    const second = streamSeenBy(chunked.body)
    assert.equal(second.body, 'abcde')
    assert.equal(second.headers['content-length'], undefined)
    assert.equal(second.trailers['x-sum'], '5')
    const empty = await proxy.ask('POST /x HTTP/1.1\r\nhost: a.example\r\ncontent-length: 0\r\n\r\n')
    assert.equal(streamSeenBy(empty.body).headers['content-length'], '0')
  })

  test('bodies come down, of known length and of none, with trailers; 204, 304 and HEAD have none', async () => {
    const length = await get('/length')
    assert.deepEqual(
      [length.framing, length.headers['content-length'], text(length)],
      ['length', '5', 'hello'],
    )
    assert.equal(length.raw.filter(([name]) => name === 'set-cookie').length, 2)
    assert.equal(length.headers['via'], '2 outrigger')
    const head = await get('/length', 'HEAD')
    assert.deepEqual([head.status, head.headers['content-length'], text(head)], [200, '5', ''])
    const trailers = await get('/trailers')
    assert.deepEqual([trailers.framing, text(trailers)], ['chunked', 'body'])
    assert.deepEqual(trailers.trailers, [['x-sum', '4']])
    const empty = await get('/empty')
    assert.deepEqual([empty.status, empty.headers['content-length'], text(empty)], [204, undefined, ''])
    const not = await get('/not-modified')
    assert.deepEqual([not.status, not.headers['content-length'], text(not)], [304, '7', ''])
    const large = await get('/large')
    assert.equal(large.body.length, 3_000_000)
  })

  test('early hints pass, an early answer stands', async () => {
    const hints = await get('/hints')
    assert.deepEqual(
      hints.informational.map(one => [one.status, one.headers['link']]),
      [[103, '</a.css>; rel=preload']],
    )
    assert.equal(text(hints), 'hinted')
    const early = await proxy.ask(
      `POST /early HTTP/1.1\r\nhost: a.example\r\ncontent-length: 500000\r\n\r\n${'x'.repeat(1000)}`,
    )
    assert.deepEqual([early.status, text(early)], [401, 'no'])
    await proxy.until('no stream left', () => upstream.busy === 0)
  })

  test('a large body goes both ways at once', async () => {
    const body = 'abcdefghij'.repeat(200_000)
    const response = await proxy.ask(
      `POST /echo HTTP/1.1\r\nhost: a.example\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      { timeout: 10_000 },
    )
    assert.equal(text(response), body)
  })

  test('what breaks is told: a reset before the head, and behind it', async () => {
    const reset = await get('/reset')
    assert.equal(reset.status, 502)
    const line = await proxy.accessLine(one => one['path'] === '/reset')
    assert.equal(line.reason, 'upstream_reset')
    assert.equal(line['cause'], 'RST_STREAM INTERNAL_ERROR')
    const client = await proxy.connect()
    client.send('GET /cut HTTP/1.1\r\nhost: a.example\r\n\r\n')
    const cutOff = await client.readResponse()
    assert.equal(cutOff.complete, false)
    client.destroy()
    const cut = await proxy.accessLine(one => one['path'] === '/cut')
    assert.equal(cut.reason, 'upstream_aborted')
  })

  test('a client that goes resets its stream, and nobody else', async () => {
    const client = await proxy.connect()
    client.send('GET /hang HTTP/1.1\r\nhost: a.example\r\n\r\n')
    await proxy.until('the stream', () => upstream.busy === 1)
    const { opened } = upstream
    client.destroy()
    await proxy.until('its end', () => upstream.busy === 0)
    assert.equal((await get('/x')).status, 200)
    assert.equal(upstream.opened, opened)
  })

  test('requests at one time share a session', async () => {
    const { opened } = upstream
    const all = await Promise.all(Array.from({ length: 50 }, (_, i) => get(`/${i}`)))
    assert.deepEqual(new Set(all.map(one => one.status)), new Set([200]))
    assert.equal(upstream.opened, opened)
    assert.equal(upstream.opened, 1)
  })

  async function get(path: string, method = 'GET'): Promise<WireResponse> {
    return proxy.ask(`${method} ${path} HTTP/1.1\r\nhost: a.example\r\n\r\n`, { method })
  }
})

function text(response: WireResponse): string {
  return response.body.toString('latin1')
}

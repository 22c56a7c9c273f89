import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type http2 from 'node:http2'
import { routeTo } from '../harness/configs.ts'
import { Http2Upstream, mirrorStream, streamSeenBy } from '../harness/http2-upstream.ts'
import { InProcess } from '../harness/in-process.ts'
import { pseudo, RawH2 } from '../harness/raw-h2.ts'

// WebSockets to a service of HTTP/2 (RFC 8441), and clients of HTTP/2 in front of one.

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
const HI = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69])
const ANSWER = Buffer.from([0x81, 0x02, 0x68, 0x6f])
const UPGRADE =
  `host: a.example\r\nconnection: Upgrade\r\nupgrade: websocket\r\n` +
  `sec-websocket-version: 13\r\nsec-websocket-key: ${KEY}\r\n\r\n`

const seen: http2.IncomingHttpHeaders[] = []

function service(stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders): void {
  if (headers[':method'] !== 'CONNECT') {
    mirrorStream(stream, headers)
    return
  }
  seen.push(headers)
  stream.on('end', () => stream.end())
  if (headers[':path'] === '/no') {
    stream.resume()
    stream.respond({ ':status': 403 })
    stream.end('not you')
    return
  }
  // It knows no key, so that what it accepts is not what the client of HTTP/1 asked for.
  stream.respond({ ':status': 200, 'sec-websocket-protocol': 'chat', 'sec-websocket-accept': 'nothing' })
  stream.on('data', (bytes: Buffer) => {
    if (bytes.equals(HI)) stream.write(ANSWER)
    else stream.end()
  })
}

async function start(extended: boolean): Promise<{ upstream: Http2Upstream; proxy: InProcess }> {
  const upstream = await Http2Upstream.listen(service, { settings: { enableConnectProtocol: extended } })
  const route = 'retry: off\nupgrade: { protocols: [websocket], websocket: { ping: off } }'
  const proxy = await InProcess.start(routeTo(upstream.port, { upstream: 'protocol: http2', route }))
  return { upstream, proxy }
}

describe('a service that takes tunnels', () => {
  let upstream: Http2Upstream
  let proxy: InProcess
  before(async () => {
    ;({ upstream, proxy } = await start(true))
  })
  after(async () => {
    await proxy.stop()
    await upstream.close()
  })

  test('an upgrade of HTTP/1 becomes an extended CONNECT, and its answer a 101 with the right key', async () => {
    const client = await proxy.connect()
    client.send(`GET /chat HTTP/1.1\r\n${UPGRADE}`)
    const head = await client.readUntil('\r\n\r\n')
    assert.match(head, /^HTTP\/1\.1 101 /)
    assert.match(head, new RegExp(`\r\nsec-websocket-accept: ${ACCEPT.replaceAll('+', '\\+')}\r\n`))
    assert.equal(head.match(/sec-websocket-accept/g)?.length, 1)
    assert.match(head, /\r\nupgrade: websocket\r\n/)
    assert.match(head, /\r\nsec-websocket-protocol: chat\r\n/)
    const got = seen.at(-1)
    assert.equal(got?.[':protocol'], 'websocket')
    assert.equal(got[':path'], '/chat')
    assert.equal(got['sec-websocket-version'], '13')
    for (const name of ['sec-websocket-key', 'connection', 'upgrade', 'content-length'])
      assert.equal(got[name], undefined, name)
    for (let i = 0; i < 3; i++) {
      client.send(HI)
      await client.readUntil(ANSWER.toString('latin1'))
      client.take(client.unread.length)
    }
    // A close frame ends both ways.
    client.send(Buffer.from([0x88, 0x80, 0, 0, 0, 0]))
    await client.readToEnd()
    client.destroy()
    await proxy.until('the stream is gone', () => upstream.busy === 0)
  })

  test('a refusal passes as what it is', async () => {
    const response = await proxy.ask(`GET /no HTTP/1.1\r\n${UPGRADE}`)
    assert.deepEqual([response.status, response.body.toString()], [403, 'not you'])
    await proxy.until('the stream is gone', () => upstream.busy === 0)
  })

  test('a client that goes takes its tunnel along', async () => {
    const client = await proxy.connect()
    client.send(`GET /chat HTTP/1.1\r\n${UPGRADE}`)
    await client.readUntil('\r\n\r\n')
    assert.equal(upstream.busy, 1)
    client.destroy()
    await proxy.until('the stream is gone', () => upstream.busy === 0)
  })

  test('HTTP/2 on both sides: requests, trailers, and a tunnel', async () => {
    const client = await RawH2.connect(proxy.port())
    const get = await client.over(client.get('/a?b', 'x-a', 'b'))
    assert.equal(get.status, 200)
    const seenThere = streamSeenBy(get.body)
    assert.equal(seenThere.headers[':path'], '/a?b')
    assert.equal(seenThere.headers['via'], '2 outrigger')
    assert.equal(get.headers['via'], '2 outrigger')
    const post = client.request([...pseudo('POST', '/p'), 'content-type', 'application/grpc'], false)
    client.data(post, 'abc')
    client.trailers(post, ['x-sum', '3'])
    const answer = streamSeenBy((await client.over(post)).body)
    assert.deepEqual([answer.body, answer.trailers['x-sum'], answer.headers['te']], ['abc', '3', 'trailers'])
    const tunnel = client.request(
      [
        ':method',
        'CONNECT',
        ':protocol',
        'websocket',
        ':scheme',
        'http',
        ':path',
        '/chat',
        ':authority',
        'a.example',
        'sec-websocket-version',
        '13',
      ],
      false,
    )
    client.data(tunnel, HI)
    await client.until('the answer', () => client.answer(tunnel).body.equals(ANSWER))
    assert.equal(client.answer(tunnel).status, 200)
    assert.equal(client.answer(tunnel).headers['sec-websocket-accept'], undefined)
    client.data(tunnel, Buffer.from([0x88, 0x80, 0, 0, 0, 0]), true)
    await client.over(tunnel)
    assert.equal(upstream.opened, 1)
    client.destroy()
  })
})

test('a service that takes none is not asked, and the log says why', async t => {
  const { upstream, proxy } = await start(false)
  t.after(async () => {
    await proxy.stop()
    await upstream.close()
  })
  const before = upstream.streams
  const response = await proxy.ask(`GET /chat HTTP/1.1\r\n${UPGRADE}`)
  assert.equal(response.status, 502)
  const line = await proxy.accessLine(one => one.status === 502)
  assert.equal(line.reason, 'upstream_bad_response')
  assert.match(String(line['cause']), /no extended CONNECT/)
  assert.equal(upstream.streams, before)
})

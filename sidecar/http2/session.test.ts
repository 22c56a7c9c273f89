import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, test } from 'node:test'
import { BufferedBody, NO_BODY } from '../exchange/body.ts'
import {
  HandSource,
  SessionClient,
  SessionServer,
  StreamRecord,
  answering,
  until,
} from './session-fixture.ts'
import { TestParts } from './session-fixture.ts'

let parts: TestParts
const cleanUp: (() => Promise<void>)[] = []
beforeEach(() => {
  parts = new TestParts()
})
afterEach(async () => {
  for (const one of cleanUp.splice(0).toReversed()) await one()
  parts.check()
})

async function serving(respond: StreamRecord['respond']): Promise<SessionServer> {
  const server = await new SessionServer(parts, respond).listen()
  cleanUp.push(() => server.close())
  return server
}

function nodeClient(port: number): http2.ClientHttp2Session {
  const client = http2.connect(`http://127.0.0.1:${port}`)
  cleanUp.push(async () => {
    if (client.destroyed) return
    client.destroy()
    await once(client, 'close')
  })
  return client
}

async function nodeServer(
  handle: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void,
) {
  const server = http2.createServer()
  const sessions = new Set<http2.Http2Session>()
  server.on('session', session => sessions.add(session))
  server.on('stream', handle)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanUp.push(async () => {
    for (const session of sessions) session.destroy()
    server.close()
    await once(server, 'close')
  })
  return (server.address() as AddressInfo).port // it listens on TCP
}

async function ourClient(port: number): Promise<SessionClient> {
  const client = await SessionClient.connect(port, parts)
  cleanUp.push(() => client.close())
  return client
}

async function textOf(readable: NodeJS.ReadableStream): Promise<string> {
  let text = ''
  for await (const bytes of readable) text += String(bytes)
  return text
}

test('node:http2 as the client: GET, HEAD without a body, POST, trailers both ways', async () => {
  const server = await serving(record => {
    record.take()
    if (record.headers.includes('HEAD')) {
      record.stream?.headers([':status', '204'], true)
      return
    }
    const body = new HandSource()
    record.stream?.headers([':status', '200', 'x-a', 'b'], false)
    record.stream?.pump(body)
    body.sink?.chunk(Buffer.from('hel'), false)
    body.sink?.chunk(Buffer.from('lo'), false)
    body.sink?.end(['x-sum', '1'])
  })
  const client = nodeClient(server.port)
  const get = client.request({ ':path': '/x' })
  const [headers] = await once(get, 'response')
  const trailers = once(get, 'trailers')
  assert.equal(await textOf(get), 'hello')
  assert.equal(headers['x-a'], 'b')
  assert.equal((await trailers)[0]['x-sum'], '1')
  const none = client.request({ ':method': 'HEAD' })
  assert.equal((await once(none, 'response'))[0][':status'], 204)
  const post = client.request({ ':method': 'POST' }, { waitForTrailers: true })
  post.on('wantTrailers', () => post.sendTrailers({ 'x-end': 'yes' }))
  post.write('some ')
  post.end('bytes')
  await textOf(post)
  const record = server.sessions[0]?.record.streams[2]
  assert.equal(record?.body.text, 'some bytes')
  assert.deepEqual(record.body.trailers, ['x-end', 'yes'])
  assert.deepEqual(record.told.toSorted(), ['closed', 'head', 'sent'])
})

test('node:http2 as the server: requests, bodies, trailers, informational heads', async () => {
  const port = await nodeServer((stream, headers) => {
    stream.additionalHeaders({ ':status': 103, link: '</a>' })
    stream.respond({ ':status': 200, 'x-path': headers[':path'] }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-end': 'yes' }))
    stream.pipe(stream)
  })
  const client = await ourClient(port)
  const echo = client.request('POST', '/echo')
  const heads: string[] = []
  echo.respond = (one, headers) => {
    heads.push(headers[1] ?? '')
    if (headers[1] !== '103') one.take()
  }
  echo.stream?.pump(new BufferedBody(Buffer.from('a'.repeat(100_000))))
  await until(() => echo.told.includes('closed'))
  assert.deepEqual(heads, ['103', '200'])
  assert.equal(echo.body.text, 'a'.repeat(100_000))
  assert.deepEqual(echo.body.trailers, ['x-end', 'yes'])
  assert.deepEqual(echo.told, ['head', 'head', 'sent', 'closed'])
  assert.equal(client.session.streams, 0)
  assert.ok(client.record.rooms > 0)
})

test('a large body each way goes through windows that are much smaller', async () => {
  const bytes = Buffer.alloc(3_000_000, 'abcdefghij')
  const server = await serving(record => {
    record.take()
    record.stream?.headers([':status', '200'], false)
    record.stream?.pump(new BufferedBody(bytes))
  })
  const client = await ourClient(server.port)
  const both = client.request('POST')
  both.stream?.pump(new BufferedBody(bytes))
  await until(() => both.told.includes('closed'))
  assert.ok(Buffer.concat(both.body.chunks).equals(bytes))
  const there = server.sessions[0]?.record.streams[0]
  assert.ok(Buffer.concat(there?.body.chunks ?? []).equals(bytes))
})

test('a taker that stops gets no more than a window, and the rest when it goes on', async () => {
  const server = await serving(null)
  const client = nodeClient(server.port)
  const post = client.request({ ':method': 'POST' })
  await until(() => server.sessions[0]?.record.streams.length === 1)
  const record = server.sessions[0]?.record.streams[0]
  assert.ok(record?.stream)
  record.body.willing = false
  post.end(Buffer.alloc(500_000, 'x'))
  await until(() => parts.budget.used > 0 && record.stream?.bytesIn === 65_536)
  assert.ok(record.body.length < 65_536)
  assert.ok(record.stream.stopped)
  record.body.willing = true
  record.stream.body.resume()
  await until(() => record.body.ended)
  assert.equal(record.body.length, 500_000)
})

test('a response that waits for the window stalls, is resumed by credit, and is given up with the stream', async () => {
  const source = new HandSource()
  const server = await serving(record => {
    record.stream?.headers([':status', '200'], false)
    record.stream?.pump(source)
  })
  const client = nodeClient(server.port)
  const get = client.request({})
  get.pause()
  await once(get, 'response')
  while (source.sink?.chunk(Buffer.alloc(50_000), false));
  assert.ok(server.sessions[0]?.record.streams[0]?.stream?.stalled)
  get.resume()
  await until(() => source.resumed === 1)
  get.pause()
  get.close(http2.constants.NGHTTP2_CANCEL)
  await until(() => source.aborted !== null)
  assert.equal(source.aborted?.reason, 'client_gone')
  assert.equal(server.sessions[0]?.record.streams[0]?.error?.cause, 'RST_STREAM CANCEL')
})

test('a source that aborts, or has another length than it said, resets the stream', async () => {
  const server = await serving(record => {
    const source = new HandSource(5)
    record.stream?.headers([':status', '200'], false)
    record.stream?.pump(source)
    source.sink?.chunk(Buffer.from('four'), false)
    source.sink?.end(null)
  })
  const client = nodeClient(server.port)
  const get = client.request({})
  get.resume()
  const [error] = await once(get, 'error')
  assert.match(String(error), /INTERNAL_ERROR/)
  assert.deepEqual(server.sessions[0]?.record.streams[0]?.told, ['head, end', 'reset: internal '])
})

test('the end of a small response stands in its last DATA frame, and one in the head where there is no body', async () => {
  const server = await serving(answering('hello'))
  const client = await ourClient(server.port)
  const before = client.session.frames
  const get = client.request()
  await until(() => get.told.includes('closed'))
  // SETTINGS, its acknowledgement and the window; HEADERS, DATA.
  assert.ok(client.session.frames - before <= 5, `${client.session.frames - before} frames`)
  const again = client.session.frames
  const next = client.request()
  await until(() => next.told.includes('closed'))
  assert.equal(client.session.frames - again, 2)
})

test('GOAWAY of a server: streams that are open go on, the session closes behind them', async () => {
  const source = new HandSource()
  const server = await serving(record => {
    record.stream?.headers([':status', '200'], false)
    record.stream?.pump(source)
  })
  const client = await ourClient(server.port)
  const get = client.request()
  await until(() => get.told.includes('head'))
  server.sessions[0]?.session.goaway(0)
  await until(() => client.record.goaways === 1)
  assert.equal(client.session.open(new StreamRecord()), null)
  source.sink?.chunk(Buffer.from('rest'), false)
  source.sink?.end(null)
  await until(() => get.told.includes('closed'))
  assert.equal(get.body.text, 'rest')
  await until(() => client.record.closes.length === 1)
})

test('REFUSED_STREAM may be repeated, another reset may not', async () => {
  let code = http2.constants.NGHTTP2_REFUSED_STREAM
  const port = await nodeServer(stream => {
    stream.on('error', () => {})
    stream.close(code)
  })
  const client = await ourClient(port)
  const refused = client.request()
  await until(() => refused.error !== null)
  assert.equal(refused.error?.repeatable, 'never_processed')
  code = http2.constants.NGHTTP2_INTERNAL_ERROR
  const broken = client.request()
  await until(() => broken.error !== null)
  assert.equal(broken.error?.repeatable, 'no')
  assert.equal(broken.error?.reason, 'upstream_reset')
})

test('no more streams are opened than the peer takes', async () => {
  const server = http2.createServer({ settings: { maxConcurrentStreams: 2 } })
  server.on('stream', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = await ourClient((server.address() as AddressInfo).port)
  cleanUp.push(async () => {
    server.close()
    await until(() => client.record.closes.length > 0)
  })
  await until(() => client.session.settled)
  const first = client.request()
  client.request()
  assert.equal(client.session.room, 0)
  assert.equal(client.session.open(new StreamRecord()), null)
  first.stream?.reset(8)
  assert.equal(client.session.room, 1)
  assert.deepEqual(first.told, ['sent'])
})

test('a session without streams goes when it has been idle for long enough', async () => {
  const server = await serving(answering('x'))
  const client = await ourClient(server.port)
  const get = client.request()
  await until(() => get.told.includes('closed'))
  parts.step(299_000)
  assert.equal(client.record.goaways, 0)
  parts.step(3000)
  await until(() => client.record.closes.length === 1)
})

test('a body of a head that has ended is none', async () => {
  const server = await serving(record => {
    assert.equal(record.stream?.body, NO_BODY)
    record.stream?.headers([':status', '204'], true)
  })
  const client = await ourClient(server.port)
  const get = client.request()
  await until(() => get.told.includes('closed'))
  assert.deepEqual(get.told, ['sent', 'head, end', 'closed'])
})

// One exchange after another over real sockets: order, half-close, 1xx, bodies that are not there, HTTP/1.0.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { turns } from '../harness/in-process.ts'
import { reasonOf } from '../harness/problem.ts'
import { withSink, withUpstream } from '../harness/proxied.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'

const get = (path: string, fields = ''): string => `GET ${path} HTTP/1.1\r\nhost: a\r\n${fields}\r\n`

test('pipelined requests are answered in order, one at a time upstream', async t => {
  const { upstream, proxy } = await withUpstream(t)
  const client = await proxy.connect()
  client.send(
    get('/1') + get('/here') + `POST /3 HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello` + get('/4'),
  )
  const server = await upstream.accept()
  for (const path of ['/1', '/3', '/4']) {
    const head = await server.readUntil('\r\n\r\n')
    assert.ok(head.includes(` ${path} HTTP/1.1\r\n`), head)
    if (path === '/3') await server.readUntil('hello')
    await turns(10)
    assert.equal(server.unread.length, 0, 'the next one waits for this answer')
    server.send(`HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n${path}`)
    assert.equal((await client.readResponse()).body.toString(), path)
    if (path === '/1') assert.equal((await client.readResponse()).body.toString(), 'here')
  }
  assert.equal(upstream.connections.length, 1)
  client.destroy()
})

test('1,000 pipelined requests, cut anywhere', async t => {
  const { sink, proxy } = await withSink(t)
  const one =
    get('/here') + `POST /up HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`
  const all = Buffer.from(one.repeat(500))
  const client = await proxy.connect()
  for (let at = 0, size = 1; at < all.length; at += size, size = (size * 7) % 3001) {
    client.send(all.subarray(at, at + size))
    if (size % 3 === 0) await turns(1)
  }
  for (let i = 0; i < 500; i++) {
    assert.equal((await client.readResponse()).body.toString(), 'here')
    assert.equal((await client.readResponse()).body.toString(), 'ok')
  }
  assert.equal(sink.requestsSeen().length, 500)
  client.destroy()
})

test('a request behind a body that came before the upstream connection stood is not lost', async t => {
  for (const body of [
    'content-length: 3\r\n\r\nabc',
    'transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
  ]) {
    const { proxy } = await withSink(t)
    const client = await proxy.connect()
    client.send(`POST /up HTTP/1.1\r\nhost: a\r\n${body}` + get('/here'))
    assert.equal((await client.readResponse()).body.toString(), 'ok')
    assert.equal((await client.readResponse()).body.toString(), 'here')
    client.destroy()
  }
})

test('half-close: what was asked before the FIN is answered, pipelined requests too', async t => {
  const { upstream, proxy } = await withUpstream(t)
  const client = await proxy.connect()
  client.send(get('/1') + get('/here') + get('/2'))
  client.half()
  const server = await upstream.accept()
  for (const path of ['/1', '/2']) {
    await server.readUntil('\r\n\r\n')
    server.send(`HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n${path}`)
    assert.equal((await client.readResponse()).body.toString(), path)
    if (path === '/1') assert.equal((await client.readResponse()).body.toString(), 'here')
  }
  assert.equal(await client.readToEnd(), '')
  client.destroy()
})

test('half-close: a response that has begun is delivered; one whose head does not come in 1 s is given up', async t => {
  const { upstream, proxy } = await withUpstream(t, {}, { clock: new SteppedClock() })
  const begun = await proxy.connect()
  begun.send(get('/1'))
  const first = await upstream.accept()
  await first.readUntil('\r\n\r\n')
  first.send('HTTP/1.1 200 OK\r\ncontent-length: 8\r\nconnection: close\r\n\r\nhalf')
  await begun.readUntil('half')
  begun.half()
  await turns(10)
  await proxy.step(20_000, 1000)
  first.send('full')
  assert.equal(await begun.readToEnd(), 'full')
  begun.destroy()
  const silent = await proxy.connect()
  silent.send(get('/2'))
  silent.half()
  const second = await upstream.accept()
  await second.readUntil('\r\n\r\n')
  await proxy.step(2500)
  await second.readToEnd()
  await proxy.accessLine(line => line.reason === 'client_gone' && line.status === 499)
  silent.destroy()
  second.destroy()
})

test('HEAD, 204 and 304 have no body, and the connections go on', async t => {
  const { sink, proxy } = await withSink(t)
  const client = await proxy.connect()
  for (const [method, reply, status, length] of [
    ['HEAD', 'HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n', 200, '1234'],
    ['HEAD', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n', 200, undefined],
    ['HEAD', 'HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n', 404, '0'],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n', 204, undefined],
    ['GET', 'HTTP/1.1 304 Not Modified\r\netag: "x"\r\ncontent-length: 77\r\n\r\n', 304, '77'],
    ['GET', 'HTTP/1.1 304 Not Modified\r\n\r\n', 304, undefined],
    ['GET', 'HTTP/1.1 205 Reset\r\ncontent-length: 0\r\n\r\n', 205, '0'],
  ] as const) {
    sink.reply(reply)
    const response = await client.ask(`${method} /x HTTP/1.1\r\nhost: a\r\n\r\n`, { method })
    assert.equal(response.status, status, reply)
    assert.equal(response.headers['content-length'], length, reply)
    assert.equal((await client.ask(get('/here'))).body.toString(), 'here', reply)
  }
  const here = await client.ask('HEAD /here HTTP/1.1\r\nhost: a\r\n\r\n', { method: 'HEAD' })
  assert.equal(here.headers['content-length'], '4')
  const nowhere = await client.ask('HEAD //nowhere%2f HTTP/1.1\r\nhost: a\r\n\r\n', { method: 'HEAD' })
  assert.equal(nowhere.status, 400)
  assert.equal(sink.connections.length, 1)
  client.destroy()
})

test('HTTP/1.0: never chunked, kept alive only if asked and the length is known, no 1xx', async t => {
  const { sink, proxy } = await withSink(t)
  const chunked = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx: y\r\n\r\n'
  for (const fields of ['', 'connection: keep-alive\r\n']) {
    sink.reply('HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n' + chunked)
    const client = await proxy.connect()
    const response = await client.ask(`GET /x HTTP/1.0\r\n${fields}\r\n`)
    assert.equal(response.framing, 'close')
    assert.equal(response.headers['connection'], 'close')
    assert.equal(response.informational.length, 0)
    assert.equal(response.body.toString(), 'abc')
    client.destroy()
  }
  const kept = await proxy.connect()
  for (let i = 0; i < 3; i++) {
    const response = await kept.ask('GET /x HTTP/1.0\r\nconnection: keep-alive\r\n\r\n')
    assert.equal(response.headers['connection'], 'keep-alive')
    assert.equal(response.body.toString(), 'ok')
  }
  const last = await kept.ask('GET /x HTTP/1.0\r\n\r\n')
  assert.equal(last.headers['connection'], 'close')
  assert.equal(await kept.readToEnd(), '')
  kept.destroy()
  const [seen] = sink.requestsSeen()
  assert.equal(seen?.version, 'HTTP/1.1')
  assert.notEqual(seen.headers['host'], undefined)
  const post = await proxy.ask('POST /x HTTP/1.0\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\nok')
  assert.equal(post.status, 200)
  assert.equal(sink.requestsSeen().at(-1)?.headers['expect'], undefined)
})

test('HTTP/1.0 upstreams: by length, by close, kept alive only if they say so', async t => {
  const { upstream, proxy } = await withUpstream(t)
  for (const [reply, close] of [
    ['HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok', true],
    ['HTTP/1.0 200 OK\r\n\r\nok', true],
    ['HTTP/1.0 200 OK\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\nok', false],
  ] as const) {
    const answer = proxy.ask(get('/x'))
    const server = await upstream.accept()
    await server.readUntil('\r\n\r\n')
    server.send(reply)
    if (reply.includes('OK\r\n\r\n')) server.half()
    const response = await answer
    assert.equal(response.body.toString(), 'ok')
    assert.equal(response.version, 'HTTP/1.1')
    if (close) await server.readToEnd()
    else {
      await turns(10)
      assert.equal(server.ended, false)
    }
    server.destroy()
    await turns(5)
  }
})

test('103 passes, 102 and others do not; the ninth informational head is 502', async t => {
  const { sink, proxy } = await withSink(t)
  const hint = 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\nconnection: x-hop\r\nx-hop: 1\r\n\r\n'.replace(
    'connection: x-hop\r\n',
    '',
  )
  sink.reply(
    hint +
      'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n' +
      hint +
      'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok',
  )
  const response = await proxy.ask(get('/x'))
  assert.deepEqual(
    response.informational.map(one => one.status),
    [103, 103],
  )
  assert.equal(response.informational[0]?.headers['link'], '</a>')
  sink.reply(hint.repeat(8) + 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
  const eight = await proxy.ask(get('/x'))
  assert.equal(eight.status, 200)
  assert.equal(eight.informational.length, 8)
  sink.reply(hint.repeat(9) + 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
  const nine = await proxy.ask(get('/x'))
  assert.equal(nine.status, 502)
  assert.equal(reasonOf(nine), 'upstream_bad_response')
})

test('large bodies both ways arrive unchanged, by length and chunked, in pieces and in one', async t => {
  const { upstream, proxy } = await withUpstream(t)
  const body = Buffer.alloc(3_000_001)
  for (let i = 0; i < body.length; i++) body[i] = (i * 31 + (i >> 8)) & 0xff
  const client = await proxy.connect()
  client.send(`PUT /x HTTP/1.1\r\nhost: a\r\ncontent-length: ${body.length}\r\n\r\n`)
  client.send(body)
  const server = await upstream.accept()
  await server.readUntil('\r\n\r\n')
  assert.ok((await server.read(body.length)).equals(body))
  server.send('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n')
  for (
    let at = 0, size = 1;
    at < body.length;
    at += size, size = Math.min((size * 3 + 1) % 200_003, 200_000) + 1
  ) {
    const piece = body.subarray(at, at + size)
    server.send(`${piece.length.toString(16)}\r\n`)
    server.send(piece)
    server.send('\r\n')
  }
  server.send('0\r\n\r\n')
  const response = await client.readResponse({ timeout: 10_000 })
  assert.ok(response.body.equals(body))
  client.destroy()
})

// Rows 11, 12 and 17 over sockets; every reserved name and every combination is asked of the functions themselves
// (sidecar/proxy/upstream-headers.test.ts).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { reasonOf } from '../harness/problem.ts'
import { withSink } from '../harness/proxied.ts'

const OURS = [
  'via',
  'x-request-id',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'host',
  'content-length',
  'x-added',
]

test('row 11: `connection` cannot take away what we add', async t => {
  const { sink, proxy } = await withSink(t, { route: 'headers: { request: { set: { x-added: ours } } }' })
  for (const name of OURS) {
    const response = await proxy.ask(
      `POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\nconnection: ${name}, close\r\n\r\nok`,
    )
    assert.equal(response.status, 200, name)
    const seen = sink.requestsSeen().at(-1)
    for (const ours of OURS)
      assert.notEqual(seen?.headers[ours], undefined, `${ours} with connection: ${name}`)
    assert.equal(seen?.headers['connection'], undefined)
    assert.equal(seen?.body.toString(), 'ok')
  }
})

test('row 12: fields of one connection end there, both ways; te: trailers stays', async t => {
  const { sink, proxy } = await withSink(t)
  sink.reply(
    [
      'HTTP/1.1 200 OK',
      'connection: x-secret, keep-alive',
      'keep-alive: timeout=5',
      'x-secret: 1',
      'proxy-authenticate: Basic',
      'proxy-connection: keep-alive',
      'upgrade: h2c',
      'set-cookie: a=1',
      'set-cookie: b=2',
      'x-kept: yes',
      'content-length: 2',
      '',
      'ok',
    ].join('\r\n'),
  )
  const response = await proxy.ask(
    [
      'GET /x HTTP/1.1',
      'host: a',
      'connection: x-hop, te, keep-alive',
      'x-hop: 1',
      'keep-alive: timeout=5',
      'proxy-authorization: Basic x',
      'proxy-connection: keep-alive',
      'te: trailers, deflate',
      'x-kept: yes',
      '',
      '',
    ].join('\r\n'),
  )
  const [seen] = sink.requestsSeen()
  for (const name of [
    'connection',
    'x-hop',
    'keep-alive',
    'proxy-authorization',
    'proxy-connection',
    'transfer-encoding',
  ])
    assert.equal(seen?.headers[name], undefined, name)
  assert.equal(seen?.headers['te'], 'trailers')
  assert.equal(seen.headers['x-kept'], 'yes')
  for (const name of [
    'connection',
    'x-secret',
    'keep-alive',
    'proxy-authenticate',
    'proxy-connection',
    'upgrade',
  ])
    assert.equal(response.headers[name], undefined, name)
  assert.equal(response.headers['x-kept'], 'yes')
  assert.deepEqual(
    response.raw.filter(([name]) => name === 'set-cookie').map(([, value]) => value),
    ['a=1', 'b=2'],
  )
})

test('row 17: target and Host that differ, user information, a final dot', async t => {
  const { sink, proxy } = await withSink(t, { listener: 'hosts: [a.example]' })
  for (const [line, host, status] of [
    ['GET http://a.example/x HTTP/1.1', 'a.example', 200],
    ['GET http://a.example:80/x HTTP/1.1', 'a.example', 200],
    ['GET http://A.EXAMPLE/x HTTP/1.1', 'a.example', 200],
    ['GET /x HTTP/1.1', 'A.Example.', 200],
    ['GET http://b.example/x HTTP/1.1', 'a.example', 400],
    ['GET http://a.example/x HTTP/1.1', 'b.example', 400],
    ['GET http://a.example:81/x HTTP/1.1', 'a.example', 400],
    ['GET http://a.example@b.example/x HTTP/1.1', 'a.example', 400],
    ['GET http://user@a.example/x HTTP/1.1', 'a.example', 400],
    ['GET http:///x HTTP/1.1', 'a.example', 400],
    ['GET ftp://a.example/x HTTP/1.1', 'a.example', 400],
    ['GET /x HTTP/1.1', 'user@a.example', 400],
    ['GET /x HTTP/1.1', 'a.example/b', 400],
    ['GET /x HTTP/1.1', 'a.example\xe3\x80\x82', 400],
    ['GET /x HTTP/1.1', 'b.example', 421],
    ['GET /x HTTP/1.1', 'a.example.b.example', 421],
    ['GET /x HTTP/1.1', 'xa.example', 421],
  ] as const) {
    const before = sink.requestsSeen().length
    const response = await proxy.ask(`${line}\r\nhost: ${host}\r\n\r\n`)
    assert.equal(response.status, status, `${line} host ${host}`)
    assert.equal(sink.requestsSeen().length, before + (status === 200 ? 1 : 0))
    if (status === 200) {
      assert.equal(sink.requestsSeen().at(-1)?.target, '/x')
      assert.match(sink.requestsSeen().at(-1)?.headers['host'] ?? '', /^a\.example(:80)?$/)
    }
  }
})

test('row 20: a route to itself ends in 508 after ten passes, and says nothing about us', async t => {
  const { createServer } = await import('node:net')
  const { InProcess } = await import('../harness/in-process.ts')
  const { routeTo } = await import('../harness/configs.ts')
  // A port that is free, and becomes its own upstream.
  const port = await new Promise<number>(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
  const proxy = await InProcess.start(routeTo(port).replace('127.0.0.1:0', `127.0.0.1:${port}`))
  t.after(() => proxy.stop())
  const response = await proxy.ask('GET /loop HTTP/1.1\r\nhost: a\r\n\r\n')
  assert.equal(response.status, 508)
  assert.equal(reasonOf(response), 'loop_detected')
  await proxy.accessLine(line => line.reason === 'loop_detected')
  assert.equal(proxy.access.length, 11)
  assert.doesNotMatch(response.body.toString(), /node|\.ts|at |127\.0\.0\.1/)
  await proxy.serves()
})

test('row 20: neither our answers nor errors name a program, a version or an address', async t => {
  const { proxy } = await withSink(t)
  for (const request of ['GET / HTTP/1.1\r\n\r\n', 'BREW / HTTP/1.1\r\nhost: a\r\n\r\n', '\0']) {
    const response = await proxy.ask(request)
    assert.equal(response.headers['server'], undefined)
    assert.equal(response.headers['x-powered-by'], undefined)
    assert.doesNotMatch(response.body.toString(), /v?26\.|node|\.ts:|127\.0\.0\.1/)
  }
})

test('row 20: the upstream is down: its address is in the log and not in the answer', async t => {
  const { sink, proxy } = await withSink(t)
  await sink.close()
  const response = await proxy.ask('GET /x HTTP/1.1\r\nhost: a\r\n\r\n')
  assert.equal(response.status, 502)
  assert.equal(reasonOf(response), 'upstream_connect_failed')
  assert.doesNotMatch(response.body.toString(), /127\.0\.0\.1|ECONNREFUSED/)
  const line = await proxy.accessLine(one => one.reason === 'upstream_connect_failed')
  assert.match(JSON.stringify(line), /ECONNREFUSED/)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { reasonOf } from '../harness/problem.ts'
import { withSink } from '../harness/proxied.ts'

test('row 10: known methods pass, TRACE and CONNECT are 405, others 501', async t => {
  const { sink, proxy } = await withSink(t)
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
    if (method === 'HEAD') sink.reply('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n')
    const response = await proxy.ask(`${method} /m HTTP/1.1\r\nhost: a\r\n\r\n`, { method })
    assert.equal(response.status, 200, method)
    assert.equal(sink.requestsSeen().at(-1)?.method, method)
  }
  const passed = sink.requestsSeen().length
  for (const method of ['BREW', 'get', 'PROPFIND', 'PRI', 'GETX', 'X-GET', '_', 'M-SEARCH', 'QUERY']) {
    const response = await proxy.ask(`${method} /m HTTP/1.1\r\nhost: a\r\n\r\n`)
    assert.equal(response.status, 501, method)
    assert.equal(reasonOf(response), 'method_unknown')
  }
  const trace = await proxy.ask('TRACE /m HTTP/1.1\r\nhost: a\r\ncookie: secret=1\r\n\r\n')
  assert.equal(trace.status, 405)
  assert.equal(reasonOf(trace), 'method_not_allowed')
  assert.ok(!trace.body.includes('secret'), 'nothing is reflected')
  for (const target of ['a:80', 'a:443', '127.0.0.1:22', '169.254.169.254:80', `127.0.0.1:${sink.port}`]) {
    const client = await proxy.connect()
    const response = await client.ask(`CONNECT ${target} HTTP/1.1\r\nhost: ${target}\r\n\r\n`)
    assert.equal(response.status, 405, target)
    assert.ok((response.headers['allow'] ?? '').includes('GET'))
    client.destroy()
  }
  assert.equal(sink.requestsSeen().length, passed)
  await proxy.serves()
})

test('row 10: fields that would make another method of it do not pass', async t => {
  const { sink, proxy } = await withSink(t, { route: 'match: { methods: [GET] }' })
  const fields = ['x-http-method-override', 'x-http-method', 'x-method-override', 'X_HTTP_METHOD_OVERRIDE']
    .map(name => `${name}: DELETE\r\n`)
    .join('')
  assert.equal((await proxy.ask(`GET /m HTTP/1.1\r\nhost: a\r\n${fields}\r\n`)).status, 200)
  const [seen] = sink.requestsSeen()
  assert.ok(!seen?.raw.some(([name]) => /method/i.test(name)))
  const refused = await proxy.ask(`DELETE /m HTTP/1.1\r\nhost: a\r\n\r\n`)
  assert.equal(refused.status, 405)
  assert.equal(reasonOf(refused), 'method_not_allowed')
  assert.match(refused.headers['allow'] ?? '', /^GET, ?HEAD$/)
})

const OUTBOUND = (port: number): string => `version: 1
service: test
listeners:
  - name: out
    role: outbound
    address: 127.0.0.1:0
    upstreams: [users]
upstreams:
  users: { endpoints: ["127.0.0.1:${port}"] }
`

test('row 10: CONNECT on outbound: only to a routed host, its inside is read as requests of that host, once', async t => {
  const { InProcess } = await import('../harness/in-process.ts')
  const { RecordingSink } = await import('../harness/raw-upstream.ts')
  const sink = await RecordingSink.listen()
  const proxy = await InProcess.start(OUTBOUND(sink.port))
  t.after(async () => {
    await sink.close()
    await proxy.stop()
  })
  for (const [target, status] of [
    ['169.254.169.254:80', 502],
    ['other:80', 502],
    [`127.0.0.1:${sink.port}`, 502],
    ['users', 400],
    ['users:0', 400],
    ['u@users:80', 400],
  ] as const) {
    const response = await proxy.ask(`CONNECT ${target} HTTP/1.1\r\nhost: users:80\r\n\r\n`)
    assert.equal(response.status, status, target)
  }
  const client = await proxy.connect()
  // The inside may come before our answer.
  client.send('CONNECT users:80 HTTP/1.1\r\nhost: users:80\r\n\r\nGET /early HTTP/1.1\r\nhost: users\r\n\r\n')
  const accepted = await client.readUntil('\r\n\r\n')
  assert.equal(accepted, 'HTTP/1.1 200 OK\r\n\r\n')
  assert.equal((await client.readResponse()).status, 200)
  assert.equal((await client.ask('GET /two HTTP/1.1\r\nhost: users\r\n\r\n')).status, 200)
  assert.deepEqual(
    sink.requestsSeen().map(request => request.target),
    ['/early', '/two'],
  )
  const other = await client.ask('GET /three HTTP/1.1\r\nhost: other\r\n\r\n')
  assert.equal(other.status, 421)
  assert.equal(reasonOf(other), 'forbidden_host')
  const again = await client.ask('CONNECT users:80 HTTP/1.1\r\nhost: users:80\r\n\r\n')
  assert.equal(again.status, 400)
  client.destroy()
  // Not HTTP inside: TLS for somebody else.
  const tls = await proxy.connect()
  tls.send('CONNECT users:80 HTTP/1.1\r\nhost: users:80\r\n\r\n\x16\x03\x01\x02\x00')
  await tls.readUntil('HTTP/1.1 200 OK\r\n\r\n')
  assert.equal((await tls.readResponse()).status, 400)
  assert.equal(await tls.readToEnd(), '')
  tls.destroy()
  assert.equal(sink.requestsSeen().length, 2)
})

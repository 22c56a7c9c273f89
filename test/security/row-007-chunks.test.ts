import assert from 'node:assert/strict'
import { test } from 'node:test'
import { reasonOf } from '../harness/problem.ts'
import { withSink, withUpstream } from '../harness/proxied.ts'

const CHUNKED = 'POST /up HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n'

test('row 7: 1 MB of extensions, in one line or spread over chunks: 400, and the upstream sees no whole request', async t => {
  const { sink, proxy } = await withSink(t)
  for (const flood of [
    `5;${'x'.repeat(1_000_000)}`,
    `5;x="${'y'.repeat(1_000_000)}"\r\nhello\r\n0\r\n\r\n`,
    '1;a=bcdefgh\r\nx\r\n'.repeat(60_000) + '0\r\n\r\n',
    '1;a\r\nx\r\n'.repeat(300) + `0;${'z'.repeat(20_000)}\r\n\r\n`,
  ]) {
    const client = await proxy.connect()
    client.send(CHUNKED + flood)
    const response = await client.readResponse()
    assert.equal(response.status, 400)
    assert.equal(reasonOf(response), 'bad_request')
    assert.equal(response.headers['connection'], 'close')
    assert.equal(await client.readToEnd(), '')
    client.destroy()
  }
  assert.equal(sink.requestsSeen().length, 0)
  await proxy.serves()
})

test('row 7: a body of one-byte chunks passes, and none of its extensions does', async t => {
  const { sink, proxy } = await withSink(t)
  const response = await proxy.ask(CHUNKED + '1;q=1\r\nx\r\n'.repeat(1000) + '0\r\n\r\n')
  assert.equal(response.status, 200)
  assert.equal(sink.requestsSeen()[0]?.body.toString(), 'x'.repeat(1000))
  assert.ok(!sink.bytes[0]?.includes('q=1'))
})

test('row 7: trailers stay trailers, without those that say who asks; framing in a trailer is 400', async t => {
  const { sink, proxy } = await withSink(t)
  const trailers = 'x-checksum: 1\r\nauthorization: Basic YTpi\r\ncookie: a=b\r\nx-forwarded-for: 1.2.3.4\r\n'
  const response = await proxy.ask(`${CHUNKED}5\r\nhello\r\n0\r\n${trailers}\r\n`)
  assert.equal(response.status, 200)
  const seen = sink.requestsSeen()[0]
  assert.deepEqual(seen?.trailers, [['x-checksum', '1']])
  for (const name of ['authorization', 'cookie', 'x-checksum']) assert.equal(seen.headers[name], undefined)
  for (const trailer of [
    'transfer-encoding: chunked',
    'content-length: 5',
    'host: b',
    'x: a\0',
    'x : a',
    ' x: a',
  ]) {
    const refused = await proxy.ask(`${CHUNKED}0\r\n${trailer}\r\n\r\n`)
    assert.equal(refused.status, 400, trailer)
  }
  const many = 'a: 1\r\n'.repeat(101)
  assert.notEqual((await proxy.ask(`${CHUNKED}0\r\n${many}\r\n`)).status, 200)
  assert.equal(sink.requestsSeen().length, 1)
  await proxy.serves()
})

test('row 7: what an identity trailer claims never reaches the upstream as one', async t => {
  const { sink, proxy } = await withSink(t)
  const claims = [
    'x-forwarded-for',
    'x-forwarded-host',
    'x-real-ip',
    'x-request-id',
    'x-original-url',
    'x-user-id',
    'x_user_id',
  ]
  const lines = claims.map(name => `${name}: evil\r\n`).join('')
  const response = await proxy.ask(`${CHUNKED}0\r\n${lines}\r\n`)
  assert.equal(response.status, 200)
  const seen = sink.requestsSeen()[0]
  assert.deepEqual(seen?.trailers, [])
})

test('row 7: response trailers reach the client as trailers, extensions and hop-by-hop ones do not', async t => {
  const { sink, proxy } = await withSink(t)
  sink.reply(
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: grpc-status\r\n\r\n3;x=y\r\nabc\r\n0;z\r\ngrpc-status: 0\r\nset-cookie: a=b\r\n\r\n',
  )
  const response = await proxy.ask('GET /t HTTP/1.1\r\nhost: a\r\nte: trailers\r\n\r\n')
  assert.equal(response.body.toString(), 'abc')
  assert.deepEqual(response.trailers, [['grpc-status', '0']])
  assert.equal(response.headers['set-cookie'], undefined)
  assert.equal(sink.requestsSeen()[0]?.headers['te'], 'trailers')
})

test('row 7: a broken chunk of the upstream, after the head is out: the client sees an abort', async t => {
  const { upstream, proxy } = await withUpstream(t)
  for (const broken of [
    'zz\r\n',
    '5;' + 'x'.repeat(20_000),
    '5\r\nhelloXX',
    '0\r\ncontent-length: 1\r\n\r\n',
    '-1\r\n',
  ]) {
    const client = await proxy.connect()
    client.send('GET /t HTTP/1.1\r\nhost: a\r\n\r\n')
    const server = await upstream.accept()
    await server.readUntil('\r\n\r\n')
    server.send('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n')
    await client.readUntil('abc\r\n')
    server.send(broken)
    const rest = await client.readToEnd()
    assert.ok(!rest.includes('0\r\n\r\n'), `${broken.slice(0, 20)}: ${JSON.stringify(rest)}`)
    client.destroy()
    await server.readToEnd()
    server.destroy()
  }
  await proxy.serves()
})

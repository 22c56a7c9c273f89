import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { routeTo } from '../harness/configs.ts'
import { InProcess } from '../harness/in-process.ts'
import { RecordingSink } from '../harness/raw-upstream.ts'
import { reasonOf } from '../harness/problem.ts'
import { withSink, withUpstream } from '../harness/proxied.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'

const MIB = 1_048_576

/**
 * A client that writes its whole body before it reads a byte, as many libraries do: the answer must still be there when
 * it begins to read, and no reset may have thrown it away. It runs on a thread of its own, so that it really blocks.
 */
const BLOCKING = `
  const { parentPort, workerData } = require('node:worker_threads')
  const net = require('node:net')
  const { port, head, bytes, times } = workerData
  const body = Buffer.alloc(65536, 'x')
  const one = () => new Promise(done => {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    let answer = ''
    let left = bytes
    socket.pause()
    socket.on('error', error => done('error ' + error.code + ' ' + answer.slice(0, 40)))
    socket.write(head)
    const write = () => {
      while (left > 0) {
        left -= body.length
        if (!socket.write(body)) { socket.once('drain', write); return }
      }
      socket.on('data', more => { answer += more.toString('latin1') })
      socket.on('end', () => { done(answer); socket.destroy() })
      socket.resume()
    }
    write()
  })
  const run = async () => {
    const answers = []
    for (let i = 0; i < times; i++) answers.push(await one())
    parentPort.postMessage(answers)
  }
  run()
`

async function blockingPosts(port: number, head: string, bytes: number, times: number): Promise<string[]> {
  const worker = new Worker(BLOCKING, { eval: true, workerData: { port, head, bytes, times } })
  const [answers] = (await once(worker, 'message')) as [string[]] // the program above posts this and nothing else
  await worker.terminate()
  return answers
}

for (const [what, path, framing, status, reason] of [
  ['no route', '/nowhere', `content-length: ${10 * MIB}`, 404, 'no_route'],
  ['too large', '/up', `content-length: ${10 * MIB}`, 413, 'request_too_large'],
] as const) {
  test(`row 5: a 10 MiB POST, ${what}: a client that writes first gets its answer, 40 of 40`, async () => {
    const sink = await RecordingSink.listen()
    const proxy = await InProcess.start(
      routeTo(sink.port, { route: 'match: { path: /up }\nrequestSize: 1MiB' }),
    )
    const head = `POST ${path} HTTP/1.1\r\nhost: a\r\n${framing}\r\n\r\n`
    const answers = await blockingPosts(proxy.port(), head, 10 * MIB, 40)
    assert.equal(answers.length, 40)
    for (const answer of answers) {
      assert.match(
        answer,
        new RegExp(`^HTTP/1\\.1 ${status} .*connection: close\r\n.*"reason":"${reason}"`, 's'),
      )
    }
    assert.equal(sink.requestsSeen().length, 0)
    await proxy.serves()
    await proxy.stop()
    await sink.close()
  })
}

test('row 5: a chunked body that grows too large on the way up', async t => {
  const { sink, proxy } = await withSink(t, { route: 'requestSize: 64KiB' })
  const head = 'POST /up HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n200000\r\n'
  const answers = await blockingPosts(proxy.port(), head, 2 * MIB, 10)
  for (const answer of answers) {
    assert.match(answer, /^HTTP\/1\.1 413 .*connection: close\r\n.*"reason":"request_too_large"/s)
  }
  assert.equal(sink.requestsSeen().length, 0, 'the upstream never sees a request that looks complete')
  await proxy.serves()
})

test('row 5: the rest of a short body is read, and the connection works on', async t => {
  const { sink, proxy } = await withSink(t, { route: 'match: { path: /up }\nrequestSize: 1KiB' })
  for (const path of ['/nowhere', '/up']) {
    for (const length of [1, 5000, 65_536]) {
      if (path === '/up' && length < 1024) continue
      for (const withHead of [0, Math.min(length, 900), length]) {
        const client = await proxy.connect()
        client.send(
          `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-length: ${length}\r\n\r\n${'x'.repeat(withHead)}`,
        )
        const refused = await client.readResponse()
        assert.equal(refused.status, path === '/up' ? 413 : 404)
        assert.equal(refused.headers['connection'], undefined)
        client.send('x'.repeat(length - withHead) + 'GET /here HTTP/1.1\r\nhost: a\r\n\r\n')
        const next = await client.readResponse()
        assert.equal(next.body.toString(), 'here', `${path} ${length} ${withHead}`)
        client.destroy()
      }
    }
  }
  assert.equal(sink.requestsSeen().length, 0)
})

test('row 5: an upstream that answers before it has the body: the answer arrives, its connection is not reused', async t => {
  const { upstream, proxy } = await withUpstream(t)
  const client = await proxy.connect()
  client.send('POST /up HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\nsome')
  const first = await upstream.accept()
  await first.readUntil('some')
  first.send('HTTP/1.1 401 No\r\ncontent-length: 2\r\n\r\nno')
  const response = await client.readResponse()
  assert.equal(response.status, 401)
  assert.equal(response.body.toString(), 'no')
  // The upstream's connection ends in a request that is visibly incomplete.
  await first.readToEnd()
  client.send('x'.repeat(500_000))
  await client.readToEnd()
  client.destroy()
  const again = proxy.ask('GET /again HTTP/1.1\r\nhost: a\r\n\r\n')
  const second = await upstream.accept()
  await second.readUntil('\r\n\r\n')
  second.send('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
  assert.equal((await again).status, 200)
})

test('row 5: the early answer of an upstream that then closes reaches the client', async t => {
  const { upstream, proxy } = await withUpstream(t)
  for (let i = 0; i < 20; i++) {
    const client = await proxy.connect()
    client.send('POST /up HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n')
    const connection = await upstream.accept()
    await connection.readUntil('\r\n\r\n')
    connection.send('HTTP/1.1 413 Large\r\ncontent-length: 5\r\nconnection: close\r\n\r\nlarge')
    connection.half()
    client.send('x'.repeat(200_000))
    const response = await client.readResponse()
    assert.equal(response.status, 413)
    assert.equal(response.body.toString(), 'large')
    client.destroy()
  }
  await proxy.serves()
})

test('row 5: a client that never stops sending is cut after 2 s of the clock', async () => {
  const { SteppedClock } = await import('../harness/stepped-clock.ts')
  const proxy = await InProcess.start(routeTo(1, { route: 'match: { path: /up }' }), {
    clock: new SteppedClock(),
  })
  const socket = net.connect({ port: proxy.port(), host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => {})
  socket.write(`POST /nowhere HTTP/1.1\r\nhost: a\r\ncontent-length: ${100 * MIB}\r\n\r\n`)
  const [answer] = (await once(socket, 'data')) as [Buffer]
  assert.match(answer.toString(), /^HTTP\/1\.1 404 /)
  assert.equal(proxy.connections, 1)
  await proxy.step(1800)
  assert.equal(proxy.connections, 1, 'it lingers')
  socket.write('x')
  await proxy.step(500)
  await proxy.until('the end of the connection', () => proxy.connections === 0)
  socket.destroy()
  await proxy.stop()
})

test('row 5: reasons of refused bodies are problem+json', async () => {
  const proxy = await InProcess.start(routeTo(1, { route: 'requestSize: 1KiB' }))
  const response = await proxy.ask('POST /up HTTP/1.1\r\nhost: a\r\ncontent-length: 1025\r\n\r\n')
  assert.equal(reasonOf(response), 'request_too_large')
  await proxy.stop()
})

test('row 5: at most 256 connections linger, what is beyond closes at once', async t => {
  const clock = new SteppedClock()
  const { proxy } = await withSink(t, {}, { clock })
  const { lingering } = proxy.service.acceptors
  const clients = await Promise.all(Array.from({ length: 300 }, () => proxy.connect()))
  // None reads its answer out, sends its body, or closes.
  for (const client of clients)
    client.send('POST /here HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n')
  await proxy.until('all answered', () => proxy.access.length === 300)
  assert.deepEqual(lingering, { active: 256, cut: 44 })
  await proxy.until('those beyond are gone', () => proxy.connections === 256)
  for (const client of clients) assert.equal((await client.readResponse()).status, 200)
  assert.match(await proxy.metrics(), /^outrigger_lingering_connections 256$/m)
  assert.match(await proxy.metrics(), /^outrigger_lingering_cut_total 44$/m)
  await proxy.step(2300)
  await proxy.until('all gone', () => proxy.connections === 0)
  assert.equal(lingering.active, 0)
  for (const client of clients) client.destroy()
})

const LARGE = 'POST /up HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\nsome'
const CHUNKED = 'POST /up HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n4\r\nsome\r\n'

for (const [what, request, reply] of [
  ['an error with a length', LARGE, 'HTTP/1.1 401 No\r\ncontent-length: 2\r\n\r\nno'],
  ['an error in chunks', LARGE, 'HTTP/1.1 401 No\r\ntransfer-encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n'],
  ['a success with a length', LARGE, 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno'],
  ['one without a body', LARGE, 'HTTP/1.1 204 No Content\r\n\r\n'],
  ['an error to a body without a length', CHUNKED, 'HTTP/1.1 401 No\r\ncontent-length: 2\r\n\r\nno'],
] as const)
  test(`row 5: an early answer that ends the connection says so: ${what}`, async t => {
    const { upstream, proxy } = await withUpstream(t)
    const client = await proxy.connect()
    client.send(request)
    const server = await upstream.accept()
    await server.readUntil('some')
    server.send(reply)
    const response = await client.readResponse()
    assert.equal(response.headers['connection'], 'close')
    await client.readToEnd()
    client.destroy()
  })

test('row 5: an early answer does not end a connection whose rest is short, nor one that streams both ways', async t => {
  const { upstream, proxy } = await withUpstream(t)
  const client = await proxy.connect()
  client.send('POST /up HTTP/1.1\r\nhost: a\r\ncontent-length: 60000\r\n\r\nsome')
  const first = await upstream.accept()
  await first.readUntil('some')
  first.send('HTTP/1.1 401 No\r\ncontent-length: 2\r\n\r\nno')
  assert.equal((await client.readResponse()).headers['connection'], undefined)
  client.send('x'.repeat(59_996) + CHUNKED)
  const second = await upstream.accept()
  await second.readUntil('some')
  second.send('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n')
  assert.doesNotMatch(await client.readUntil('\r\n\r\n'), /connection/i)
  client.send('0\r\n\r\n')
  await second.readUntil('0\r\n\r\n')
  second.send('0\r\n\r\n')
  await client.readUntil('0\r\n\r\n')
  assert.equal((await client.ask('GET /here HTTP/1.1\r\nhost: a\r\n\r\n')).status, 200)
  client.destroy()
})

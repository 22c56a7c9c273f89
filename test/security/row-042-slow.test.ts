import assert from 'node:assert/strict'
import { test } from 'node:test'
import { turns } from '../harness/in-process.ts'
import { reasonOf } from '../harness/problem.ts'
import { withSink, withUpstream } from '../harness/proxied.ts'
import { RawClient } from '../harness/raw-client.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'
import { slowHeads } from './slow-heads.ts'

test('row 42: 200 clients that send a head byte by byte are gone after its 10 s, others are served meanwhile', t =>
  slowHeads(t, 200))

test('row 42: silent connections: before a first request 10 s, between two requests 75 s', async t => {
  const { proxy } = await withSink(t, {}, { clock: new SteppedClock() })
  const silent = await proxy.connect()
  const used = await proxy.connect()
  assert.equal((await used.ask('GET /here HTTP/1.1\r\nhost: a\r\n\r\n')).status, 200)
  await proxy.step(9800, 200)
  assert.equal(silent.ended, false)
  await proxy.step(400)
  // No request was begun, so nothing is answered.
  assert.equal(await silent.readToEnd(), '')
  await proxy.step(64_500, 500)
  assert.equal(used.ended, false)
  await proxy.step(1000)
  assert.equal(await used.readToEnd(), '')
  silent.destroy()
  used.destroy()
})

test('row 42: a head that begins at the end of the idle time has its 10 s, and not more by dripping', async t => {
  const { proxy } = await withSink(t, {}, { clock: new SteppedClock() })
  const client = await proxy.connect()
  await client.ask('GET /here HTTP/1.1\r\nhost: a\r\n\r\n')
  await proxy.step(74_000, 500)
  client.send('G')
  await turns(5)
  await proxy.step(9000, 500)
  assert.equal(client.ended, false)
  client.send('E')
  await turns(5)
  await proxy.step(1500)
  assert.equal((await client.readResponse()).status, 408)
  client.destroy()
})

for (const framing of ['content-length: 1000000', 'transfer-encoding: chunked'] as const) {
  test(`row 43: a body that stands still is 408 after 30 s (${framing})`, async t => {
    const { upstream, proxy } = await withUpstream(t, {}, { clock: new SteppedClock() })
    const client = await proxy.connect()
    client.send(`POST /x HTTP/1.1\r\nhost: a\r\n${framing}\r\n\r\na000\r\n${'x'.repeat(40_960)}\r\n`)
    const server = await upstream.accept()
    await server.readUntil('xxx')
    await proxy.step(29_000, 500)
    assert.equal(client.ended, false)
    await proxy.step(3000, 500)
    const response = await client.readResponse()
    assert.equal(response.status, 408)
    assert.equal(reasonOf(response), 'request_timeout')
    assert.equal(await client.readToEnd(), '')
    // The upstream's request must not look complete.
    assert.ok(!(await server.readToEnd()).includes('0\r\n\r\n'))
    client.destroy()
    server.destroy()
    await proxy.serves()
  })

  test(`row 43: a body that drips is 408 once it is below 1 KiB/s after 10 s (${framing})`, async t => {
    const { upstream, proxy } = await withUpstream(t, {}, { clock: new SteppedClock() })
    const client = await proxy.connect()
    client.send(`POST /x HTTP/1.1\r\nhost: a\r\n${framing}\r\n\r\n`)
    const server = await upstream.accept()
    let seconds = 0
    for (; seconds < 20 && client.unread.length === 0; seconds++) {
      client.send('1\r\nx\r\n')
      await turns(3)
      await proxy.step(1000, 500)
    }
    assert.ok(seconds >= 10 && seconds <= 13, `${seconds} s`)
    assert.equal((await client.readResponse()).status, 408)
    client.destroy()
    server.destroy()
    await proxy.serves()
  })
}

test('row 43: a body of 2 KiB/s goes on for minutes', async t => {
  const { upstream, proxy } = await withUpstream(t, {}, { clock: new SteppedClock() })
  const client = await proxy.connect()
  client.send('POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 204800\r\n\r\n')
  const server = await upstream.accept()
  for (let second = 0; second < 100; second++) {
    client.send('x'.repeat(2048))
    await turns(3)
    await proxy.step(1000, 1000)
  }
  await server.readUntil('\r\n\r\n')
  assert.equal((await server.read(204_800)).length, 204_800)
  server.send('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
  assert.equal((await client.readResponse()).status, 200)
  client.destroy()
})

test('row 43: while the upstream takes nothing, it is not the client that is slow', async t => {
  const { upstream, proxy } = await withUpstream(t, {}, { clock: new SteppedClock() })
  const client = await proxy.connect()
  client.send('POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 8000000\r\n\r\n')
  const server = await upstream.accept()
  server.socket.pause()
  client.send(Buffer.alloc(8_000_000))
  await turns(200)
  await proxy.step(60_000, 1000)
  assert.equal(client.unread.length, 0)
  server.socket.resume()
  await server.readUntil('\r\n\r\n')
  await server.read(8_000_000)
  server.send('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
  assert.equal((await client.readResponse()).status, 200)
  client.destroy()
})

test('a client that resets in the middle of an upload is noticed although nothing of it is read', async t => {
  const { upstream, proxy } = await withUpstream(
    t,
    { route: 'requestSize: off' },
    { clock: new SteppedClock() },
  )
  const client = await proxy.connect()
  client.send('POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 20000000\r\n\r\n')
  const server = await upstream.accept()
  server.socket.pause()
  client.send(Buffer.alloc(20_000_000))
  await turns(500)
  await proxy.step(2000)
  assert.equal(proxy.access.length, 0)
  client.reset()
  await turns(20)
  await proxy.step(1500)
  const line = await proxy.accessLine(one => one.reason === 'client_gone')
  assert.equal(line['cause'], 'reset')
  server.socket.resume()
  await server.readToEnd()
})

test('a client that closes in the middle of an upload is noticed although the upstream takes nothing', async t => {
  const { upstream, proxy } = await withUpstream(
    t,
    { route: 'requestSize: off' },
    { clock: new SteppedClock() },
  )
  const client = await proxy.connect()
  client.send('POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 50000000\r\n\r\n')
  const server = await upstream.accept()
  server.socket.pause()
  // In pieces, each of which is read before the next: the client has said all that it has to say when it is stopped.
  for (let pieces = 0; proxy.service.budget.used < 200_000; pieces++) {
    assert.ok(pieces < 1000, 'the upstream takes it all')
    client.send(Buffer.alloc(32_768))
    await turns(4)
  }
  client.half()
  await proxy.accessLine(one => one.reason === 'body_aborted')
  server.socket.resume()
  await server.readToEnd()
  client.destroy()
})

test('row 44: a client that takes no byte for 60 s is cut; the upstream stopped long before', async t => {
  const { upstream, proxy } = await withUpstream(t, {}, { clock: new SteppedClock() })
  const client = await proxy.connect()
  client.send('GET /x HTTP/1.1\r\nhost: a\r\n\r\n')
  const server = await upstream.accept()
  await server.readUntil('\r\n\r\n')
  client.socket.pause()
  server.send('HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n')
  const piece = Buffer.alloc(1_000_000, 'x')
  for (let i = 0; i < 100; i++) server.send(piece)
  await turns(300)
  assert.ok(server.socket.writableLength > 50_000_000, 'back-pressure reaches the upstream')
  const held = proxy.service.budget.used
  assert.ok(held <= 4 * 65_536, `${held} bytes are held`)
  await proxy.step(58_000, 1000)
  assert.equal(proxy.connections, 1)
  await proxy.step(5000, 1000)
  await proxy.until('the end', () => proxy.connections === 0)
  await proxy.accessLine(line => line.reason === 'client_gone')
  client.destroy()
  server.destroy()
  await proxy.serves()
})

test('row 44: an upstream response that stands still is cut after the idle time', async t => {
  const { upstream, proxy } = await withUpstream(
    t,
    { route: 'timeout: { idle: 20s }' },
    { clock: new SteppedClock() },
  )
  const client = await proxy.connect()
  client.send('GET /x HTTP/1.1\r\nhost: a\r\n\r\n')
  const server = await upstream.accept()
  await server.readUntil('\r\n\r\n')
  server.send('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc')
  await client.readUntil('abc')
  await proxy.step(19_000, 500)
  assert.equal(client.ended, false)
  await proxy.step(8000, 500)
  assert.equal(await client.readToEnd(), '')
  await proxy.accessLine(line => line.reason === 'upstream_idle')
  await server.readToEnd()
  client.destroy()
  server.destroy()
})

test('row 45: connections beyond the cap are refused at once, and room comes back', async t => {
  const { proxy } = await withSink(t, { listener: 'limits: { connections: 5 }' })
  const open = await Promise.all(Array.from({ length: 5 }, () => proxy.connect()))
  await proxy.until('five connections', () => proxy.connections === 5)
  for (let i = 0; i < 20; i++) {
    // The reset may come before the client hears that it is connected.
    const end = await RawClient.connect(proxy.port()).then(
      refused => refused.closed(),
      (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
    )
    assert.equal(end, 'ECONNRESET')
  }
  // Those that are in are served.
  for (const client of open)
    assert.equal((await client.ask('GET /here HTTP/1.1\r\nhost: a\r\n\r\n')).status, 200)
  open.pop()?.destroy()
  await proxy.until('room', () => proxy.connections === 4)
  const next = await proxy.connect()
  assert.equal((await next.ask('GET /here HTTP/1.1\r\nhost: a\r\n\r\n')).status, 200)
  for (const client of [...open, next]) client.destroy()
})

test('row 45: the cap of one address is not for this machine', async t => {
  const { proxy } = await withSink(t, { listener: 'limits: { connectionsPerAddress: 1 }' })
  const open = await Promise.all(Array.from({ length: 3 }, () => proxy.connect()))
  for (const client of open) {
    assert.equal((await client.ask('GET /here HTTP/1.1\r\nhost: a\r\n\r\n')).status, 200)
    client.destroy()
  }
})

test('row 46: a body of the cap passes, one byte more is 413, counted by length or as it comes', async t => {
  const { sink, proxy } = await withSink(t, { route: 'requestSize: 10KiB' })
  const cap = 10_240
  const chunks = (size: number, chunk: number): string => {
    let text = ''
    for (let left = size; left > 0; left -= chunk) {
      const n = Math.min(chunk, left)
      text += `${n.toString(16)}\r\n${'x'.repeat(n)}\r\n`
    }
    return text + '0\r\n\r\n'
  }
  const requests: [string, number][] = []
  for (const size of [cap - 1, cap, cap + 1, cap * 10]) {
    const status = size > cap ? 413 : 200
    requests.push([`content-length: ${size}\r\n\r\n${'x'.repeat(size)}`, status])
    for (const chunk of [100, 4096, 1_000_000])
      requests.push([`transfer-encoding: chunked\r\n\r\n${chunks(size, chunk)}`, status])
  }
  for (const [rest, status] of requests) {
    const before = sink.requestsSeen().length
    const response = await proxy.ask(`POST /x HTTP/1.1\r\nhost: a\r\n${rest}`)
    assert.equal(response.status, status, rest.slice(0, 40))
    if (status === 413) assert.equal(reasonOf(response), 'request_too_large')
    assert.equal(sink.requestsSeen().length - before, status === 200 ? 1 : 0)
  }
  // What was cut off at the cap never looks whole.
  for (const rest of sink.unfinished()) assert.ok(!rest.includes('0\r\n\r\n'))
  await proxy.serves()
})

test('row 46: `requestSize: off` lets a route stream, and memory stays bounded', async t => {
  const { upstream, proxy } = await withUpstream(t, { route: 'requestSize: off' })
  const client = await proxy.connect()
  client.send('POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 30000000\r\n\r\n')
  client.send(Buffer.alloc(30_000_000, 'y'))
  const server = await upstream.accept()
  let most = 0
  server.socket.on('data', () => (most = Math.max(most, proxy.service.budget.used)))
  await server.readUntil('\r\n\r\n')
  await server.read(30_000_000, 10_000)
  assert.ok(most <= 8 * 65_536, `${most} bytes were held`)
  server.send('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
  assert.equal((await client.readResponse()).status, 200)
  client.destroy()
})

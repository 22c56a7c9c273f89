// What a connection may carry after something did not go to its end: the client's, and that to the service.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { turns } from '../harness/in-process.ts'
import { reasonOf } from '../harness/problem.ts'
import { withUpstream } from '../harness/proxied.ts'
import type { RawConnection } from '../harness/raw-connection.ts'

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'
const get = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`

async function answered(server: RawConnection, until = '\r\n\r\n'): Promise<void> {
  await server.readUntil(until)
  server.send(OK)
}

for (const [method, body, repeated] of [
  ['GET', '', true],
  ['DELETE', '', true],
  ['PUT', 'x'.repeat(10_000), true],
  ['PUT', 'x'.repeat(200_000), false],
  ['POST', '', false],
  ['POST', 'hello', false],
  ['PATCH', 'hello', false],
] as const) {
  test(`the reuse race: ${method} with ${body.length} bytes is ${repeated ? 'sent once more, whole' : '502'}`, async t => {
    const { upstream, proxy } = await withUpstream(t)
    const client = await proxy.connect()
    client.send(get('/first'))
    const first = await upstream.accept()
    await answered(first)
    await client.readResponse()
    await turns(5)
    const length = method === 'GET' || method === 'DELETE' ? '' : `content-length: ${body.length}\r\n`
    client.send(`${method} /x HTTP/1.1\r\nhost: a\r\n${length}\r\n${body}`)
    // The service gives the connection up in the moment in which we use it again.
    await first.readUntil(`${method} /x `)
    if (body !== '') await first.readUntil(body.slice(0, 5))
    if (body.length > 100_000) await first.read(150_000)
    first.reset()
    if (repeated) {
      const second = await upstream.accept()
      const head = await second.readUntil('\r\n\r\n')
      assert.ok(head.startsWith(`${method} /x `))
      assert.equal((await second.read(body.length)).toString(), body)
      second.send(OK)
      assert.equal((await client.readResponse()).body.toString(), 'ok')
      second.destroy()
    } else {
      const response = await client.readResponse()
      assert.equal(response.status, 502)
      assert.equal(reasonOf(response), 'upstream_reset')
      assert.equal(upstream.connections.length, 1)
    }
    client.destroy()
    await proxy.serves()
  })
}

test('the reuse race is repeated once and on a new connection; a first connection that ends is not repeated', async t => {
  const { upstream, proxy } = await withUpstream(t)
  const client = await proxy.connect()
  client.send(get('/first'))
  const first = await upstream.accept()
  await answered(first)
  await client.readResponse()
  await turns(5)
  client.send(get('/x'))
  await first.readUntil('/x ')
  first.reset()
  const second = await upstream.accept()
  await second.readUntil('/x ')
  second.reset()
  const response = await client.readResponse()
  assert.equal(response.status, 502)
  assert.equal(upstream.connections.length, 2)
  client.destroy()
})

test('a service that answers before it has the body: the rest is read, and the client goes on', async t => {
  const { upstream, proxy } = await withUpstream(t)
  for (const [framing, rest] of [
    ['content-length: 30000\r\n\r\n' + 'x'.repeat(100), 'x'.repeat(29_900)],
    ['content-length: 5\r\n\r\n', 'hello'],
  ] as const) {
    const client = await proxy.connect()
    client.send(`POST /x HTTP/1.1\r\nhost: a\r\n${framing}`)
    const server = await upstream.accept()
    await answered(server)
    assert.equal((await client.readResponse()).status, 200)
    client.send(rest + get('/here'))
    assert.equal((await client.readResponse()).body.toString(), 'here')
    // Its own connection owes it a body and is not used again.
    await server.readToEnd()
    client.destroy()
    server.destroy()
  }
})

test('400 KB of pipelined requests wait in the client while the first is answered', async t => {
  const { upstream, proxy } = await withUpstream(t)
  const client = await proxy.connect()
  client.send(get('/slow') + get('/here').repeat(8000))
  const server = await upstream.accept()
  await server.readUntil('\r\n\r\n')
  await turns(50)
  assert.ok(proxy.service.budget.used <= 65_536)
  server.send(OK)
  assert.equal((await client.readResponse()).body.toString(), 'ok')
  await client.wait('all answers', () => (client.received.length > 8000 * 80 ? true : null), 10_000)
  for (let i = 0; i < 10; i++) assert.equal((await client.readResponse()).body.toString(), 'here')
  client.destroy()
})

test('a service that closes, is silent or says close: the next request gets a connection of its own', async t => {
  const { upstream, proxy } = await withUpstream(t)
  const client = await proxy.connect()
  for (const how of ['close', 'fin', 'rst', 'http/1.0'] as const) {
    client.send(get('/x'))
    const server = await upstream.accept()
    await server.readUntil('\r\n\r\n')
    if (how === 'close') server.send(OK.replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n'))
    else server.send(how === 'http/1.0' ? OK.replace('1.1', '1.0') : OK)
    assert.equal((await client.readResponse()).status, 200)
    if (how === 'fin') server.half()
    if (how === 'rst') server.reset()
    await turns(10)
  }
  client.destroy()
  await proxy.serves()
})

test('an exchange that its client leaves while it waits for a connection leaves nothing behind', async t => {
  const { upstream, proxy } = await withUpstream(t, { upstream: 'limits: { inFlight: 1, pending: 10 }' })
  const first = await proxy.connect()
  first.send(get('/first'))
  const server = await upstream.accept()
  await server.readUntil('\r\n\r\n')
  const waiting = await Promise.all(Array.from({ length: 5 }, () => proxy.connect()))
  for (const client of waiting) client.send(get('/waits'))
  await proxy.until('all under way', () => proxy.service.proxy.active === 6)
  for (const client of waiting) client.reset()
  await proxy.until('all gone', () => proxy.service.proxy.active === 1)
  server.send(OK)
  assert.equal((await first.readResponse()).status, 200)
  await turns(20)
  assert.ok(!server.received.includes('/waits'))
  first.destroy()
})

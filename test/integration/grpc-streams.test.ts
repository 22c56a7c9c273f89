import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import * as grpc from '@grpc/grpc-js'
import { type Behaviour, collect, user, UsersClient, UsersServer } from '../harness/grpc-users.ts'
import { framed } from '../harness/grpc-web-client.ts'
import { InProcess } from '../harness/in-process.ts'
import { ManyCalls } from '../reliability/many-calls.ts'

/** A proxy in front of ports that speak HTTP/2. */
function proxyTo(ports: readonly number[], role = 'inbound', more = ''): string {
  return `version: 1
service: test
listeners:
- name: in
  role: ${role}
  address: 127.0.0.1:0
  requestSize: off
  limits: { http2: { streams: 1000 } }
  routes:
  - { name: get, match: { grpc: { service: shop.Users, method: Get } }, upstream: next, ${more} }
  - { name: users, match: { grpc: { service: shop.Users } }, upstream: next }
upstreams:
  next: { endpoints: [${ports.map(port => `"127.0.0.1:${port}"`).join(', ')}], protocol: http2, limits: { inFlight: 5000 } }
telemetry: { accessLog: on }
`
}

/** A server, an edge and a sidecar in front of it, and a client. */
async function chainTo(
  t: TestContext,
  behaviour: Behaviour = {},
  options: grpc.ServerOptions = {},
  more = '',
) {
  const server = await UsersServer.start(behaviour, options)
  const inbound = await InProcess.start(proxyTo([server.port], 'inbound', more))
  const edge = await InProcess.start(proxyTo([inbound.port()], 'edge', more))
  const client = new UsersClient(edge.port())
  t.after(async () => {
    client.close()
    server.stop()
    // What is left of memory, streams, timers and generations fails it.
    for (const one of [edge, inbound]) await one.stop()
  })
  return { server, inbound, edge, client }
}

test('400 streams that their client cancels at once: the server hears of each, and other calls of the session go on', async t => {
  let open = 0
  const { client, edge } = await chainTo(t, {
    watch(call) {
      open++
      call.on('cancelled', () => open--)
      call.write(user('first'))
    },
  })
  const other = new UsersClient(edge.port())
  t.after(() => other.close())
  const stays = other.look()
  stays.write({ id: 'before' })
  await once(stays, 'data')
  const calls = Array.from({ length: 400 }, () => client.watch('x'))
  await Promise.all(calls.map(call => once(call, 'data')))
  assert.equal(open, 400)
  const ended = calls.map(collect)
  for (const call of calls) call.cancel()
  for (const { status } of await Promise.all(ended)) assert.equal(status.code, grpc.status.CANCELLED)
  await edge.until('the server to hear of all', () => open === 0)
  stays.write({ id: 'after' })
  const [answer] = (await once(stays, 'data')) as [{ id: string }] // `once` does not know of it
  assert.equal(answer.id, 'after')
  stays.end()
  await once(stays.resume(), 'status')
})

test('400 calls whose deadline is over at once: each ends, and the session between the sidecars stays', async t => {
  let heard = 0
  const { client } = await chainTo(t, {
    get(call, done) {
      if (call.request.id !== 'hang') done(null, user('1'))
      else call.on('cancelled', () => heard++)
    },
  })
  await client.get('1')
  const deadline = Date.now() + 700
  const calls = await Promise.allSettled(Array.from({ length: 400 }, () => client.get('hang', { deadline })))
  for (const call of calls)
    assert.equal(
      call.status === 'rejected' && (call.reason as grpc.ServiceError).code,
      grpc.status.DEADLINE_EXCEEDED,
    )
  assert.equal((await client.get('2')).id, '1')
  assert.equal(heard, 400)
})

test('a stream whose client does not read stops at the server, and goes on when it reads', async t => {
  let written = 0
  const { edge, inbound } = await chainTo(t, {
    watch(call) {
      const send = (): void => {
        while (written < 5000) {
          written++
          if (!call.write(user(String(written), 10_000))) return void call.once('drain', send)
        }
        call.end()
      }
      send()
    },
  })
  // gRPC's own client for Node reads on whoever takes its messages; this one does not.
  const session = http2.connect(`http://127.0.0.1:${edge.port()}`)
  t.after(() => session.destroy())
  const stream = session.request({
    ':method': 'POST',
    ':path': '/shop.Users/Watch',
    'content-type': 'application/grpc',
    te: 'trailers',
  })
  stream.end(framed(Buffer.alloc(0)))
  await once(stream, 'response')
  let before = -1
  while (written !== before) {
    before = written
    await pause(300)
  }
  // 50 MB in all; what the windows of three connections hold.
  assert.ok(written < 100, `${written} messages were written`)
  for (const one of [edge, inbound])
    assert.ok(one.service.budget.used < 500_000, `${one.service.budget.used} bytes`)
  let bytes = 0
  stream.on('data', (part: Buffer) => (bytes += part.length))
  const [trailers] = (await once(stream, 'trailers')) as [http2.IncomingHttpHeaders] // what node:http2 says
  assert.equal(trailers['grpc-status'], '0')
  assert.ok(bytes > 50_000_000)
})

test('a status that comes before the client has sent all ends the call with that status', async t => {
  const { client, server } = await chainTo(t, {
    import(call, done) {
      call.once('data', () => done({ code: grpc.status.RESOURCE_EXHAUSTED, details: 'enough' }))
    },
  })
  const users = Array.from({ length: 300 }, (_, at) => user(String(at), 20_000))
  await assert.rejects(client.import(users), { code: grpc.status.RESOURCE_EXHAUSTED, details: 'enough' })
  assert.equal(server.calls['Import'], 1)
  assert.equal((await client.get('1')).id, '1')
})

test('a server that shuts down in peace: what is under way ends well, what comes goes to the other, none is lost', async t => {
  const servers = [await UsersServer.start(), await UsersServer.start()] as const
  const proxy = await InProcess.start(proxyTo(servers.map(({ port }) => port)))
  const client = new UsersClient(proxy.port())
  t.after(async () => {
    client.close()
    for (const server of servers) server.stop()
    await proxy.stop()
  })
  const calls = new ManyCalls([client], 50)
  while (calls.begun < 500) await pause(10)
  const [first] = servers
  const drained = first.drain()
  // It is taken out of the endpoints, as whoever stops it does.
  await proxy.apply(proxyTo([servers[1].port]))
  await drained
  const begun = calls.begun
  while (calls.begun < begun + 500) await pause(10)
  const { ok, failed } = await calls.stop()
  assert.deepEqual(failed, {})
  assert.ok(ok >= 1000)
})

test('a server that goes by force cuts its calls, which end as unavailable; new ones are served by the other', async t => {
  const hang: Behaviour = { watch: call => void call.write(user('open')) }
  const servers = [await UsersServer.start(hang), await UsersServer.start(hang)] as const
  const proxy = await InProcess.start(proxyTo(servers.map(({ port }) => port)))
  const client = new UsersClient(proxy.port())
  t.after(async () => {
    client.close()
    for (const server of servers) server.stop()
    await proxy.stop()
  })
  const calls = Array.from({ length: 20 }, () => client.watch('x'))
  await Promise.all(calls.map(call => once(call, 'data')))
  const ended = calls.map(collect)
  servers[0].stop()
  const cut = await Promise.race(ended)
  // The head was out: a stream that is reset, and never a status that looks like an end.
  assert.notEqual(cut.status.code, grpc.status.OK)
  for (let i = 0; i < 10; i++) assert.equal((await client.get('1')).id, '1')
  for (const call of calls) call.cancel()
  await Promise.all(ended)
})

test('a server that ends its connections every fifth of a second loses no call', async t => {
  const { client } = await chainTo(
    t,
    {},
    { 'grpc.max_connection_age_ms': 200, 'grpc.max_connection_age_grace_ms': 5000 },
  )
  const calls = new ManyCalls([client], 50)
  await pause(2000)
  const { ok, failed } = await calls.stop()
  assert.deepEqual(failed, {})
  assert.ok(ok > 200, `${ok} calls`)
})

test('pings of a client every 50 ms are answered, and no reason to end its session', async t => {
  const { edge } = await chainTo(t)
  const client = new UsersClient(edge.port(), {
    'grpc.keepalive_time_ms': 50,
    'grpc.keepalive_timeout_ms': 2000,
    'grpc.keepalive_permit_without_calls': 1,
  })
  t.after(() => client.close())
  const call = client.look()
  call.write({ id: 'before' })
  await once(call, 'data')
  const { connections } = edge
  await pause(1500)
  call.write({ id: 'after' })
  await once(call, 'data')
  assert.equal(edge.connections, connections)
  call.end()
  await once(call.resume(), 'status')
})

test('retries of calls stay within the budget of the route', async t => {
  const { client, server } = await chainTo(
    t,
    { get: (_call, done) => done({ code: grpc.status.UNAVAILABLE, details: 'never' }) },
    {},
    'retry: { count: 3, statuses: [unavailable], methods: [POST], backoff: { from: 1ms, to: 2ms }, budget: { percent: 20, min: 3 } }',
  )
  const calls = await Promise.allSettled(Array.from({ length: 200 }, () => client.get('x')))
  for (const call of calls) {
    const { code, details } = (call as PromiseRejectedResult).reason as grpc.ServiceError // all are refused
    assert.deepEqual([code, details], [grpc.status.UNAVAILABLE, 'never'])
  }
  const tries = server.calls['Get'] ?? 0
  assert.ok(tries > 200 && tries < 600, `${tries} tries of 200 calls at two hops`)
})

test('a time of its own for a method: it ends that, and no other', async t => {
  const { client } = await chainTo(
    t,
    {
      get: () => {},
      watch(call) {
        setTimeout(() => {
          call.write(user('late'))
          call.end()
        }, 600)
      },
    },
    {},
    'timeout: 300ms',
  )
  const watched = collect(client.watch('x'))
  await assert.rejects(client.get('x'), (error: grpc.ServiceError) => {
    assert.equal(error.code, grpc.status.DEADLINE_EXCEEDED)
    assert.match(error.details, /^upstream_timeout: /)
    return true
  })
  assert.deepEqual(
    (await watched).users.map(({ id }) => id),
    ['late'],
  )
})

test('a deadline ends a call in the middle of its stream, whatever the server does', async t => {
  let heard: (code: number) => void = () => {}
  const closed = new Promise<number>(resolve => (heard = resolve))
  const server = http2.createServer()
  server.on('stream', (stream: http2.ServerHttp2Stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
    stream.write(framed(Buffer.from([10, 1, 0x31])))
    stream.on('error', () => {})
    stream.on('close', () => heard(stream.rstCode))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  const proxy = await InProcess.start(proxyTo([port]))
  const session = http2.connect(`http://127.0.0.1:${proxy.port()}`)
  t.after(async () => {
    session.destroy()
    await proxy.stop()
    server.close()
  })
  const stream = session.request({
    ':method': 'POST',
    ':path': '/shop.Users/Watch',
    'content-type': 'application/grpc',
    'grpc-timeout': '300m',
  })
  stream.end(framed(Buffer.alloc(0)))
  stream.resume()
  const [error] = (await once(stream, 'error').catch((thrown: unknown) => [thrown])) as [Error] // it is reset
  assert.match(error.message, /INTERNAL_ERROR|CANCEL/)
  // The server does not go on working for nobody.
  assert.equal(await closed, http2.constants.NGHTTP2_CANCEL)
  await proxy.accessLine(line => line.reason === 'deadline_exceeded')
})

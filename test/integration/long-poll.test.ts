// A response that takes minutes to begin, on a route without a time for it; and clients that do not wait that long.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { InProcess, turns } from '../harness/in-process.ts'
import { CODE, RawH2, TYPE } from '../harness/raw-h2.ts'
import { type RawH2Peer, RawH2Server } from '../harness/raw-h2-server.ts'
import { RawUpstream } from '../harness/raw-upstream.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'

const MINUTES = 600_000
const ROUTE = 'timeout: { total: off }'

/** A request that a service holds. */
interface Held {
  answer(): void
  /** Whether the service was told that nobody waits any more. */
  readonly freed: boolean
}

/** A service that a test drives by hand. */
interface Service {
  readonly port: number
  readonly protocol: 'http1' | 'http2'
  /** How many connections it has seen. */
  readonly opened: number
  held(): Promise<Held>
}

/** A client that asks, waits, and leaves. */
interface Waiting {
  /** The status that has come; 0 while none has. */
  readonly status: number
  leave(): void
  close(): void
}

async function http1Service(t: TestContext): Promise<Service> {
  const upstream = await RawUpstream.listen()
  t.after(() => upstream.close())
  return {
    port: upstream.port,
    protocol: 'http1',
    get opened() {
      return upstream.connections.length
    },
    async held() {
      const connection = await upstream.accept()
      await connection.readUntil('\r\n\r\n')
      return {
        answer: () => connection.send('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'),
        get freed() {
          return connection.ended || connection.isClosed
        },
      }
    },
  }
}

async function http2Service(t: TestContext): Promise<Service> {
  const asked: { peer: RawH2Peer; stream: number }[] = []
  let opened = 0
  let taken = 0
  const service = await RawH2Server.listen({
    onOpen: () => opened++,
    onRequest: (peer, stream) => asked.push({ peer, stream }),
  })
  t.after(() => service.close())
  return {
    port: service.port,
    protocol: 'http2',
    get opened() {
      return opened
    },
    async held() {
      const at = taken++
      while (asked[at] === undefined) await turns(1)
      const { peer, stream } = asked[at]
      return {
        answer: () => peer.answer(stream),
        get freed() {
          return peer.frames.some(frame => frame.type === TYPE.reset && frame.stream === stream)
        },
      }
    },
  }
}

async function http1Client(proxy: InProcess): Promise<Waiting> {
  const client = await proxy.connect()
  client.send('GET /poll HTTP/1.1\r\nhost: a.example\r\n\r\n')
  return {
    get status() {
      const [, status] = /^HTTP\/1\.1 (\d+) /.exec(client.received.toString('latin1')) ?? []
      return Number(status ?? 0)
    },
    leave: () => client.reset(),
    close: () => client.destroy(),
  }
}

async function http2Client(proxy: InProcess): Promise<Waiting> {
  const client = await RawH2.connect(proxy.port())
  const stream = client.get('/poll')
  return {
    get status() {
      return client.answer(stream).status
    },
    leave: () => client.reset(stream, CODE.cancel),
    close: () => client.destroy(),
  }
}

async function serving(t: TestContext, service: Service, route = ROUTE): Promise<InProcess> {
  const yaml = routeTo(service.port, { route, upstream: `protocol: ${service.protocol}` })
  const proxy = await InProcess.start(yaml, { clock: new SteppedClock() })
  t.after(() => proxy.stop())
  return proxy
}

/** Whether anything is still done for somebody. */
function idle(proxy: InProcess): boolean {
  const upstream = proxy.service.holder.current.snapshot.upstreams.get('app')
  return (
    proxy.service.proxy.active === 0 &&
    upstream?.load.inFlight === 0 &&
    upstream.endpoints.every(({ inFlight }) => inFlight === 0)
  )
}

for (const [from, ask] of [
  ['HTTP/1.1', http1Client],
  ['HTTP/2', http2Client],
] as const)
  for (const [to, serve] of [
    ['HTTP/1.1', http1Service],
    ['HTTP/2', http2Service],
  ] as const)
    describe(`${from} to ${to}`, () => {
      test('a head after ten minutes arrives, and a reload in between does not matter', async t => {
        const service = await serve(t)
        const proxy = await serving(t, service)
        const client = await ask(proxy)
        const held = await service.held()
        await proxy.step(MINUTES / 2, 1000)
        await proxy.apply(
          routeTo(service.port, { route: 'timeout: 1s', upstream: `protocol: ${service.protocol}` }),
        )
        await proxy.step(MINUTES / 2, 1000)
        assert.deepEqual([client.status, held.freed, proxy.service.proxy.active], [0, false, 1])
        held.answer()
        await proxy.until('the answer', () => client.status === 200)
        await proxy.until('its end', () => idle(proxy))
        const line = await proxy.accessLine(one => one.status === 200)
        assert.ok(Number(line['duration_ms']) >= MINUTES)
        client.close()
      })

      test('a client that leaves after minutes frees the request at the service, and its place', async t => {
        const service = await serve(t)
        const proxy = await serving(t, service, `${ROUTE}\nretry: 2`)
        const client = await ask(proxy)
        const held = await service.held()
        await proxy.step(MINUTES / 2, 1000)
        assert.equal(idle(proxy), false)
        client.leave()
        await proxy.until('the service to hear of it', () => held.freed)
        await proxy.until('its place', () => idle(proxy))
        const line = await proxy.accessLine(one => one.reason === 'client_gone')
        assert.deepEqual([line.status, line['attempts']], [499, 1])
        // Of HTTP/2 it costs the stream and not the session.
        const again = await ask(proxy)
        const next = await service.held()
        next.answer()
        await proxy.until('the answer', () => again.status === 200)
        assert.equal(service.opened, service.protocol === 'http1' ? 2 : 1)
        client.close()
        again.close()
      })

      test('with the time that routes have by themselves it is 504, and the request is freed', async t => {
        const service = await serve(t)
        const proxy = await serving(t, service, 'retry: off')
        const client = await ask(proxy)
        const held = await service.held()
        await proxy.step(14_000, 1000)
        assert.equal(client.status, 0)
        await proxy.step(2000)
        await proxy.until('504', () => client.status === 504)
        await proxy.until('the service to hear of it', () => held.freed && idle(proxy))
        client.close()
      })
    })

test('a client that closes its side only is waited for a second, and then nobody is asked any more', async t => {
  const service = await http1Service(t)
  const proxy = await serving(t, service)
  const client = await proxy.connect()
  client.send('GET /poll HTTP/1.1\r\nhost: a.example\r\n\r\n')
  const held = await service.held()
  await proxy.step(60_000, 1000)
  client.half()
  await turns(20)
  await proxy.step(500)
  assert.equal(held.freed, false)
  await proxy.step(2000)
  await proxy.until('the service to hear of it', () => held.freed && idle(proxy))
  client.destroy()
})

test('clients of HTTP/2 that vanish with their connection free every request of theirs', async t => {
  const service = await http2Service(t)
  const proxy = await serving(t, service)
  const client = await RawH2.connect(proxy.port())
  for (let i = 0; i < 3; i++) client.get('/poll')
  const held = [await service.held(), await service.held(), await service.held()]
  await proxy.step(MINUTES / 2, 1000)
  client.destroy()
  await proxy.until('the service to hear of it', () => held.every(one => one.freed) && idle(proxy))
  assert.equal(service.opened, 1)
})

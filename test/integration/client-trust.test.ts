import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { after, before, test, type TestContext } from 'node:test'
import tls from 'node:tls'
import { readFileSync, writeFileSync } from 'node:fs'
import { CertificateFolder } from '../harness/certificates.ts'
import { InProcess, turns } from '../harness/in-process.ts'
import { RawClient } from '../harness/raw-client.ts'
import type { RawConnection } from '../harness/raw-connection.ts'
import { RawH2 } from '../harness/raw-h2.ts'
import { RawUpstream } from '../harness/raw-upstream.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'
import { WsServer } from '../harness/ws-peers.ts'

// Connections of clients that a reload no longer lets in: they end, and those of others go on.

let own: CertificateFolder
let other: CertificateFolder
let server: string
let old: Pair
let young: Pair
before(async () => {
  own = await CertificateFolder.create()
  other = await CertificateFolder.create()
  server = await own.write('server', { dns: ['a.example'] })
  writeFileSync(own.file('both.crt'), readFileSync(own.ca, 'utf8') + readFileSync(other.ca, 'utf8'))
  old = await own.issue({ uris: ['spiffe://shop/old'] })
  young = await other.issue({ uris: ['spiffe://shop/young'] })
})
after(() => {
  own.remove()
  other.remove()
})

type Pair = { readonly cert: string; readonly key: string }

/** @param clients what is asked of clients; empty: nothing */
function yaml(port: number, clients: string, more = ''): string {
  return `version: 1
service: test
telemetry: { accessLog: { write: on } }
listeners:
  - { name: in, role: inbound, address: "127.0.0.1:0", ${more}tls: { certificates: { ${server} }${clients} }, upstream: app }
upstreams: { app: { endpoints: ["127.0.0.1:${port}"] } }
`
}
const both = (): string => `, clients: { ca: "${own.file('both.crt')}" }`
const newOnly = (): string => `, clients: { ca: "${other.ca}" }`

async function secure(port: number, pair: Pair | null, raw?: net.Socket): Promise<RawClient> {
  const socket = raw ?? net.connect({ host: '127.0.0.1', port, allowHalfOpen: true })
  const client = new RawClient(
    tls.connect({ socket, ca: own.authority.cert, servername: 'a.example', ...pair }),
  )
  await once(client.socket, 'secureConnect')
  return client
}

/** An Outrigger on a clock that stands, before a service that a test drives by hand. */
async function serving(
  t: TestContext,
  clients: string,
  more = '',
): Promise<{
  proxy: InProcess
  service: RawUpstream
  apply: (clients: string, more?: string) => Promise<void>
}> {
  const service = await RawUpstream.listen()
  const proxy = await InProcess.start(yaml(service.port, clients, more), { clock: new SteppedClock() })
  t.after(async () => {
    await proxy.stop()
    await service.close()
  })
  return { proxy, service, apply: (now, what = more) => proxy.apply(yaml(service.port, now, what)) }
}

const GET = 'GET / HTTP/1.1\r\nhost: a.example\r\n\r\n'
const REPLY = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'

/** Asks once, and has the service answer. @returns the service's side */
async function asked(client: RawClient, service: RawUpstream | RawConnection): Promise<RawConnection> {
  client.send(GET)
  const far = 'accept' in service ? await service.accept() : service
  await far.readUntil('\r\n\r\n')
  far.send(REPLY)
  assert.equal((await client.readResponse()).status, 200)
  return far
}

/** Whether a connection still answers, on a connection of the service that stands. */
async function serves(client: RawClient, far: RawConnection): Promise<void> {
  await asked(client, far)
}

test('an authority is taken away: idle connections under it close, busy ones with their answer, others go on', async t => {
  const { proxy, service, apply } = await serving(t, both())
  const [idle, busy, stays] = [
    await secure(proxy.port(), old),
    await secure(proxy.port(), old),
    await secure(proxy.port(), young),
  ]
  await asked(idle, service)
  const far = service.connections[0] as RawConnection // it was asked just now
  await serves(stays, far)
  busy.send(GET)
  await far.readUntil('\r\n\r\n')
  await apply(newOnly())
  assert.equal(await idle.readToEnd(), '')
  await turns(20)
  assert.equal(busy.isClosed, false)
  far.send(REPLY)
  const answer = await busy.readResponse()
  assert.deepEqual([answer.status, answer.headers['connection']], [200, 'close'])
  assert.equal(await busy.readToEnd(), '')
  await serves(stays, far)
  const line = proxy.errors.find(one => String(one['msg']).startsWith('connections end'))
  assert.equal(line?.['connections'], 2)
  for (const client of [idle, busy, stays]) client.destroy()
})

test('a renewed certificate of ours, another route, an authority more: nobody is closed', async t => {
  const { proxy, service, apply } = await serving(t, `, clients: { ca: "${own.ca}" }`)
  const client = await secure(proxy.port(), old)
  const far = await asked(client, service)
  server = await own.write('server', { dns: ['a.example'] })
  await apply(both())
  await apply(both(), 'requestSize: 1MiB, ')
  await serves(client, far)
  await proxy.step(31_000, 1000)
  // By then the service's connection has been idle for too long.
  await asked(client, service)
  client.destroy()
})

test('no certificate is asked for any more, or one is needed now: who came the other way ends', async t => {
  const optional = `, clients: { ca: "${own.ca}", required: off }`
  const { proxy, service, apply } = await serving(t, optional)
  const [named, nameless] = [await secure(proxy.port(), old), await secure(proxy.port(), null)]
  const far = await asked(named, service)
  await serves(nameless, far)
  await apply(`, clients: { ca: "${own.ca}" }`)
  assert.equal(await nameless.readToEnd(), '')
  await serves(named, far)
  await apply('')
  assert.equal(await named.readToEnd(), '')
  named.destroy()
  nameless.destroy()
})

test('one that has asked nothing yet, and one whose handshake is under way: a request is answered, with the end', async t => {
  const { proxy, service, apply } = await serving(t, both())
  const silent = await secure(proxy.port(), old)
  const raw = net.connect({ host: '127.0.0.1', port: proxy.port(), allowHalfOpen: true })
  const accepted = proxy.acceptors[0]?.accepted ?? 0
  await proxy.until('its handshake to begin', () => (proxy.acceptors[0]?.accepted ?? 0) > accepted)
  const unfinished = await secure(proxy.port(), young)
  await apply(newOnly())
  const late = await secure(proxy.port(), old, raw)
  let far: RawConnection | null = null
  for (const client of [silent, late]) {
    client.send(GET)
    far ??= await service.accept()
    await far.readUntil('\r\n\r\n')
    far.send(REPLY)
    const answer = await client.readResponse()
    assert.deepEqual([answer.status, answer.headers['connection']], [200, 'close'])
    assert.equal(await client.readToEnd(), '')
    client.destroy()
  }
  await serves(unfinished, far as RawConnection)
  unfinished.destroy()
})

test('one that asks nothing is not waited for', async t => {
  const { proxy, apply } = await serving(t, both())
  const silent = await secure(proxy.port(), old)
  await apply(newOnly())
  await proxy.step(700)
  assert.equal(await silent.readToEnd(), '')
  silent.destroy()
})

test('HTTP/2: GOAWAY, the streams that are open are answered', async t => {
  const { proxy, service, apply } = await serving(t, both())
  const open = (pair: Pair): Promise<RawH2> =>
    RawH2.connect(proxy.port(), { tls: { servername: 'a.example', ...pair } })
  const [ends, stays] = [await open(old), await open(young)]
  const stream = ends.get('/')
  const far = await service.accept()
  await far.readUntil('\r\n\r\n')
  await apply(newOnly())
  await ends.until('GOAWAY', () => ends.goaway !== null)
  assert.equal(ends.answer(stream).ended, false)
  far.send(REPLY)
  await ends.over(stream)
  assert.equal(ends.answer(stream).body.toString(), 'ok')
  await proxy.step(1500)
  await ends.end()
  const next = stays.get('/')
  await far.readUntil('\r\n\r\n')
  far.send(REPLY)
  await stays.over(next)
  assert.deepEqual([stays.goaway, stays.answer(next).status], [null, 200])
  stays.destroy()
})

test('a WebSocket hears 1008 at both ends, what is streamed is cut 30 s later', async t => {
  const service = await WsServer.listen()
  const clock = new SteppedClock()
  const proxy = await InProcess.start(yaml(service.port, both()), { clock })
  t.after(async () => {
    await service.close()
    await proxy.stop()
  })
  const open = async (pair: Pair): Promise<RawClient> => {
    const client = await secure(proxy.port(), pair)
    client.send(
      'GET / HTTP/1.1\r\nhost: a.example\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: x3JJHMbDL1EzLkh9GBhXDw==\r\n\r\n',
    )
    await client.readUntil('\r\n\r\n')
    return client
  }
  const [ends, stays] = [await open(old), await open(young)]
  const heard = once(service.sockets[0] as object as NodeJS.EventEmitter, 'close')
  await proxy.apply(yaml(service.port, newOnly()))
  // The first byte of a close frame, its length, and 1008.
  const frame = await ends.read(4)
  assert.deepEqual([frame[0], frame.readUInt16BE(2)], [0x88, 1008])
  ends.send(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xf0]))
  assert.equal((await heard)[0], 1008)
  await proxy.step(5000)
  await ends.readToEnd()
  const line = await proxy.accessLine(one => one.status === 101)
  assert.deepEqual([line['closed_by'], line['close_code']], ['outrigger', 1008])
  // A masked ping of the other, which is answered still.
  stays.send(Buffer.from([0x89, 0x80, 0, 0, 0, 0]))
  assert.deepEqual([...(await stays.read(2))], [0x8a, 0])
  for (const client of [ends, stays]) client.destroy()
})

test('TCP, and a response that goes on: closed 30 s later, not before', async t => {
  for (const more of ['protocol: tcp, ', '']) {
    const { proxy, service, apply } = await serving(t, both(), more)
    const [ends, stays] = [await secure(proxy.port(), old), await secure(proxy.port(), young)]
    const fars: RawConnection[] = []
    for (const client of [ends, stays]) {
      client.send(GET)
      const far = await service.accept()
      fars.push(far)
      await far.readUntil('\r\n\r\n')
      far.send('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n')
      await client.readUntil('one\r\n')
    }
    await apply(newOnly())
    await proxy.step(29_000, 500)
    for (const far of fars) far.send('3\r\ntwo\r\n')
    for (const client of [ends, stays]) await client.readUntil('two\r\n')
    await proxy.step(1500, 500)
    await ends.readToEnd()
    assert.equal(ends.received.includes('0\r\n\r\n'), false)
    for (const far of fars) far.send('5\r\nthree\r\n')
    await stays.readUntil('three\r\n')
    await proxy.until('the service to hear of it', () => fars[0]?.isClosed || fars[0]?.ended || false)
    ends.destroy()
    stays.destroy()
  }
})

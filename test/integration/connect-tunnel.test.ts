import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import type { LookupDone } from '../../sidecar/upstream/discovery/lookup-queue.ts'
import { InProcess } from '../harness/in-process.ts'
import { reasonOf } from '../harness/problem.ts'
import type { RawClient } from '../harness/raw-client.ts'
import type { RawConnection } from '../harness/raw-connection.ts'
import { RawUpstream, RecordingSink } from '../harness/raw-upstream.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'
import { stopsTheOther } from '../harness/stopped-side.ts'

// `tunnel: on`: what an app sends through its sidecar by CONNECT and we are not to see into.

const OK = 'HTTP/1.1 200 OK\r\n\r\n'

/** What the name server says; a name that is not here never gets an answer. */
const names = new Map<string, string[]>()
const unanswered = new Map<string, LookupDone>()
const lookup = (name: string, done: LookupDone): void => {
  const addresses = names.get(name)
  if (addresses === undefined) unanswered.set(name, done)
  else if (addresses.length > 0) done(null, addresses)
  else done(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }), [])
}

let clock: SteppedClock
let sink: RecordingSink
let remote: RawUpstream
let proxy: InProcess

beforeEach(async () => {
  names.clear()
  unanswered.clear()
  names.set('api.example', ['127.0.0.1'])
  clock = new SteppedClock()
  sink = await RecordingSink.listen()
  remote = await RawUpstream.listen()
  proxy = await InProcess.start(
    `version: 1
service: test
listeners:
  - { name: out, role: outbound, address: "127.0.0.1:0", tunnel: on, timeout: { idle: 20s }, upstreams: [users] }
  - { name: plain, role: outbound, address: "127.0.0.1:0", routes: [{ name: more, match: { host: other }, upstream: users }] }
upstreams:
  users: { endpoints: ["127.0.0.1:${sink.port}"] }
telemetry: { accessLog: on }
`,
    { clock, lookup, every: () => ({ stop: () => {} }) },
  )
})
afterEach(async () => {
  await sink.close()
  await remote.close()
  for (const done of unanswered.values()) done(null, [])
  await proxy.stop()
})

const connectTo = (target: string, more = ''): string =>
  `CONNECT ${target} HTTP/1.1\r\nhost: ${target}\r\n${more}\r\n`

async function open(target = `api.example:${remote.port}`): Promise<[RawClient, RawConnection]> {
  const client = await proxy.connect('out')
  client.send(connectTo(target))
  const far = await remote.accept()
  assert.equal(await client.readUntil('\r\n\r\n'), OK)
  return [client, far]
}

async function line(): Promise<Record<string, unknown>> {
  return proxy.accessLine(one => one['method'] === 'CONNECT')
}

test('a host that is no route: bytes pass as they are, and are counted', async () => {
  const [client, far] = await open()
  client.send('\x16\x03\x01hello')
  assert.equal(await far.readUntil('hello'), '\x16\x03\x01hello')
  far.send('\x16\x03\x03back')
  await client.readUntil('back')
  client.half()
  await far.readToEnd()
  far.half()
  await client.readToEnd()
  const { status, host, tunnel, bytes_in, bytes_out, endpoint, client: who, listener } = await line()
  assert.deepEqual(
    { status, host, tunnel, bytes_in, bytes_out, endpoint, who, listener },
    {
      status: 200,
      host: `api.example:${remote.port}`,
      tunnel: 'connect',
      bytes_in: 8,
      bytes_out: 7,
      endpoint: `127.0.0.1:${remote.port}`,
      who: '127.0.0.1',
      listener: 'out',
    },
  )
  const metrics = await proxy.metrics()
  assert.match(metrics, /^outrigger_tunnels_total\{protocol="connect",result="opened"\} 1$/m)
  assert.match(metrics, /^outrigger_tunnel_bytes_total\{protocol="connect",direction="in"\} 8$/m)
  assert.match(metrics, /^outrigger_tunnel_bytes_total\{protocol="connect",direction="out"\} 7$/m)
  assert.match(metrics, /^outrigger_active_tunnels\{protocol="connect"\} 0$/m)
  client.destroy()
})

test('a host with a route is read as HTTP as ever; on port 443 it is a tunnel, and without `tunnel` neither', async () => {
  const client = await proxy.connect('out')
  client.send(connectTo('users:80'))
  assert.equal(await client.readUntil('\r\n\r\n'), OK)
  assert.equal((await client.ask('GET /in HTTP/1.1\r\nhost: users\r\n\r\n')).status, 200)
  assert.equal(sink.requestsSeen()[0]?.target, '/in')
  client.destroy()
  names.set('users', [])
  const tls = await proxy.ask(connectTo('users:443'), { listener: 'out' })
  assert.deepEqual([tls.status, reasonOf(tls)], [503, 'upstream_unresolved'])
  for (const target of ['api.example:443', 'other:443', 'api.example:80']) {
    const refused = await proxy.ask(connectTo(target), { listener: 'plain' })
    assert.deepEqual([refused.status, reasonOf(refused)], [502, 'unknown_host'], target)
  }
  assert.equal(remote.connections.length, 0)
})

test('every CONNECT says in the log who asked', async () => {
  const client = await proxy.connect('out')
  client.send(connectTo('users:80'))
  await client.readUntil(OK)
  client.destroy()
  await proxy.ask(connectTo('api.example:80'), { listener: 'plain' })
  await proxy.until('two lines', () => proxy.access.length === 2)
  assert.deepEqual(
    proxy.access.map(one => [one.status, one['client'], typeof one['request_id']]),
    [
      [200, '127.0.0.1', 'string'],
      [502, '127.0.0.1', 'string'],
    ],
  )
})

describe('never to link-local addresses and cloud metadata', () => {
  for (const target of [
    '169.254.169.254:80',
    '[fe80::1]:443',
    '[::ffff:169.254.169.254]:443',
    '[fd00:ec2::254]:80',
  ])
    test(target, async () => {
      const refused = await proxy.ask(connectTo(target), { listener: 'out' })
      assert.deepEqual([refused.status, reasonOf(refused)], [403, 'tunnel_refused'])
      assert.match(
        await proxy.metrics(),
        /^outrigger_tunnels_total\{protocol="connect",result="failed"\} 1$/m,
      )
    })

  test('nor by a name that leads there; of several addresses only to the others', async () => {
    for (const addresses of [
      ['169.254.169.254'],
      ['fe80::1%eth0', '::ffff:a9fe:a9fe'],
      ['100.100.100.200'],
    ]) {
      names.set('innocent.example', addresses)
      const refused = await proxy.ask(connectTo('innocent.example:80'), { listener: 'out' })
      assert.equal(reasonOf(refused), 'tunnel_refused')
      assert.ok(!refused.body.toString().includes(addresses[0] ?? '?'), 'the address is for the log')
    }
    names.set('innocent.example', ['169.254.169.254', '127.0.0.1'])
    const [client] = await open(`innocent.example:${remote.port}`)
    assert.equal((await proxy.metrics()).includes('169.254'), false)
    client.destroy()
  })
})

test('a name that is not there, one that gets no answer, a port where nobody listens', async () => {
  names.set('nowhere.example', [])
  const unknown = await proxy.ask(connectTo('nowhere.example:443'), { listener: 'out' })
  assert.deepEqual([unknown.status, reasonOf(unknown)], [503, 'upstream_unresolved'])
  await remote.close()
  const down = await proxy.ask(connectTo(`api.example:${remote.port}`), { listener: 'out' })
  assert.deepEqual([down.status, reasonOf(down)], [502, 'upstream_connect_failed'])
  const client = await proxy.connect('out')
  client.send(connectTo('hangs.example:443'))
  await proxy.until('the look-up', () => unanswered.size === 1)
  await proxy.step(1900)
  assert.equal(client.received.length, 0)
  await proxy.step(300)
  const late = await client.readResponse()
  assert.deepEqual([late.status, reasonOf(late)], [503, 'upstream_unresolved'])
  client.destroy()
})

test('of several addresses the next is tried', async () => {
  // Nobody listens at the first.
  names.set('two.example', ['127.0.0.2', '127.0.0.1'])
  const [client] = await open(`two.example:${remote.port}`)
  client.destroy()
})

test('each side closes its own direction', async () => {
  const [client, far] = await open()
  far.send('all of it')
  far.half()
  assert.equal(await client.readToEnd(), 'all of it')
  client.send('still speaking')
  await far.readUntil('still speaking')
  client.half()
  assert.equal(await far.readToEnd(), '')
  assert.equal((await line())['reason'], undefined)
  client.destroy()
})

test('bytes and FIN that come before the tunnel stands are kept', async () => {
  const client = await proxy.connect('out')
  client.send(`${connectTo(`api.example:${remote.port}`)}early`)
  client.half()
  const far = await remote.accept()
  assert.equal(await far.readToEnd(), 'early')
  far.send('late')
  far.half()
  assert.equal(await client.readToEnd(), `${OK}late`)
  client.destroy()
})

test('a reset of either side is one for the other, and in the log', async () => {
  const [client, far] = await open()
  far.reset()
  assert.equal(await client.closed(), 'ECONNRESET')
  assert.equal((await line())['reason'], 'upstream_aborted')
  const [second, other] = await open()
  second.reset()
  assert.equal(await other.closed(), 'ECONNRESET')
  await proxy.accessLine(one => one.reason === 'client_gone')
})

test('a side that takes nothing stops the other, both ways, and nothing is lost', async () => {
  const [client, far] = await open()
  await stopsTheOther(proxy, client, far)
  await stopsTheOther(proxy, far, client)
  client.destroy()
})

test('one in which nothing moves ends after the idle time', async () => {
  const [client, far] = await open()
  await proxy.step(14_000)
  far.send('x')
  await client.readUntil('x')
  await proxy.step(14_000)
  assert.equal(client.isClosed, false)
  await proxy.step(12_000)
  assert.equal(await client.closed(), 'ECONNRESET')
  await far.closed()
  assert.equal((await line())['reason'], 'upstream_idle')
})

test('it counts as a connection, and holds no generation', async () => {
  const [client, far] = await open()
  const acceptors = proxy.service.acceptors
  assert.equal(acceptors.connections, 1)
  assert.equal(proxy.service.proxy.tunnels.counters.active, 1)
  const first = proxy.service.holder.current
  first.take()
  await proxy.apply(
    `version: 1
service: test
listeners:
  - { name: out, role: outbound, address: "127.0.0.1:0", tunnel: on, upstreams: [users] }
  - { name: plain, role: outbound, address: "127.0.0.1:0", upstream: users }
upstreams:
  users: { endpoints: ["127.0.0.1:1"] }
`,
  )
  first.give()
  assert.ok(first.ended, 'no tunnel holds the configuration before')
  client.send('on')
  await far.readUntil('on')
  client.destroy()
})

test('a tunnel inside of a CONNECT, one with a body, and one without a port are refused', async () => {
  const inside = await proxy.connect('out')
  inside.send(connectTo('users:80'))
  await inside.readUntil(OK)
  assert.equal((await inside.ask(connectTo('api.example:443'))).status, 400)
  inside.destroy()
  assert.equal(
    (await proxy.ask(connectTo('api.example:443', 'content-length: 2\r\n'), { listener: 'out' })).status,
    400,
  )
  assert.equal((await proxy.ask(connectTo('api.example'), { listener: 'out' })).status, 400)
  assert.equal(remote.connections.length, 0)
})

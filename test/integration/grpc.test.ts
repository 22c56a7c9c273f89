import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import * as grpc from '@grpc/grpc-js'
import { collect, user, UsersClient, UsersServer } from '../harness/grpc-users.ts'
import { InProcess } from '../harness/in-process.ts'

/** A proxy in front of a port that speaks HTTP/2. */
function proxyTo(port: number, role: 'edge' | 'inbound' | 'outbound', route = ''): string {
  return `version: 1
service: test
listeners:
- name: in
  role: ${role}
  address: 127.0.0.1:0
  requestSize: off
  routes:
  - { name: users, match: { grpc: { service: shop.Users } }, upstream: next${route} }
upstreams:
  next: { endpoints: ["127.0.0.1:${port}"], protocol: http2 }
telemetry: { accessLog: on }
`
}

let server: UsersServer
let chain: InProcess[] = []
let client: UsersClient
/** What the server sees: set by the test that asks. */
const seen: { deadline: number; cancelled: (() => void) | null } = { deadline: 0, cancelled: null }
let refusals = 0

before(async () => {
  server = await UsersServer.start({
    get(call, done) {
      const { id } = call.request
      const deadline = call.getDeadline()
      seen.deadline = deadline instanceof Date ? deadline.getTime() : deadline
      if (id === 'echo') {
        const trailer = new grpc.Metadata()
        trailer.set('x-trailer', 'end')
        const head = new grpc.Metadata()
        head.set('x-head', call.metadata.get('x-asked').join())
        call.sendMetadata(head)
        done(null, user('echo'), trailer)
      } else if (id === 'big') done(null, user('big', 4 * 1024 * 1024))
      else if (id === 'missing') {
        const metadata = new grpc.Metadata()
        metadata.set('x-why', 'gone')
        done({ code: grpc.status.NOT_FOUND, details: 'kein Kunde ä 5%', metadata })
      } else if (id === 'hang') call.on('cancelled', () => seen.cancelled?.())
      else if (id === 'refuse' && refusals++ % 2 === 0)
        done({ code: grpc.status.UNAVAILABLE, details: 'come again' })
      else done(null, user(id))
    },
    watch(call) {
      call.write(user('first'))
      if (call.request.id === 'open') call.on('cancelled', () => seen.cancelled?.())
      else {
        for (let i = 0; i < 3; i++) call.write(user(String(i)))
        call.end()
      }
    },
  })
  const inbound = await InProcess.start(proxyTo(server.port, 'inbound'))
  const outbound = await InProcess.start(proxyTo(inbound.port(), 'outbound'))
  const edge = await InProcess.start(
    proxyTo(outbound.port(), 'edge', ', retry: { count: 2, statuses: [unavailable], methods: [POST] }'),
  )
  chain = [edge, outbound, inbound]
  client = new UsersClient(edge.port())
})

after(async () => {
  client.close()
  for (const one of chain) await one.stop()
  server.stop()
})

test('all four kinds of calls pass an edge and two sidecars', async () => {
  assert.equal((await client.get('1')).name, 'user 1')
  const { users, status } = await collect(client.watch('all'))
  assert.deepEqual(
    users.map(({ id }) => id),
    ['first', '0', '1', '2'],
  )
  assert.equal(status.code, grpc.status.OK)
  assert.deepEqual(await client.import([user('a'), user('b', 100_000), user('c')]), { users: 3 })
  const look = client.look()
  for (const id of ['x', 'y']) {
    // An answer before the next question: neither side waits for the end of the other.
    look.write({ id })
    const [answer] = (await once(look, 'data')) as [{ id: string }]
    assert.equal(answer.id, id)
  }
  look.end()
  const [ended] = (await once(look.resume(), 'status')) as [grpc.StatusObject]
  assert.equal(ended.code, grpc.status.OK)
})

test('metadata passes both ways, in heads and trailers', async () => {
  const metadata = new grpc.Metadata()
  metadata.set('x-asked', 'yes')
  assert.deepEqual(await client.echo(metadata), { head: ['yes'], trailer: ['end'] })
})

test('large and compressed messages pass', async () => {
  const big = await client.get('big')
  assert.equal(big.picture.length, 4 * 1024 * 1024)
  assert.ok(big.picture.every(byte => byte === 7))
  const zipped = new UsersClient(chain[0]?.port() ?? 0, { 'grpc.default_compression_algorithm': 2 })
  assert.deepEqual(await zipped.import([user('z', 1024 * 1024)]), { users: 1 })
  zipped.close()
})

test('a status of the server arrives with its message and trailers', async () => {
  await assert.rejects(client.get('missing'), (error: grpc.ServiceError) => {
    assert.equal(error.code, grpc.status.NOT_FOUND)
    assert.equal(error.details, 'kein Kunde ä 5%')
    assert.deepEqual(error.metadata.get('x-why'), ['gone'])
    return true
  })
})

test('a deadline reaches the server, and ends the call there too', async () => {
  const cancelled = new Promise<void>(resolve => (seen.cancelled = resolve))
  const deadline = Date.now() + 400
  await assert.rejects(client.get('hang', { deadline }), { code: grpc.status.DEADLINE_EXCEEDED })
  await cancelled
  // Three hops have taken from it; whose clock is read is the same one's.
  assert.ok(seen.deadline > 0 && seen.deadline <= deadline + 50, `${seen.deadline - deadline}`)
})

test('a call that its client cancels is cancelled at the server', async () => {
  const cancelled = new Promise<void>(resolve => (seen.cancelled = resolve))
  const call = client.watch('open')
  await once(call, 'data')
  const ended = collect(call)
  call.cancel()
  assert.equal((await ended).status.code, grpc.status.CANCELLED)
  await cancelled
})

test('a refusal in the head is tried again where the route says so', async () => {
  const before = server.calls['Get'] ?? 0
  assert.equal((await client.get('refuse')).id, 'refuse')
  assert.equal((server.calls['Get'] ?? 0) - before, 2)
})

test('errors of Outrigger are statuses whose message begins with the reason', async () => {
  const nowhere = await InProcess.start(proxyTo(1, 'inbound'))
  const lost = new UsersClient(nowhere.port())
  await assert.rejects(lost.get('1'), (error: grpc.ServiceError) => {
    assert.equal(error.code, grpc.status.UNAVAILABLE)
    assert.match(error.details, /^upstream_connect_failed: /)
    return true
  })
  const line = await nowhere.accessLine(one => one.reason === 'upstream_connect_failed')
  assert.deepEqual([line.status, line['grpc_status']], [200, grpc.status.UNAVAILABLE])
  await nowhere.apply(proxyTo(1, 'inbound').replace('shop.Users', 'shop.Others'))
  await assert.rejects(lost.get('1'), (error: grpc.ServiceError) => {
    assert.equal(error.code, grpc.status.UNIMPLEMENTED)
    assert.match(error.details, /^no_route: /)
    return true
  })
  lost.close()
  await nowhere.stop()
})

test('calls are counted by service, method and status; names that nobody has share a label', async () => {
  const edge = chain[0] as InProcess
  await client.get('1')
  const raw = new grpc.Client(`127.0.0.1:${edge.port()}`, grpc.credentials.createInsecure())
  await new Promise<void>(resolve =>
    raw.makeUnaryRequest(
      '/shop.Users/Made1Up',
      () => Buffer.alloc(0),
      bytes => bytes,
      {},
      () => resolve(),
    ),
  )
  raw.close()
  const text = await edge.metrics()
  assert.match(text, /outrigger_grpc_requests_total\{service="shop\.Users",method="Get",code="ok"\} \d+/)
  assert.match(text, /outrigger_grpc_requests_total\{service="shop\.Users",method="Get",code="not-found"\} 1/)
  assert.match(
    text,
    /outrigger_grpc_requests_total\{service="_other",method="_other",code="unimplemented"\} 1/,
  )
  assert.doesNotMatch(text, /Made1Up/)
})

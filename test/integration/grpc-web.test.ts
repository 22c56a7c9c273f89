import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import * as grpc from '@grpc/grpc-js'
import { user, UsersServer } from '../harness/grpc-users.ts'
import { callWeb, framed, type WebCall } from '../harness/grpc-web-client.ts'
import { InProcess } from '../harness/in-process.ts'

const SHOP = 'https://shop.example'

function edgeTo(port: number, grpcWeb = 'on'): string {
  return `version: 1
service: test
listeners:
- name: in
  role: edge
  address: 127.0.0.1:0
  grpcWeb: ${grpcWeb}
  cors: { origins: "${SHOP}", expose: x-head }
  routes:
  - { name: users, match: { grpc: { service: shop.Users } }, upstream: next }
upstreams:
  next: { endpoints: ["127.0.0.1:${port}"], protocol: http2 }
telemetry: { accessLog: on }
`
}

let server: UsersServer
let edge: InProcess
/** What the server of a stream waits for before it says more. */
let more: () => void = () => {}
let cancelled: () => void = () => {}

before(async () => {
  server = await UsersServer.start({
    get(call, done) {
      const { id } = call.request
      if (id === 'missing') done({ code: grpc.status.NOT_FOUND, details: 'nobody ä' })
      else done(null, user(id))
    },
    watch(call) {
      const { id } = call.request
      if (id === 'open') {
        // A connection of HTTP/1.1 that its client has left says so at the next message.
        const timer = setInterval(() => call.write(user('open')), 50)
        call.on('cancelled', () => {
          clearInterval(timer)
          cancelled()
        })
        return
      }
      if (id === 'many') {
        for (let i = 0; i < 400; i++) call.write(user(String(i), 10_000))
        call.end()
        return
      }
      call.write(user('first'))
      more = () => {
        if (id === 'broken') call.emit('error', { code: grpc.status.ABORTED, details: 'half way' })
        else {
          call.write(user('second'))
          call.end()
        }
      }
    },
  })
  edge = await InProcess.start(edgeTo(server.port))
})

after(async () => {
  server.stop()
  await edge.stop()
})

const FORMS = (['HTTP/1.1', 'HTTP/2'] as const).flatMap(over =>
  [false, true].map(text => ({ over, text, name: `${text ? 'text' : 'binary'} over ${over}` })),
)

for (const { name, ...form } of FORMS) {
  const call = (method: WebCall['method'], id: string, headers: Record<string, string> = {}) =>
    callWeb(edge.port(), { ...form, method, id, headers })

  test(`${name}: a call and its status`, async () => {
    const answer = await call('Get', '7')
    assert.equal(answer.status, 200)
    assert.equal(
      answer.headers['content-type'],
      form.text ? 'application/grpc-web-text+proto' : 'application/grpc-web+proto',
    )
    assert.equal(await answer.next(), '7')
    assert.match((await answer.next()) ?? '', /^grpc-status: 0\r\n/m)
    assert.equal(await answer.next(), null)
  })

  test(`${name}: a stream comes message by message, whatever follows`, async () => {
    const answer = await call('Watch', 'slow')
    // The server says the next only when this one is here.
    assert.equal(await answer.next(), 'first')
    more()
    assert.equal(await answer.next(), 'second')
    assert.match((await answer.next()) ?? '', /^grpc-status: 0\r\n/m)
    assert.equal(await answer.next(), null)
  })

  test(`${name}: four megabytes of messages, whole`, async () => {
    const answer = await call('Watch', 'many')
    for (let i = 0; i < 400; i++) assert.equal(await answer.next(), String(i))
    assert.match((await answer.next()) ?? '', /^grpc-status: 0\r\n/m)
  })

  test(`${name}: a status of the server, in the head and behind messages`, async () => {
    const missing = await call('Get', 'missing')
    assert.equal(missing.status, 200)
    assert.equal(missing.headers['grpc-status'], '5')
    assert.equal(missing.headers['grpc-message'], 'nobody%20%C3%A4')
    assert.equal(await missing.next(), null)
    const broken = await call('Watch', 'broken')
    assert.equal(await broken.next(), 'first')
    more()
    const last = (await broken.next()) ?? ''
    assert.match(last, /^grpc-status: 10\r\n/m)
    assert.match(last, /^grpc-message: half%20way\r\n/m)
    assert.equal(await broken.next(), null)
  })

  test(`${name}: what Outrigger answers itself, with the fields that a script may read`, async () => {
    const nowhere = await InProcess.start(edgeTo(1))
    const answer = await callWeb(nowhere.port(), {
      ...form,
      method: 'Get',
      id: '1',
      headers: { origin: SHOP },
    })
    assert.equal(answer.status, 200)
    assert.match(String(answer.headers['content-type']), /^application\/grpc-web/)
    assert.equal(answer.headers['grpc-status'], '14')
    assert.match(String(answer.headers['grpc-message']), /^upstream_connect_failed: /)
    assert.equal(answer.headers['access-control-allow-origin'], SHOP)
    assert.match(String(answer.headers['access-control-expose-headers']), /x-head.*grpc-status, grpc-message/)
    assert.equal(await answer.next(), null)
    await nowhere.stop()
  })

  test(`${name}: a client that goes away is heard of at the server`, async () => {
    const heard = new Promise<void>(resolve => (cancelled = resolve))
    const answer = await call('Watch', 'open')
    assert.equal(await answer.next(), 'open')
    answer.cancel()
    await heard
  })

  test(`${name}: a deadline reaches the server`, async () => {
    const heard = new Promise<void>(resolve => (cancelled = resolve))
    const answer = await call('Watch', 'open', { 'grpc-timeout': '300m' })
    let last: string | null = 'open'
    while (last === 'open') last = await answer.next()
    assert.match(last ?? '', /^grpc-status: 4\r\n/m)
    await heard
  })
}

test('a preflight is answered, and an origin that may not call hears so', async () => {
  const preflight = (origin: string) =>
    edge.ask(
      `OPTIONS /shop.Users/Get HTTP/1.1\r\nhost: a\r\norigin: ${origin}\r\naccess-control-request-method: POST\r\n` +
        'access-control-request-headers: content-type,grpc-timeout,x-grpc-web,x-user-agent\r\n\r\n',
      { method: 'OPTIONS' },
    )
  const allowed = await preflight(SHOP)
  assert.equal(allowed.status, 204)
  assert.equal(allowed.headers['access-control-allow-origin'], SHOP)
  assert.equal(
    allowed.headers['access-control-allow-headers'],
    'content-type, grpc-timeout, x-grpc-web, x-user-agent',
  )
  assert.equal((await preflight('https://evil.example')).status, 403)
})

test('what is no gRPC-Web: text that is no base64, a message that is cut; where it is off nothing is turned', async () => {
  for (const over of ['HTTP/1.1', 'HTTP/2'] as const) {
    const bad = await callWeb(edge.port(), { over, text: true, method: 'Get', id: '1', body: '?!?!' })
    assert.equal(bad.headers['grpc-status'], '3')
    assert.match(String(bad.headers['grpc-message']), /^bad_request: The body is not base64/)
    bad.cancel()
    // Cut within a message: the server's own business, and an error all the same.
    const cut = framed(Buffer.alloc(20)).subarray(0, 12)
    const short = await callWeb(edge.port(), { over, text: false, method: 'Get', id: '1', body: cut })
    assert.notEqual(short.headers['grpc-status'] ?? '0', '0')
    short.cancel()
  }
  const off = await InProcess.start(edgeTo(server.port, 'off'))
  const answer = await callWeb(off.port(), { over: 'HTTP/1.1', text: false, method: 'Get', id: '1' })
  // This server takes whatever begins with the name of gRPC, and answers in it.
  assert.equal(answer.headers['content-type'], 'application/grpc+proto')
  answer.cancel()
  await off.stop()
})

test('calls of browsers are counted and logged as calls', async () => {
  const answer = await callWeb(edge.port(), { over: 'HTTP/1.1', text: true, method: 'Get', id: 'counted' })
  while ((await answer.next()) !== null);
  await edge.accessLine(line => line['grpc_status'] === 0 && line['protocol'] === 'HTTP/1.1')
  assert.match(
    await edge.metrics(),
    /grpc_requests_total\{service="shop\.Users",method="Watch",code="aborted"\} 4\n/,
  )
})

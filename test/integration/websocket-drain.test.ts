import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, type TestContext, test } from 'node:test'
import { encodeFrame } from '../../sidecar/websocket/frame-fixture.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { RawClient } from '../harness/raw-client.ts'
import { WsClient, WsServer } from '../harness/ws-peers.ts'

const RELOADS = 100

function sidecarOf(service: number): string {
  return `version: 1
service: chat
admin: { address: "127.0.0.1:0" }
listeners: [{ name: in, role: inbound, address: "127.0.0.1:0", trustedProxies: 127.0.0.1, upstream: app }]
upstreams: { app: { url: "http://127.0.0.1:${service}" } }
telemetry: { accessLog: on }
`
}

/** An edge before a sidecar. @param n what is different in this one */
function edgeOf(sidecar: Outrigger, n: number): string {
  return `version: 1
service: edge
admin: { address: "127.0.0.1:0" }
listeners:
  - name: in
    role: edge
    address: 127.0.0.1:0
    routes:
      - { name: new, match: { path: /new/${n} }, respond: { body: "${n}" } }
      - { name: chat, upstream: chat, timeout: { total: ${1000 + n}ms } }
upstreams: { chat: { url: "http://127.0.0.1:${sidecar.port('in')}", limits: { inFlight: ${100 + n} } } }
drain: { timeout: 12s }
telemetry: { accessLog: on }
`
}

async function setUp(t: TestContext) {
  const service = await WsServer.listen()
  t.after(() => service.close())
  const sidecar = await Outrigger.start(sidecarOf(service.port))
  t.after(() => sidecar.stop('SIGKILL'))
  const edge = await Outrigger.start(edgeOf(sidecar, 0))
  t.after(() => edge.stop('SIGKILL'))
  return { service, sidecar, edge }
}

// Both mostly wait for the notice of five seconds.
describe('WebSockets and the life of a process', { concurrency: true }, () => {
  test('WebSocket echo through edge and sidecar survives 100 reloads and is closed with 1001 on drain', async t => {
    const { service, sidecar, edge } = await setUp(t)
    const port = edge.port('in')
    const client = await WsClient.open(port)
    for (let n = 1; n <= RELOADS; n++) {
      const line = await edge.reload(edgeOf(sidecar, n))
      assert.equal(line.msg, 'reloaded')
      assert.equal((await client.echo(`after ${n}`)).toString(), `after ${n}`)
    }
    assert.equal(service.sockets.length, 1)
    // One that is in the middle of a frame has to be waited for.
    const upgrade = [
      'GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n',
      'sec-websocket-version: 13\r\nsec-websocket-key: x3JJHMbDL1EzLkh9GBhXDw==\r\n\r\n',
    ].join('')
    const middle = await RawClient.connect(port)
    assert.equal((await middle.ask(upgrade)).status, 101)
    const frame = encodeFrame({ opcode: 1, payload: Buffer.from('in two parts'), mask: Buffer.from('mask') })
    middle.send(frame.subarray(0, 10))

    const begun = performance.now()
    const there = once(service.sockets[0] as NodeJS.EventEmitter, 'close')
    edge.signal('SIGTERM')
    assert.equal((await client.echo('while it is announced')).toString(), 'while it is announced')
    assert.deepEqual(await client.closed, { code: 1001, reason: 'going away' })
    const waited = performance.now() - begun
    assert.ok(waited > 4900 && waited < 8000, `closed after ${waited} ms`)
    assert.equal((await there)[0], 1001)
    middle.send(frame.subarray(10))
    await middle.readUntil('going away')
    middle.destroy()
    assert.deepEqual(await edge.exit(), { code: 0, signal: null })
    assert.match(edge.stdout, /"status":101.*"closed_by":"outrigger","close_code":1001/)
    // The sidecar had it from its client.
    await sidecar.accessLogged(/"status":101.*"closed_by":"client","close_code":1001/)
  })

  test('a sidecar that ends says so to both ends, through the edge', async t => {
    const { service, sidecar, edge } = await setUp(t)
    const client = await WsClient.open(edge.port('in'))
    await client.echo('x')
    const there = once(service.sockets[0] as NodeJS.EventEmitter, 'close')
    sidecar.signal('SIGTERM')
    assert.deepEqual(await client.closed, { code: 1001, reason: 'going away' })
    assert.equal((await there)[0], 1001)
    assert.deepEqual(await sidecar.exit(), { code: 0, signal: null })
    await edge.accessLogged(/"status":101.*"closed_by":"upstream","close_code":1001/)
  })
})

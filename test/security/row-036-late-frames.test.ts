// Row 36 of docs/security.md: what a peer sends on streams that we have reset. What was on its way is nobody's fault; who
// goes on costs us work for nothing.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { InProcess } from '../harness/in-process.ts'
import { CODE, frameBytes, literals, pseudo, RawH2, TYPE } from '../harness/raw-h2.ts'
import { RawH2Server } from '../harness/raw-h2-server.ts'
import { RawUpstream } from '../harness/raw-upstream.ts'

const END_STREAM = 1
const END_HEADERS = 4
const WINDOW = 65_535
const MANY = 4000

let upstream: RawUpstream
let proxy: InProcess
before(async () => {
  upstream = await RawUpstream.listen()
  proxy = await InProcess.start(routeTo(upstream.port))
})
after(async () => {
  await proxy.stop()
  await upstream.close()
})

/** A client on whose stream 1 we have said RST_STREAM. */
async function withReset(): Promise<[RawH2, number]> {
  const client = await RawH2.connect(proxy.port())
  const id = client.request([...pseudo('POST', '/'), 'connection', 'x'], false)
  assert.equal((await client.over(id)).reset, CODE.protocol)
  return [client, id]
}

const floods: Record<string, (id: number) => Buffer> = {
  DATA: id => frameBytes(TYPE.data, 0, id, Buffer.alloc(16_000)),
  'small DATA': id => frameBytes(TYPE.data, 0, id, Buffer.alloc(100)),
  'empty DATA with END_STREAM': id => frameBytes(TYPE.data, END_STREAM, id, Buffer.alloc(0)),
  'header blocks': id => frameBytes(TYPE.headers, END_HEADERS, id, literals(['x', 'y'.repeat(1000)])),
}

for (const [what, frame] of Object.entries(floods))
  test(`${what} without end: the session is ended`, async () => {
    const [client, id] = await withReset()
    const bytes = frame(id)
    for (let sent = 0; sent < MANY && !client.closed && client.goaway === null; sent += 10) {
      client.send(Buffer.concat(Array.from({ length: 10 }, () => bytes)))
      await new Promise(resolve => setImmediate(resolve))
    }
    assert.equal(await client.gone(), CODE.calm)
    client.destroy()
    await proxy.serves()
  })

test('a window of it, and the end of the message, may have been on its way', async () => {
  const [client, id] = await withReset()
  const sizes = [16_384, 16_384, 16_384, WINDOW - 3 * 16_384]
  for (const size of sizes) client.data(id, Buffer.alloc(size))
  client.trailers(id, ['x-sum', '1'])
  assert.equal((await client.over(client.get('/here'))).status, 200)
  assert.equal(client.goaway, null)
  client.destroy()
})

test('a service that goes on with what was given up loses its session, and the next one serves', async t => {
  let flood = (): void => {}
  const server = await RawH2Server.listen({
    onRequest: (peer, stream, headers) => {
      if (headers.includes('/here-too')) return peer.answer(stream)
      peer.head(stream, [':status', '200'])
      const much = Buffer.concat(
        Array.from({ length: 8 }, () => frameBytes(TYPE.data, 0, stream, Buffer.alloc(16_000))),
      )
      flood = () => {
        while (!peer.socket.destroyed && peer.socket.write(much));
        peer.socket.once('drain', flood)
      }
    },
  })
  const config = routeTo(server.port, { upstream: 'protocol: http2\nhealthCheck: off' })
  const sidecar = await InProcess.start(config)
  t.after(() => server.close())
  const client = await RawH2.connect(sidecar.port())
  const id = client.get('/given-up')
  await client.until('the head', () => client.answer(id).status === 200)
  client.reset(id)
  await sidecar.until(
    'RST_STREAM',
    () => server.peers[0]?.frames.some(one => one.type === TYPE.reset) === true,
  )
  flood()
  await sidecar.until(
    'the end of it',
    () => server.peers[0]?.frames.some(one => one.type === TYPE.goaway) === true,
  )
  assert.equal((await client.over(client.get('/here-too'))).status, 200)
  assert.equal(server.peers.length, 2)
  client.destroy()
  server.peers[0]?.socket.destroy()
  await sidecar.stop()
})

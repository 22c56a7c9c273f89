// Row 36 of docs/security.md: frames that move nothing, as many as a client can send.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { InProcess } from '../harness/in-process.ts'
import { CODE, frameBytes, pseudo, RawH2, TYPE } from '../harness/raw-h2.ts'
import { RawUpstream } from '../harness/raw-upstream.ts'

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

const setting = Buffer.from([0, 3, 0, 0, 0, 100])
const floods: Record<string, (client: RawH2, open: number) => Buffer> = {
  SETTINGS: () => frameBytes(TYPE.settings, 0, 0, setting),
  'empty SETTINGS': () => frameBytes(TYPE.settings, 0, 0, Buffer.alloc(0)),
  PING: () => frameBytes(TYPE.ping, 0, 0, Buffer.alloc(8)),
  PRIORITY: () => frameBytes(TYPE.priority, 0, 1, Buffer.from([0, 0, 0, 3, 1])),
  'empty DATA': (_client, open) => frameBytes(TYPE.data, 0, open, Buffer.alloc(0)),
  'DATA of padding alone': (_client, open) => frameBytes(TYPE.data, 8, open, Buffer.from([0])),
  'WINDOW_UPDATE of a byte': () => frameBytes(TYPE.window, 0, 0, Buffer.from([0, 0, 0, 1])),
  'frames of an unknown type': () => frameBytes(0x55, 0, 0, Buffer.alloc(0)),
}

for (const [what, frame] of Object.entries(floods)) {
  test(`${what}: the session is ended after thousands, nothing is kept`, async () => {
    const client = await RawH2.connect(proxy.port())
    const open = client.request(pseudo('POST', '/open'), false)
    const many = Buffer.concat(Array.from({ length: 500 }, () => frame(client, open)))
    let sent = 0
    while (!client.closed && client.goaway === null && sent < 100_000) {
      client.send(many)
      sent += 500
      await new Promise(resolve => setImmediate(resolve))
    }
    assert.equal(await client.gone(), CODE.calm)
    assert.ok(sent < 30_000, `${sent} frames`)
    client.destroy()
    await proxy.until('no connection', () => proxy.connections === 0)
    await proxy.serves()
  })
}

test('who floods and does not read is ended as well, however little it takes', async () => {
  const client = await RawH2.connect(proxy.port())
  client.socket.pause()
  const many = Buffer.concat(Array.from({ length: 500 }, () => frameBytes(TYPE.ping, 0, 0, Buffer.alloc(8))))
  for (let i = 0; i < 100; i++) client.send(many)
  await proxy.until(
    'the end of it',
    () => proxy.service.budget.used < 1_000_000 && client.socket.writableLength === 0,
  )
  client.socket.resume()
  await client.gone()
  client.destroy()
})

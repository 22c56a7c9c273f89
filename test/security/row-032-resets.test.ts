// Rows 32 and 33 of docs/security.md: streams that are opened to be reset, by the client or by what it makes us say.
// What it costs others is measured in row-032-resets.slow.test.ts.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { HttpUpstream } from '../harness/http-upstream.ts'
import { InProcess } from '../harness/in-process.ts'
import { CODE, pseudo, RawH2, TYPE } from '../harness/raw-h2.ts'

let upstream: HttpUpstream
let proxy: InProcess
let asked = 0
before(async () => {
  // Answers nobody, as a slow service would.
  upstream = await HttpUpstream.listen(() => asked++)
  proxy = await InProcess.start(routeTo(upstream.port))
})
after(async () => {
  await proxy.stop()
  await upstream.close()
})

/** Opens and spoils streams until the session is ended. @returns how many there were, and with which code it ended */
async function until(spoil: (client: RawH2, id: number) => void): Promise<[number, number]> {
  const client = await RawH2.connect(proxy.port())
  let streams = 0
  while (!client.closed && client.goaway === null && streams < 2000) {
    for (let i = 0; i < 25; i++, streams++) spoil(client, client.get('/hang'))
    await client.roundTrip()
  }
  const code = await client.gone()
  client.destroy()
  await proxy.until('no request', () => proxy.service.proxy.active === 0)
  return [streams, code]
}

test('row 32: rapid reset ends the session, and not the service', async () => {
  const [streams, code] = await until((client, id) => client.reset(id))
  assert.equal(code, CODE.calm)
  assert.ok(streams <= 300, `${streams} streams`)
  assert.ok(asked <= 300, `${asked} requests reached the service`)
  await proxy.serves()
})

test('row 33: resets that we are made to send count like those that are sent to us (MadeYouReset)', async () => {
  const provocations: Record<string, (client: RawH2, id: number) => void> = {
    'a window of nothing': (client, id) => client.window(id, 0),
    'a window beyond the largest': (client, id) => client.window(id, 2 ** 31 - 1),
    'a priority of the wrong size': (client, id) => client.frame(TYPE.priority, 0, id, Buffer.alloc(4)),
    'a priority on itself': (client, id) => {
      const payload = Buffer.alloc(5)
      payload.writeUInt32BE(id)
      client.frame(TYPE.priority, 0, id, payload)
    },
    'a body that the head did not announce': (client, id) => client.data(id, 'x'),
  }
  for (const [what, provoke] of Object.entries(provocations)) {
    const [streams, code] = await until(provoke)
    assert.ok(streams <= 300, `${what}: ${streams} streams, ${code}`)
    assert.notEqual(code, CODE.none, what)
  }
  const [streams] = await until((client, id) => {
    client.reset(id)
    client.request([...pseudo('GET', '/'), 'connection', 'close'])
  })
  assert.ok(streams <= 300, `malformed requests: ${streams} streams`)
  await proxy.serves()
})

test('a client that cancels now and then is left alone', async () => {
  const client = await RawH2.connect(proxy.port())
  for (let i = 0; i < 150; i++) {
    const cancelled = client.get('/hang')
    const wanted = client.get('/here')
    client.reset(cancelled)
    assert.equal((await client.over(wanted)).status, 200)
  }
  assert.equal(client.goaway, null)
  client.destroy()
})

import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { InProcess } from '../harness/in-process.ts'
import { RawUpstream } from '../harness/raw-upstream.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'

// `protocol: tcp`: bytes pass as they are.

let service: RawUpstream
let proxy: InProcess

beforeEach(async () => {
  service = await RawUpstream.listen()
  proxy = await InProcess.start(
    `version: 1
service: test
telemetry: { accessLog: { write: on } }
listeners:
  - { name: db, role: inbound, address: "127.0.0.1:0", protocol: tcp, timeout: { idle: 20s }, upstream: db }
upstreams:
  db: { endpoints: ["127.0.0.1:${service.port}"] }
`,
    { clock: new SteppedClock() },
  )
})

afterEach(async () => {
  await proxy.stop()
  await service.close()
})

test('bytes pass both ways, whoever speaks first; each side closes its own direction', async () => {
  const client = await proxy.connect('db')
  const far = await service.accept()
  far.send('220 ready\r\n')
  await client.readUntil('220 ready\r\n')
  client.send('QUIT')
  client.half()
  assert.equal(await far.readToEnd(), 'QUIT')
  far.send('bye')
  far.half()
  assert.equal(await client.readToEnd(), 'bye')
  const line = await proxy.accessLine(one => one.route === 'db')
  assert.deepEqual(
    [line['bytes_in'], line['bytes_out'], line['endpoint'], line['reason'], line['protocol']],
    [4, 14, `127.0.0.1:${service.port}`, undefined, 'TCP'],
  )
  client.destroy()
})

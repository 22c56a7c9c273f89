import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { Timer } from '../../sidecar/runtime/timer-wheel.ts'
import { routeTo } from '../harness/configs.ts'
import { InProcess } from '../harness/in-process.ts'
import { RawUpstream } from '../harness/raw-upstream.ts'

// Row 84: a bug at the entry of a callback. What it costs is its exchange and its connection: the process lives, and
// nothing that was taken stays taken.

const ASK = 'GET /x HTTP/1.1\r\nhost: a.example\r\n\r\n'
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'

let upstream: RawUpstream
let proxy: InProcess
beforeEach(async () => {
  upstream = await RawUpstream.listen()
  proxy = await InProcess.start(routeTo(upstream.port))
})
afterEach(async () => {
  await proxy.serves()
  assert.equal(proxy.service.proxy.active, 0)
  await proxy.stop({ errors: 'expected' })
  await upstream.close()
})

test('row 84: the handler throws: the connection closes', async () => {
  const { acceptors } = proxy.service
  const whole = Object.getOwnPropertyDescriptor(acceptors, 'handle') as PropertyDescriptor
  acceptors.handle = () => {
    throw new Error('planted')
  }
  const client = await proxy.connect()
  client.send(ASK)
  assert.equal((await client.readToEnd()).length, 0)
  client.destroy()
  Object.defineProperty(acceptors, 'handle', whole)
})

test('row 84: the request path throws: 500 internal', async () => {
  const { holder } = proxy.service
  const entries = [...holder.current.snapshot.entries.values()]
  const planted = entries[0]?.listeners[0]
  assert.ok(planted)
  const lookup = planted.table.lookup.bind(planted.table)
  planted.table.lookup = () => {
    throw new Error('planted')
  }
  const response = await proxy.ask(ASK)
  planted.table.lookup = lookup
  assert.equal(response.status, 500)
  assert.equal(proxy.access.at(-1)?.reason, 'internal')
})

test('row 84: what takes the response throws: 500 internal, and the upstream connection is gone', async () => {
  const { snapshot } = proxy.service.holder.current
  const route = [...snapshot.routes.values()].find(one => one.action.kind === 'upstream')
  assert.ok(route)
  // The list is the route's own; a filter that throws on the way back stands in it for this one request.
  const filters = route.filters as unknown as { name: string; onResponse(): void }[]
  filters.push({
    name: 'planted',
    onResponse() {
      filters.length = 0
      throw new Error('planted')
    },
  })
  const answer = proxy.ask(ASK)
  const server = await upstream.accept()
  await server.readUntil('\r\n\r\n')
  server.send(OK)
  assert.equal((await answer).status, 500)
  await server.readToEnd()
  server.destroy()
})

test('row 84: the accounts throw: the answer arrives and the connection goes on', async () => {
  const { accessLog } = proxy.service.proxy
  const write = accessLog.write.bind(accessLog)
  accessLog.write = () => {
    throw new Error('planted')
  }
  const client = await proxy.connect()
  for (let i = 0; i < 2; i++) {
    const response = await client.ask('GET /here HTTP/1.1\r\nhost: a.example\r\n\r\n')
    assert.equal(response.status, 200)
  }
  client.destroy()
  accessLog.write = write
})

test('row 84: a timer throws: the others fire, and the process lives', async () => {
  const { wheel } = proxy.service
  const fired = Promise.withResolvers<void>()
  const planted = new Timer({
    onTimer() {
      throw new Error('planted')
    },
  })
  const other = new Timer({ onTimer: () => fired.resolve() })
  wheel.schedule(planted, 1)
  wheel.schedule(other, 1)
  await fired.promise
})

import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { Timer } from '../../sidecar/runtime/timer-wheel.ts'
import { BufferedWriter } from '../../sidecar/telemetry/buffered-writer.ts'
import type { LookupDone } from '../../sidecar/upstream/discovery/lookup-queue.ts'
import { routeTo } from '../harness/configs.ts'
import { InProcess } from '../harness/in-process.ts'
import type { RawConnection } from '../harness/raw-connection.ts'
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

/** Asks what the upstream answers. @returns the status that came, and the connection upstream */
async function askUpstream(): Promise<{ status: number; server: RawConnection }> {
  const answer = proxy.ask(ASK)
  const server = await upstream.accept()
  await server.readUntil('\r\n\r\n')
  server.send(OK)
  return { status: (await answer).status, server }
}

/** Puts a filter into the only route to an upstream. @returns the route's filters */
function plant(filter: Record<string, unknown>): unknown[] {
  const { snapshot } = proxy.service.holder.current
  const route = [...snapshot.routes.values()].find(one => one.action.kind === 'upstream')
  // The list is the route's own, and the route goes with the test.
  const filters = route?.filters as unknown as Record<string, unknown>[]
  filters.push({ name: 'planted', ...filter })
  return filters
}

const planted = (): never => {
  throw new Error('planted')
}

test('row 84: the handler throws: the connection closes', async () => {
  const { acceptors } = proxy.service
  const whole = Object.getOwnPropertyDescriptor(acceptors, 'handle') as PropertyDescriptor
  acceptors.handle = planted
  const client = await proxy.connect()
  client.send(ASK)
  assert.equal((await client.readToEnd()).length, 0)
  client.destroy()
  Object.defineProperty(acceptors, 'handle', whole)
})

test('row 84: the request path throws: 500 internal', async () => {
  const { holder } = proxy.service
  const entries = [...holder.current.snapshot.entries.values()]
  const table = entries[0]?.listeners[0]?.table
  assert.ok(table)
  const lookup = table.lookup.bind(table)
  table.lookup = planted
  const response = await proxy.ask(ASK)
  table.lookup = lookup
  assert.equal(response.status, 500)
  assert.equal(proxy.access.at(-1)?.reason, 'internal')
})

test('row 84: what takes the response throws: 500 internal, and the upstream connection is gone', async () => {
  // Only for this one request: the problem that it becomes passes the filters as well.
  const filters = plant({
    onResponse() {
      filters.length = 0
      throw new Error('planted')
    },
  })
  const { status, server } = await askUpstream()
  assert.equal(status, 500)
  await server.readToEnd()
  server.destroy()
})

test('row 84: the accounts throw: the answer arrives and the connection goes on', async () => {
  const { accessLog } = proxy.service.proxy
  const write = accessLog.write.bind(accessLog)
  accessLog.write = planted
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
  const throwing = new Timer({ onTimer: planted })
  const other = new Timer({ onTimer: () => fired.resolve() })
  wheel.schedule(throwing, 1)
  wheel.schedule(other, 1)
  await fired.promise
})

test('row 84: a hook that is awaited rejects, or what comes after it throws: 500 internal', async () => {
  plant({ onRequest: () => Promise.reject(new Error('planted')) })
  assert.equal((await proxy.ask(ASK)).status, 500)
  assert.equal(proxy.access.at(-1)?.reason, 'internal')
})

test('row 84: a hook that is awaited goes on to one that throws: 500 internal', async () => {
  plant({ onRequest: () => Promise.resolve() })
  plant({ onRequest: planted })
  assert.equal((await proxy.ask(ASK)).status, 500)
  assert.equal(proxy.access.at(-1)?.reason, 'internal')
})

test('row 84: a response filter that always throws: problems go out without it, late ones too', async () => {
  plant({ onRequest: () => Promise.reject(new Error('planted')), onResponse: planted })
  assert.equal((await proxy.ask(ASK)).status, 500)
  assert.equal(proxy.access.at(-1)?.reason, 'internal')
})

test('row 84: a response filter that always throws, on the way back: 500 internal, and the upstream connection is gone', async () => {
  plant({ onResponse: planted })
  const { status, server } = await askUpstream()
  assert.equal(status, 500)
  await server.readToEnd()
  server.destroy()
})

test('row 84: a filter throws when all is over: the answer arrives', async () => {
  plant({ onDone: planted })
  assert.equal((await askUpstream()).status, 200)
})

test('row 84: a look-up throws, at once or when it answers', async () => {
  for (const lookup of [
    planted,
    (_name: string, done: LookupDone) => setImmediate(() => done(new Error('planted'), [])),
  ] as const) {
    const named = await InProcess.start(
      `version: 1
service: test
listeners:
  - { name: in, role: inbound, address: "127.0.0.1:0", upstream: app }
  - { name: out, role: outbound, address: "127.0.0.1:0", tunnel: on, routes: [{ name: a, match: { host: a }, respond: {} }] }
upstreams:
  app: { endpoints: "app.example:80" }
`,
      { lookup },
    )
    assert.equal((await named.ask(ASK, { listener: 'in' })).status, 503)
    const tunnel = await named.ask('CONNECT b.example:443 HTTP/1.1\r\nhost: b.example:443\r\n\r\n', {
      listener: 'out',
    })
    assert.equal(tunnel.status, 503)
    assert.equal((await named.ask('GET / HTTP/1.1\r\nhost: a\r\n\r\n', { listener: 'out' })).status, 200)
    await named.stop({ errors: 'expected' })
  }
})

test('row 84: the log cannot be written: lines are counted, requests are answered', async () => {
  const full = Object.assign(new Error('no space left'), { code: 'ENOSPC' })
  const writer = new BufferedWriter(-1, 0, {
    write: (_fd, _bytes, _offset, _length, done) => done(full, 0),
    writeSync: () => {
      throw full
    },
  })
  const { accessLog } = proxy.service.proxy
  const write = accessLog.write.bind(accessLog)
  accessLog.write = () => writer.write('a line\n')
  for (let i = 0; i < 3; i++)
    assert.equal((await proxy.ask('GET /here HTTP/1.1\r\nhost: a.example\r\n\r\n')).status, 200)
  accessLog.write = write
  await proxy.until('the failed writes', () => writer.dropped === 3)
})

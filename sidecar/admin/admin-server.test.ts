import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, renameSync, rmSync, statSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import type { Address } from '../exchange/address.ts'
import { FakeControl, FakeLog, send, start, text } from './admin-fixture.ts'
import { AdminServer } from './admin-server.ts'

test('the paths answer', async t => {
  const { control, port } = await start(t)
  assert.deepEqual(
    [(await send({ port, path: '/healthz' })).status, (await send({ port, path: '/readyz' })).status],
    [200, 200],
  )
  control.isReady = false
  assert.equal((await send({ port, path: '/healthz' })).status, 200)
  const unready = await send({ port, path: '/readyz' })
  assert.equal(unready.status, 503)
  assert.equal(unready.headers['content-type'], 'application/problem+json')
  const metrics = await send({ port, path: '/metrics' })
  assert.match(metrics.headers['content-type'] ?? '', /^text\/plain; version=0\.0\.4/)
  assert.equal(metrics.text, 'outrigger_x 1\n')
  assert.deepEqual(JSON.parse((await send({ port, path: '/upstreams' })).text), [
    { name: 'app', endpoints: [] },
  ])
  const index = await send({ port, path: '/' })
  for (const name of ['healthz', 'readyz', 'metrics', 'config', 'upstreams', 'log-level', 'drain', 'quit'])
    assert.match(index.text, new RegExp(`^(GET |POST) /${name}`, 'm'))
  assert.equal(index.headers['cache-control'], 'no-store')
})

test('the configuration is shown with its hash and without secrets', async t => {
  const { control, port } = await start(t)
  const shown = await send({ port, path: '/config' })
  assert.equal(shown.headers['outrigger-config-hash'], 'abc123')
  const expected = { listeners: [{ name: 'in' }], admin: { token: '***' }, headers: { Authorization: '***' } }
  assert.deepEqual(JSON.parse(shown.text), { hash: 'abc123', config: expected })
  control.shown = { headers: [{ set: { 'x-key': 'Bearer resolved' } }], deep: [[[[[[['resolved']]]]]]] }
  const written = (await send({ port, path: '/config' })).text
  assert.match(written, /"Bearer \$\{env:SECRET\}"/)
  assert.doesNotMatch(written, /resolved/)
  let deep: unknown = { password: 'canary' }
  for (let i = 0; i < 10; i++) deep = { a: [deep], secret: 'canary', none: undefined, empty: {}, list: [] }
  control.shown = deep
  const text = (await send({ port, path: '/config' })).text
  assert.doesNotMatch(text, /canary/)
  JSON.parse(text)
})

test('the configuration is shown without the values of secret headers and the passwords of URLs', async t => {
  const { control, port } = await start(t)
  const set = [
    ['authorization', 'Basic canary'],
    ['x-tenant', 'a'],
  ]
  const headers = [{ name: 'X-Api-Key', tests: [{ kind: 'exact', value: 'canary' }] }]
  const names = {
    expose: ['authorization', 'etag'],
    urls: ['redis://u:canary@host:1'],
    url: 'redis://u:resolved@host',
  }
  const route = { name: 'token', match: { headers }, policies: { headers: { set }, ...names } }
  control.shown = { routes: [route], deep: [[[[[[[{ set }, headers, names]]]]]]] }
  const { text } = await send({ port, path: '/config' })
  assert.doesNotMatch(text, /canary/)
  const hidden = {
    name: 'token',
    match: { headers: [{ name: 'X-Api-Key', tests: '***' }] },
    policies: {
      headers: {
        set: [
          ['authorization', '***'],
          ['x-tenant', 'a'],
        ],
      },
      ...names,
      urls: ['redis://u:***@host:1'],
      url: 'redis://u:${env:SECRET}@host',
    },
  }
  // What was sent is the JSON of the configuration above.
  assert.deepEqual((JSON.parse(text) as { config: { routes: unknown[] } }).config.routes, [hidden])
})

test('drain, quit and the log level', async t => {
  const { control, port } = await start(t)
  assert.equal((await send({ port, path: '/drain', method: 'POST' })).status, 202)
  assert.deepEqual(control.calls, ['drain'])
  assert.equal((await send({ port, path: '/quit', method: 'POST' })).status, 202)
  await send({ port, path: '/healthz' })
  assert.deepEqual(control.calls, ['drain', 'quit'])
  assert.equal((await send({ port, path: '/log-level?level=debug', method: 'POST' })).text, 'debug\n')
  assert.equal(control.logLevel, 'debug')
  assert.equal((await send({ port, path: '/log-level' })).text, 'debug\n')
  const bad = await send({ port, path: '/log-level?level=loud', method: 'POST' })
  assert.equal(bad.status, 400)
  assert.match(bad.text, /trace, debug, info/)
  assert.equal(control.logLevel, 'debug')
})

test('each path has its methods and no other', async t => {
  const { control, port } = await start(t)
  const reads = ['/', '/healthz', '/readyz', '/metrics', '/config', '/upstreams', '/log-level']
  for (const name of [...reads, '/drain', '/quit']) {
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE']) {
      const { status, headers, text } = await send({ port, path: name, method })
      const what = `${method} ${name}`
      if (method === 'GET' || method === 'HEAD') assert.equal(status, reads.includes(name) ? 200 : 405, what)
      else if (method === 'POST' && name === '/log-level') assert.equal(status, 400, what)
      else if (method === 'POST' && !reads.includes(name)) assert.equal(status, 202, what)
      else assert.equal(status, 405, what)
      if (status === 405) assert.ok((headers.allow ?? '').length > 0, what)
      if (method === 'HEAD') assert.equal(text, '', what)
    }
  }
  assert.deepEqual(control.calls, ['drain', 'quit'])
  assert.equal((await send({ port, path: '/nothing' })).status, 404)
  assert.equal((await send({ port, path: '//config' })).status, 404)
  assert.equal((await send({ port, path: '/config/../drain', method: 'POST' })).status, 404)
})

test('the probes address answers three paths, under any Host', async t => {
  const { control, port } = await start(t, { probes: true })
  for (const name of ['/healthz', '/readyz', '/metrics'])
    assert.equal((await send({ port, path: name, headers: { host: 'pod.example' } })).status, 200)
  for (const name of ['/', '/config', '/upstreams', '/log-level', '/drain', '/quit'])
    assert.equal((await send({ port, path: name })).status, 404)
  for (const name of ['/drain', '/quit', '/log-level?level=debug', '/healthz'])
    assert.notEqual((await send({ port, path: name, method: 'POST' })).status, 202)
  assert.equal((await send({ port, path: '/healthz', headers: { origin: 'http://a' } })).status, 403)
  assert.deepEqual([control.calls, control.logLevel], [[], 'info'])
})

test('a taken port is an answer that names the key', async t => {
  const { port } = await start(t)
  const other = new AdminServer(new FakeControl(), new FakeLog())
  t.after(() => other.close())
  const address: Address = { kind: 'tcp', host: '127.0.0.1', port }
  assert.match(
    text(await other.listen(address, { probes: false, token: null })),
    /^admin\.address: 127\.0\.0\.1:\d+ is taken/,
  )
  assert.match(text(await other.listen(address, { probes: true, token: null })), /^admin\.probes: /)
  const foreign: Address = { kind: 'tcp', host: '203.0.113.1', port: 0 }
  assert.match(
    text(await other.listen(foreign, { probes: false, token: null })),
    /not an address of this machine/,
  )
})

test('a Unix socket: private, cleaned up, and a stale file replaced', async t => {
  const folder = mkdtempSync(path.join(tmpdir(), 'admin-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const address: Address = { kind: 'unix', path: path.join(folder, 'admin.sock') }
  const options = { probes: false, token: null }
  const first = new AdminServer(new FakeControl(), new FakeLog())
  t.after(() => first.close())
  assert.deepEqual(await first.listen(address, options), address)
  assert.equal(statSync(address.path).mode & 0o777, 0o600)
  assert.equal(
    (await send({ socketPath: address.path, path: '/drain', method: 'POST', headers: { host: 'any' } }))
      .status,
    202,
  )
  const second = new AdminServer(new FakeControl(), new FakeLog())
  t.after(() => second.close())
  assert.match(text(await second.listen(address, options)), /is taken/)
  assert.equal((await send({ socketPath: address.path, path: '/healthz' })).status, 200)
  await first.close()
  assert.throws(() => statSync(address.path))
  // What a killed process leaves: a socket file behind which nobody listens.
  const killed = createServer().listen(`${folder}/was`)
  await once(killed, 'listening')
  renameSync(`${folder}/was`, address.path)
  killed.close()
  await once(killed, 'close')
  assert.deepEqual(await second.listen(address, options), address)
  assert.equal((await send({ socketPath: address.path, path: '/healthz' })).status, 200)
  assert.match(
    text(await second.listen({ kind: 'unix', path: `${folder}/no/such` }, options)),
    /its folder is missing/,
  )
})

test('a failure inside is a problem and a log line, not an end', async t => {
  const { control, log, port } = await start(t)
  control.upstreams = () => {
    throw new Error('broken')
  }
  const failed = await send({ port, path: '/upstreams' })
  assert.equal(failed.status, 500)
  assert.doesNotMatch(failed.text, /broken/)
  assert.equal(log.errors.length, 1)
  assert.equal((await send({ port, path: '/healthz' })).status, 200)
})

test('few scrapes at once', async t => {
  const { control, port } = await start(t)
  const { promise, resolve } = Promise.withResolvers<void>()
  control.hold = promise
  const scrapes = Array.from({ length: 6 }, () => send({ port, path: '/metrics' }))
  // Two are over before the held ones can be.
  let refused = 0
  await new Promise<void>(done => {
    for (const scrape of scrapes) void scrape.then(() => ++refused === 2 && done())
  })
  resolve()
  const statuses = (await Promise.all(scrapes)).map(answer => answer.status)
  assert.deepEqual(statuses.filter(status => status === 200).length, 4)
  assert.equal((await send({ port, path: '/metrics' })).status, 200)
})

test('bodies, surplus connections and silent ones are bounded', { timeout: 20_000 }, async t => {
  const { port } = await start(t, { headMs: 500 })
  assert.equal((await send({ port, path: '/drain', method: 'POST' }, 'x'.repeat(1_000))).status, 202)
  const started = performance.now()
  const sockets = Array.from({ length: 70 }, () => connect(port, '127.0.0.1'))
  t.after(() => {
    for (const socket of sockets) socket.destroy()
  })
  const ends = sockets.map(
    socket =>
      new Promise<number>(resolve => {
        socket.on('error', () => {})
        socket.resume()
        socket.on('close', () => resolve(performance.now() - started))
      }),
  )
  const times = (await Promise.all(ends)).sort((a, b) => a - b)
  assert.ok((times[5] ?? Infinity) < 400, 'those above 64 are closed at once')
  assert.ok((times.at(-1) ?? Infinity) < 2_000, `silent ones ended after ${times.at(-1)} ms`)
  assert.equal((await send({ port, path: '/healthz' })).status, 200)
})

test('close ends what is open', { timeout: 5_000 }, async t => {
  const { server, control, port } = await start(t)
  control.hold = new Promise(() => {})
  const scrape = send({ port, path: '/metrics' })
  await send({ port, path: '/healthz' })
  await Promise.all([server.close(), assert.rejects(scrape)])
  const free = createServer().listen(port, '127.0.0.1')
  await new Promise(resolve => free.once('listening', resolve))
  free.close()
})

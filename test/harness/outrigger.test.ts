import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { watchLeaks } from './leaks.ts'
import { Outrigger } from './outrigger.ts'
import { RawClient } from './raw-client.ts'
import { RawUpstream } from './raw-upstream.ts'
import { SlowReader } from './slow-reader.ts'

// A stand-in that keeps the contract: `ready` on stderr, `reloaded` after a change, exit code 0 on SIGTERM.
const STAND_IN = `
import { readFileSync, watch } from 'node:fs'
const folder = process.argv[process.argv.indexOf('-c') + 1]
const log = line => process.stderr.write(JSON.stringify(line) + '\\n')
const read = () => readFileSync(folder + '/sidecar.yaml', 'utf8')
let text = read()
if (text === 'broken') { console.error('cannot read it'); process.exit(1) }
if (text !== 'silent') log({ msg: 'ready', listeners: { web: '127.0.0.1:8080' }, admin: '[::1]:9090', text })
watch(folder, () => {
  if (read() === text) return
  text = read()
  log({ msg: 'reloaded', text })
})
process.on('SIGTERM', () => process.exit(0))
process.stdout.write('access line\\n')
`

let folder: string
let entry: string
before(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'outrigger-stand-in-'))
  entry = path.join(folder, 'stand-in.mjs')
  writeFileSync(entry, STAND_IN)
})
after(() => rmSync(folder, { recursive: true, force: true }))

test('starts, names its ports, reloads and stops', async () => {
  const leaks = watchLeaks()
  const outrigger = await Outrigger.start('first', { entry, files: { 'other.yaml': 'x' } })
  assert.equal(outrigger.port('web'), 8080)
  assert.equal(outrigger.adminPort, 9090)
  assert.throws(() => outrigger.port('nosuch'), /no listener nosuch/)
  assert.ok(existsSync(path.join(outrigger.folder, 'other.yaml')))
  await outrigger.accessLogged(/access line/)
  assert.equal((await outrigger.reload('second'))['text'], 'second')
  await assert.rejects(
    outrigger.logged(line => line.msg === 'nosuch', 20),
    /waited 20 ms for a log line; its stderr:\n.*"ready"/s,
  )
  assert.deepEqual(await outrigger.stop(), { code: 0, signal: null })
  assert.equal(existsSync(outrigger.folder), false)
  await leaks()
})

test('one that does not start says why', async () => {
  await assert.rejects(Outrigger.start('broken', { entry }), /it ended with 1; its stderr:\ncannot read it/)
})

test('a kill is reported as one', async () => {
  const outrigger = await Outrigger.start('first', { entry })
  assert.deepEqual(await outrigger.stop('SIGKILL'), { code: null, signal: 'SIGKILL' })
})

test('a slow reader takes its time and counts', async () => {
  const upstream = await RawUpstream.listen()
  const reader = await SlowReader.send(upstream.port, 'GET', 10, 5)
  const server = await upstream.accept()
  assert.equal((await server.read(3)).toString(), 'GET')
  const start = performance.now()
  server.send('x'.repeat(100))
  server.half()
  await server.closed()
  assert.equal(reader.bytesRead, 100)
  assert.equal(reader.ended, true)
  // Nine pauses of 5 ms between ten reads; timers may come a millisecond early.
  assert.ok(performance.now() - start >= 36)
  reader.destroy()
  await upstream.close()
})

test('an upstream with a full pipe to a slow reader is held up', async () => {
  const upstream = await RawUpstream.listen()
  const reader = await SlowReader.send(upstream.port, 'GET', 10, 50)
  const server = await upstream.accept()
  await server.read(3)
  // More than the kernel holds for both ends together.
  server.send(Buffer.alloc(32 * 1024 * 1024))
  assert.ok(server.socket.writableLength > 0)
  const socketClosed = new Promise(resolve => server.socket.once('close', resolve))
  reader.destroy()
  await socketClosed
  assert.equal(reader.closed, true)
  await upstream.close()
  await RawClient.connect(upstream.port).then(
    () => assert.fail('it still listens'),
    () => undefined,
  )
})

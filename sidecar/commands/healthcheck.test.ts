import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createRawServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { healthcheck } from './healthcheck.ts'
import { version } from './version.ts'
import type { Command } from './command.ts'

async function run(command: Command, ...args: string[]) {
  let out = ''
  let err = ''
  const io = { stdout: (text: string) => void (out += text), stderr: (text: string) => void (err += text) }
  return { code: await command.run(args, io), out, err }
}

async function listening(
  server: { listen(where: object, done: () => void): unknown; address(): unknown },
  where: object,
): Promise<number> {
  await new Promise<void>(resolve => void server.listen(where, resolve))
  const address = server.address()
  return address !== null && typeof address === 'object' && 'port' in address ? Number(address.port) : 0
}

test('the exit code says what the admin listener answers', async t => {
  const server = createServer((request, response) => {
    response.statusCode = request.url === '/healthz' ? 200 : 503
    response.end()
  })
  t.after(() => server.close())
  const address = `127.0.0.1:${await listening(server, { port: 0, host: '127.0.0.1' })}`
  assert.deepEqual(await run(healthcheck, '--address', address), { code: 0, out: '', err: '' })
  const unready = await run(healthcheck, `--address=${address}`, '--ready')
  assert.deepEqual(unready, { code: 1, out: '', err: `/readyz of ${address}: status 503\n` })
})

test('--wait asks until the answer is 200, and no longer than it says', async t => {
  let asked = 0
  const server = createServer((_, response) => {
    response.statusCode = ++asked < 3 ? 503 : 200
    response.end()
  })
  t.after(() => server.close())
  const address = `127.0.0.1:${await listening(server, { port: 0, host: '127.0.0.1' })}`
  assert.equal((await run(healthcheck, '--address', address, '--wait', '10')).code, 0)
  assert.equal(asked, 3)
  asked = -1e6
  assert.equal((await run(healthcheck, '--address', address, '--wait', '1')).code, 1)
  assert.equal((await run(healthcheck, '--wait', 'long')).code, 2)
})

test('a Unix socket', async t => {
  const folder = mkdtempSync(path.join(tmpdir(), 'health-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const server = createServer((_, response) => response.end())
  t.after(() => server.close())
  await listening(server, { path: path.join(folder, 's') })
  assert.equal((await run(healthcheck, '--address', `unix:${folder}/s`)).code, 0)
})

test('nobody there is one line', async () => {
  const server = createRawServer()
  const port = await listening(server, { port: 0, host: '127.0.0.1' })
  await new Promise(resolve => server.close(resolve))
  const gone = await run(healthcheck, '--address', `127.0.0.1:${port}`)
  assert.equal(gone.code, 1)
  assert.match(gone.err, /^\/healthz of 127\.0\.0\.1:\d+: ECONNREFUSED\n$/)
})

test('silence ends after two seconds', { timeout: 5_000 }, async t => {
  const server = createRawServer(socket => void socket.on('error', () => {}))
  t.after(() => server.close())
  const port = await listening(server, { port: 0, host: '127.0.0.1' })
  const silent = await run(healthcheck, '--address', `127.0.0.1:${port}`)
  assert.equal(silent.code, 1)
  assert.match(silent.err, /no answer within 2000 ms/)
})

test('what cannot be read is exit code 2', async () => {
  for (const args of [
    ['--nope'],
    ['--address'],
    ['--address', 'x'],
    ['--address', 'h:99999'],
    ['--address=h:0'],
  ])
    assert.equal((await run(healthcheck, ...args)).code, 2, args.join(' '))
})

test('the version is printed', async () => {
  const printed = await run(version)
  assert.equal(printed.code, 0)
  assert.match(printed.out, /^outrigger \d+\.\d+\.\d+ \(node v\d+\.\d+\.\d+\)\n$/)
  assert.equal((await run(version, 'x')).code, 2)
})

import assert from 'node:assert/strict'
import { IncomingMessage } from 'node:http'
import { connect, Socket } from 'node:net'
import { test } from 'node:test'
import type { Address } from '../exchange/address.ts'
import { send, start } from './admin-fixture.ts'
import { isLoopback, refuseWrite } from './guard.ts'

test('what a web page can make a browser send is refused', async t => {
  const { control, port } = await start(t)
  const refused: Record<string, string>[] = [
    { origin: 'http://127.0.0.1' },
    { origin: 'null' },
    { origin: '' },
    { host: 'evil.example' },
    { host: `evil.example:${port}` },
    { host: 'localhost.evil.example' },
    { host: '127.0.0.1.evil.example' },
    { host: 'evil@127.0.0.1' },
    { host: '127.0.0.1@evil.example' },
    { host: '127.0.0.2' },
  ]
  for (const headers of refused) {
    for (const [name, method] of [
      ['/config', 'GET'],
      ['/drain', 'POST'],
      ['/healthz', 'GET'],
    ] as const)
      assert.equal((await send({ port, path: name, method, headers })).status, 403, JSON.stringify(headers))
  }
  assert.deepEqual(control.calls, [])
  for (const host of [
    'localhost',
    `LOCALHOST:${port}`,
    '127.0.0.1',
    `127.0.0.1:${port}`,
    '[::1]',
    `[::1]:${port}`,
  ])
    assert.equal((await send({ port, path: '/config', headers: { host } })).status, 200, host)
})

test('a Host that is empty or missing is refused', async t => {
  const { port } = await start(t)
  for (const head of ['GET /config HTTP/1.1\r\nHost:\r\n', 'GET /config HTTP/1.0\r\n']) {
    const socket = connect(port, '127.0.0.1')
    socket.write(`${head}Connection: close\r\n\r\n`)
    let got = ''
    for await (const chunk of socket.setEncoding('utf8')) got += String(chunk)
    assert.match(got, /^HTTP\/1\.1 403 /)
  }
})

test('a token that is set is asked for on loopback too', async t => {
  const { control, port } = await start(t, { token: 's3cret' })
  const refused = await send({ port, path: '/drain', method: 'POST' })
  assert.deepEqual([refused.status, refused.headers['www-authenticate']], [401, 'Bearer'])
  assert.deepEqual(control.calls, [])
  const headers = { authorization: 'Bearer s3cret' }
  assert.equal((await send({ port, path: '/drain', method: 'POST', headers })).status, 202)
  assert.equal((await send({ port, path: '/config' })).status, 200)
})

test('what is loopback', () => {
  const tcp = (host: string): Address => ({ kind: 'tcp', host, port: 1 })
  for (const host of ['127.0.0.1', '127.8.9.1', '::1', '::ffff:127.0.0.1'])
    assert.ok(isLoopback(tcp(host)), host)
  for (const host of ['', '0.0.0.0', '::', '10.0.0.1', '128.0.0.1', '127.evil', 'fe80::1'])
    assert.ok(!isLoopback(tcp(host)), host)
  assert.ok(isLoopback({ kind: 'unix', path: '/x' }))
})

test('off loopback a write needs the token, and without one set there is none', () => {
  const everywhere: Address = { kind: 'tcp', host: '0.0.0.0', port: 1 }
  const write = (authorization: string | undefined, token: string | null) => {
    const request = new IncomingMessage(new Socket())
    if (authorization !== undefined) request.headers.authorization = authorization
    return refuseWrite(request, everywhere, { probes: false, token })?.status ?? 'served'
  }
  assert.equal(write(undefined, null), 403)
  assert.equal(write('Bearer null', null), 403)
  for (const wrong of [
    undefined,
    's3cret',
    'Basic s3cret',
    'Bearer s3cre',
    'Bearer s3crett',
    'Bearer ',
    'Bearer S3cret',
  ])
    assert.equal(write(wrong, 's3cret'), 401, String(wrong))
  assert.equal(write('bearer s3cret', 's3cret'), 'served')
})

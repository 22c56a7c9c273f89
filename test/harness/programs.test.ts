import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { watchLeaks } from './leaks.ts'
import { needs } from './needs.ts'
import { startHaproxy, startNginx, startRedis } from './programs.ts'
import { RawClient, askOnce } from './raw-client.ts'

const GET = 'GET /file HTTP/1.1\r\nhost: a\r\n\r\n'

test('nginx serves what its block says, and is gone after stop', needs('nginx'), async () => {
  const leaks = watchLeaks()
  const nginx = await startNginx('root $folder;')
  writeFileSync(path.join(nginx.folder, 'file'), 'content')
  const response = await askOnce(nginx.port, GET)
  assert.equal(response.body.toString(), 'content')
  await nginx.stop()
  assert.equal(existsSync(nginx.folder), false)
  assert.throws(() => process.kill(nginx.pid, 0), { code: 'ESRCH' })
  await leaks()
})

test('a wrong nginx configuration is reported with what nginx says', needs('nginx'), async () => {
  await assert.rejects(startNginx('no_such_directive on;'), /unknown directive "no_such_directive"/)
})

test('redis answers', needs('redis-server'), async () => {
  const redis = await startRedis()
  const client = await RawClient.connect(redis.port)
  client.send('PING\r\n')
  assert.equal(await client.readUntil('\r\n'), '+PONG\r\n')
  client.destroy()
  await redis.stop()
})

test('haproxy answers', needs('haproxy'), async () => {
  const haproxy = await startHaproxy('frontend f\n  bind 127.0.0.1:$port\n  http-request return status 200')
  assert.equal((await askOnce(haproxy.port, GET)).status, 200)
  await haproxy.stop()
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Outrigger } from '../harness/outrigger.ts'
import { askOnce } from '../harness/raw-client.ts'
import { RecordingSink } from '../harness/raw-upstream.ts'

const CANARY = 'c4n4ry-5ecret'

test('rows 76 and 81: the admin listener of a running process: who may ask, and no secret anywhere', async t => {
  const sink = await RecordingSink.listen()
  const outrigger = await Outrigger.start(
    `version: 1
service: test
admin: { address: 127.0.0.1:0, token: "\${env:ADMIN_TOKEN}" }
listeners:
  - name: in
    role: edge
    address: 127.0.0.1:0
    routes:
      - name: app
        upstream: app
        headers: { request: { set: { authorization: "Bearer \${env:ADMIN_TOKEN}", x-other: "v \${env:ADMIN_TOKEN}" } } }
upstreams:
  app: { endpoints: ["127.0.0.1:${sink.port}"] }
telemetry: { accessLog: on }
`,
    { env: { ADMIN_TOKEN: CANARY }, args: ['--log-level', 'trace'] },
  )
  t.after(async () => {
    await outrigger.stop('SIGKILL')
    await sink.close()
  })
  const admin = outrigger.adminPort
  const ask = (
    line: string,
    host = `127.0.0.1:${admin}`,
    fields = '',
  ): Promise<{ status: number; body: Buffer }> =>
    askOnce(admin, `${line} HTTP/1.1\r\nhost: ${host}\r\n${fields}connection: close\r\n\r\n`)

  // DNS rebinding, and what a page can make a browser send.
  for (const host of ['evil.example', `evil.example:${admin}`, '127.0.0.1.evil.example', '169.254.169.254'])
    assert.equal((await ask('GET /config', host)).status, 403, host)
  assert.equal((await ask('GET /config', undefined, 'origin: http://127.0.0.1\r\n')).status, 403)
  for (const path of ['/drain', '/quit', '/log-level?level=debug']) {
    assert.equal((await ask(`POST ${path}`)).status, 401, path)
    assert.equal((await ask(`POST ${path}`, undefined, 'authorization: Bearer wrong\r\n')).status, 401, path)
    assert.notEqual((await ask(`GET ${path}`, undefined)).status, 202, path)
  }
  // Paths that are not there, and those of other programs' consoles.
  for (const path of [
    '/admin',
    '/.env',
    '/debug/pprof/',
    '/config/../../etc/passwd',
    '/config_dump',
    '/%2e%2e/x',
  ])
    assert.ok([400, 404].includes((await ask(`GET ${path}`)).status), path)
  // The data plane has none of it.
  const port = outrigger.port('in')
  const data = await askOnce(port, 'POST /quit HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n')
  assert.equal(data.status, 200)
  assert.equal(sink.requestsSeen().at(-1)?.headers['authorization'], `Bearer ${CANARY}`)

  // Row 81: what clients send as secrets, and what would make a new line of the log.
  for (const request of [
    `GET /x?token=${CANARY}&access_token=${CANARY}&a=1 HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${CANARY}\r\ncookie: s=${CANARY}\r\nproxy-authorization: ${CANARY}\r\nx-api-key: ${CANARY}\r\n\r\n`,
    `GET /x?%74oken=${CANARY} HTTP/1.1\r\nhost: a\r\n\r\n`,
    `GET http://u:${CANARY}@a/x HTTP/1.1\r\nhost: a\r\n\r\n`,
    `BREW /?password=${CANARY} HTTP/1.1\r\nhost: a\r\n\r\n`,
    `GET /log HTTP/1.1\r\nhost: a\r\nuser-agent: x","reason":"forged"}\\n{"a":"\xff\x80\r\n\r\n`,
    `GET /long?${'q'.repeat(7000)} HTTP/1.1\r\nhost: a\r\nuser-agent: ${'u'.repeat(8000)}\r\n\r\n`,
    `GET /last HTTP/1.1\r\nhost: a\r\n\r\n`,
  ])
    await askOnce(port, request)
  await outrigger.accessLogged(/\/last/)
  const lines = outrigger.stdout.split('\n').slice(0, -1)
  assert.equal(lines.length, 8, 'one line a request, whatever stood in it')
  for (const line of lines) {
    const entry = JSON.parse(line) as Record<string, unknown>
    assert.notEqual(entry['reason'], 'forged')
    assert.ok(line.length < 8192, 'fields are cut')
  }
  const shown = await Promise.all(['/config', '/metrics', '/upstreams', '/'].map(path => ask(`GET ${path}`)))
  for (const { status, body } of shown) {
    assert.equal(status, 200)
    assert.ok(!body.includes(CANARY))
  }
  const config = String(shown[0]?.body)
  assert.ok(config.includes('"v ${env:ADMIN_TOKEN}"'), 'shown as written')
  assert.match(config, /"authorization",\s*"\*\*\*"/)
  assert.ok(!outrigger.stdout.includes(CANARY))
  assert.ok(!outrigger.stderr.includes(CANARY))
  const quit = await ask('POST /quit', undefined, `authorization: Bearer ${CANARY}\r\n`)
  assert.equal(quit.status, 202)
})

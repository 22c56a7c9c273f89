// What `explain --live` says of the endpoints is what a running process knows of them.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { explain } from '../../sidecar/commands/explain.ts'
import { HttpUpstream } from '../harness/http-upstream.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { RawClient } from '../harness/raw-client.ts'

const folder = mkdtempSync(path.join(os.tmpdir(), 'outrigger-live-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const GET = 'GET /x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n'

async function run(...args: string[]) {
  let stdout = ''
  let stderr = ''
  const code = await explain.run([...args, 'GET', 'http://a/x'], {
    stdout: text => void (stdout += text),
    stderr: text => void (stderr += text),
  })
  return { code, stdout, stderr }
}

function written(name: string, text: string): string {
  const file = path.join(folder, name)
  writeFileSync(file, text)
  return file
}

const config = (endpoints: string, upstream: string, admin: string): string => `version: 1
service: test
listeners: [{ name: in, role: inbound, address: "127.0.0.1:0", retry: off, upstream: ${upstream} }]
upstreams:
  ${upstream}:
    endpoints: ${endpoints}
    loadBalance: round-robin
    circuitBreaker: { failureThreshold: 50 }
admin: { address: "${admin}" }
`

test('the state of each endpoint with its reason, from the process that runs', async t => {
  const good = await HttpUpstream.listen()
  const bad = await HttpUpstream.listen((_request, response) => {
    response.statusCode = 503
    response.end()
  })
  const endpoints = `["127.0.0.1:${good.port}", "127.0.0.1:${bad.port}"]`
  const outrigger = await Outrigger.start(config(endpoints, 'app', '127.0.0.1:0'))
  t.after(async () => {
    await outrigger.stop('SIGKILL')
    await good.close()
    await bad.close()
  })
  const admin = `127.0.0.1:${outrigger.adminPort}`
  const file = written('app.yaml', config(endpoints, 'app', admin))

  for (let i = 0; i < 12; i++) {
    const client = await RawClient.connect(outrigger.port('in'))
    await client.ask(GET)
    client.destroy()
  }
  // The same by the configuration's own address, and by one that is given.
  for (const args of [['--live'], ['--admin', admin]]) {
    const { code, stdout, stderr } = await run('-c', file, ...args)
    assert.equal(code, 0, stderr)
    assert.match(stdout, new RegExp(`^  endpoint  127\\.0\\.0\\.1:${good.port} healthy; 0 in flight$`, 'm'))
    assert.match(
      stdout,
      new RegExp(
        `^  endpoint  127\\.0\\.0\\.1:${bad.port} ejected since \\S+ until \\S+ for 5 consecutive errors, last: status 503; 0 in flight$`,
        'm',
      ),
    )
    assert.match(stdout, /^ {2}breaker {3}closed$/m)
  }
  const json = await run('-c', file, '--live', '--format', 'json')
  const { upstream } = JSON.parse(json.stdout) as {
    upstream: { live: { endpoints: { state: string }[] } }
  } // what the command writes
  assert.deepEqual(
    upstream.live.endpoints.map(({ state }) => state),
    ['healthy', 'ejected'],
  )
  // Without being asked to, it asks nobody.
  assert.doesNotMatch((await run('-c', file)).stdout, /in flight; |^ {2}endpoint/m)

  const other = written('other.yaml', config(endpoints, 'shop', admin))
  const unknown = await run('-c', other, '--live')
  assert.deepEqual(
    [unknown.code, unknown.stderr],
    [1, `outrigger explain: ${admin}: it has no upstream shop: it runs another configuration\n`],
  )
  assert.match(unknown.stdout, /^decision {4}forwarded to the upstream shop$/m)
})

test('nobody there, something else there, and what is no address', async t => {
  const something = await HttpUpstream.listen((request, response) => {
    response.statusCode = request.headers.host?.startsWith('127.0.0.1') === true ? 200 : 500
    response.end('hello')
  })
  const gone = await HttpUpstream.listen()
  const { port } = gone
  await gone.close()
  t.after(() => something.close())
  const file = written('alone.yaml', config('["127.0.0.1:1"]', 'app', '127.0.0.1:0'))
  for (const [args, code, said] of [
    [['--admin', `127.0.0.1:${port}`], 1, `outrigger explain: 127.0.0.1:${port}: ECONNREFUSED\n`],
    [['--admin', `127.0.0.1:${something.port}`], 1, / its answer is not that of an Outrigger\n$/],
    [['--admin', `unix:${folder}/none`], 1, /: ENOENT\n$/],
    [['--live'], 2, /127\.0\.0\.1:0 is no address that can be asked: say --admin\n$/],
    [['--admin', 'here'], 2, /^outrigger explain: here is no address/],
  ] as const) {
    const asked = await run('-c', file, ...args)
    assert.equal(asked.code, code)
    if (typeof said === 'string') assert.equal(asked.stderr, said)
    else assert.match(asked.stderr, said)
  }
})

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'
import { routeTo } from '../harness/configs.ts'
import { freePort } from '../harness/free-port.ts'
import { HttpUpstream, mirror, seenBy } from '../harness/http-upstream.ts'
import { InProcess } from '../harness/in-process.ts'
import { needs } from '../harness/needs.ts'
import { startHaproxy, startNginx } from '../harness/programs.ts'
import type { WireResponse } from '../harness/strict-http.ts'

// Other implementations of HTTP/2 as the service: what they send passes, at one time and in quantity.

async function asking(
  port: number,
  run: (ask: (head: string, body?: string) => Promise<WireResponse>) => Promise<void>,
): Promise<void> {
  const proxy = await InProcess.start(
    routeTo(port, { upstream: 'protocol: http2', route: 'retry: off\nrequestSize: 10MiB' }),
  )
  try {
    await run((head, body = '') =>
      proxy.ask(
        `${head} HTTP/1.1\r\nhost: a.example\r\n${body === '' ? '' : `content-length: ${body.length}\r\n`}\r\n${body}`,
        { method: head.split(' ')[0] ?? '', timeout: 10_000 },
      ),
    )
  } finally {
    await proxy.stop()
  }
}

describe('nginx', needs('nginx'), () => {
  test('answers, files, ranges, HEAD, redirects, and a refused upload, at one time', async t => {
    const port = await freePort()
    const nginx = await startNginx(`listen 127.0.0.1:${port} http2;
      root $folder;
      http2_max_concurrent_streams 8;
      client_max_body_size 1k;
      location = /small { default_type text/plain; return 200 'small'; }
      location = /away { return 302 /small; }`)
    t.after(() => nginx.stop())
    const file = Buffer.alloc(3_000_000, 'nginx sends this. ')
    writeFileSync(path.join(nginx.folder, 'file.txt'), file)
    await asking(port, async ask => {
      const all = await Promise.all(
        Array.from({ length: 60 }, async (_, i) => {
          if (i % 3 === 0) return (await ask('GET /file.txt')).body.equals(file)
          return (await ask('GET /small')).body.toString() === 'small'
        }),
      )
      assert.ok(all.every(Boolean))
      const head = await ask('HEAD /file.txt')
      assert.deepEqual([head.headers['content-length'], head.body.length], ['3000000', 0])
      assert.equal((await ask('GET /away')).status, 302)
      assert.equal((await ask('POST /small', 'x'.repeat(200_000))).status, 413)
      assert.equal((await ask('GET /small')).status, 200)
    })
  })
})

describe('HAProxy', needs('haproxy'), () => {
  test('bodies both ways at one time, and what it answers by itself', async t => {
    const app = await HttpUpstream.listen((request, response) => {
      if (request.url === '/echo') request.pipe(response)
      else mirror(request, response)
    })
    t.after(() => app.close())
    const haproxy = await startHaproxy(`frontend in
  bind 127.0.0.1:$port proto h2
  http-request return status 418 if { path /teapot }
  default_backend app
backend app
  server app 127.0.0.1:${app.port}
`)
    t.after(() => haproxy.stop())
    await asking(haproxy.port, async ask => {
      const body = 'haproxy takes this. '.repeat(50_000)
      const all = await Promise.all(Array.from({ length: 20 }, () => ask('POST /echo', body)))
      for (const one of all) assert.equal(one.body.toString(), body)
      assert.equal((await ask('GET /teapot')).status, 418)
      const seen = seenBy((await ask('GET /a?b')).body)
      assert.deepEqual([seen.method, seen.target, seen.headers['host']], ['GET', '/a?b', 'a.example'])
    })
  })
})

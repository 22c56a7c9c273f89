import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { HttpUpstream, mirror, seenBy } from '../harness/http-upstream.ts'
import { needs } from '../harness/needs.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { startNginx } from '../harness/programs.ts'
import type { RunningProgram } from '../harness/programs.ts'

const BIG = 4 * 1024 * 1024

describe('nginx in front', needs('nginx'), () => {
  const big = randomBytes(BIG)
  let upstream: HttpUpstream
  let outrigger: Outrigger
  let nginx: RunningProgram
  before(async () => {
    upstream = await HttpUpstream.listen((request, response) => {
      if (request.url?.endsWith('/chunked') === true) {
        response.write(big.subarray(0, 1000))
        response.end(big.subarray(1000))
      } else if (request.url?.endsWith('/digest') === true) {
        const hash = createHash('sha256')
        request.on('data', (part: Buffer) => hash.update(part))
        request.on('end', () => response.end(hash.digest('hex')))
      } else mirror(request, response)
    })
    outrigger = await Outrigger.start(`version: 1
service: behind
admin: { address: "127.0.0.1:0" }
upstreams: { app: { url: "http://127.0.0.1:${upstream.port}" } }
listeners:
  - { name: in, role: inbound, address: "127.0.0.1:0", trustedProxies: 127.0.0.0/8, upstream: app }
`)
    const target = `http://127.0.0.1:${outrigger.port('in')}`
    // As nginx does it where nothing is said: HTTP/1.0, a connection a request; and with HTTP/1.1.
    nginx = await startNginx(`client_max_body_size 0;
      location /old/ { proxy_pass ${target}; }
      location /new/ {
        proxy_pass ${target};
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_request_buffering off;
        proxy_buffering off;
      }`)
  })
  after(async () => {
    await nginx.stop()
    await outrigger.stop('SIGKILL')
    await upstream.close()
  })

  for (const [side, version] of [
    ['old', '1.0'],
    ['new', '1.1'],
  ] as const) {
    const url = (path: string): string => `http://127.0.0.1:${nginx.port}/${side}/${path}`

    test(`HTTP/${version}: requests, a body up, a chunked response down`, async () => {
      for (let i = 0; i < 20; i++) {
        const { target, headers } = seenBy(await (await fetch(url(`a?${i}`))).text())
        assert.equal(target, `/${side}/a?${i}`)
        assert.equal(headers['via'], `${version} outrigger`)
        assert.equal(headers['x-forwarded-for'], side === 'new' ? '127.0.0.1, 127.0.0.1' : '127.0.0.1')
      }
      const sum = createHash('sha256').update(big).digest('hex')
      const sent = await fetch(url('digest'), { method: 'POST', body: big })
      assert.equal(await sent.text(), sum)
      const down = await (await fetch(url('chunked'))).bytes()
      assert.equal(createHash('sha256').update(down).digest('hex'), sum)
    })
  }
})

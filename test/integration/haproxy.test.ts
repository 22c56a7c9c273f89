import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { HttpUpstream, seenBy } from '../harness/http-upstream.ts'
import { needs } from '../harness/needs.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { startHaproxy } from '../harness/programs.ts'
import type { RunningProgram } from '../harness/programs.ts'
import { RawClient } from '../harness/raw-client.ts'

describe('HAProxy in front', needs('haproxy'), () => {
  let upstream: HttpUpstream
  let outrigger: Outrigger
  let haproxy: RunningProgram
  before(async () => {
    upstream = await HttpUpstream.listen()
    outrigger = await Outrigger.start(`version: 1
service: behind
admin: { address: "127.0.0.1:0" }
telemetry: { accessLog: { write: on } }
upstreams: { app: { url: "http://127.0.0.1:${upstream.port}" } }
listeners:
  - { name: trusting, role: edge, address: "127.0.0.1:0", trustedProxies: 127.0.0.1, upstream: app }
  - { name: wary, role: edge, address: "127.0.0.1:0", upstream: app }
`)
    haproxy = await startHaproxy(`frontend f
  bind 127.0.0.1:$port
  option forwardfor
  http-request set-header x-forwarded-proto https
  use_backend wary if { path_beg /wary }
  default_backend trusting
backend trusting
  http-reuse always
  option httpchk GET /healthz
  server one 127.0.0.1:${outrigger.port('trusting')} check inter 200ms
backend wary
  server one 127.0.0.1:${outrigger.port('wary')}`)
  })
  after(async () => {
    await haproxy.stop()
    await outrigger.stop('SIGINT')
    await upstream.close()
  })

  const request = (target: string): string =>
    `GET ${target} HTTP/1.1\r\nhost: shop.example\r\nx-forwarded-for: 203.0.113.7\r\n\r\n`

  test('a trusted proxy says who the client is', async () => {
    const client = await RawClient.connect(haproxy.port)
    const { headers } = seenBy((await client.ask(request('/a'))).body)
    client.destroy()
    assert.equal(headers['x-forwarded-for'], '203.0.113.7, 127.0.0.1, 127.0.0.1')
    assert.equal(headers['x-forwarded-proto'], 'https')
    assert.equal(headers['x-forwarded-host'], 'shop.example')
    assert.equal(headers['host'], 'shop.example')
    const [line = ''] = await outrigger.accessLogged(/^.*"\/a".*$/m)
    assert.match(line, /"203\.0\.113\.7"/)
  })

  test('nobody else does', async () => {
    const client = await RawClient.connect(haproxy.port)
    const { headers } = seenBy((await client.ask(request('/wary'))).body)
    client.destroy()
    assert.equal(headers['x-forwarded-for'], '127.0.0.1')
    assert.equal(headers['x-forwarded-proto'], 'http')
    const [line = ''] = await outrigger.accessLogged(/^.*"\/wary".*$/m)
    assert.doesNotMatch(line, /203\.0\.113\.7/)
  })

  test('its pool and ours carry many requests, with bodies too', async () => {
    const opened = upstream.connections
    const client = await RawClient.connect(haproxy.port)
    for (let i = 0; i < 200; i++) {
      const body = 'x'.repeat(i * 100)
      const response = await client.ask(
        `POST /up HTTP/1.1\r\nhost: a\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      )
      assert.equal(response.status, 200)
      assert.equal(seenBy(response.body).body, body)
    }
    client.destroy()
    assert.ok(upstream.connections - opened <= 2, `${upstream.connections - opened} connections`)
  })
})

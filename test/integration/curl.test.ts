import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { curl } from '../harness/curl.ts'
import { HttpUpstream, mirror, seenBy } from '../harness/http-upstream.ts'
import { needs } from '../harness/needs.ts'
import { Outrigger } from '../harness/outrigger.ts'

describe('curl as the client', needs('curl'), () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'outrigger-curl-'))
  const socket = path.join(folder, 'in.sock')
  const file = path.join(folder, 'body')
  const body = 'A line of a body that is sent up.\n'.repeat(4000)
  let tcp: HttpUpstream
  let unix: HttpUpstream
  let outrigger: Outrigger
  const url = (target: string): string => `http://127.0.0.1:${outrigger.port('in')}${target}`

  before(async () => {
    writeFileSync(file, body)
    tcp = await HttpUpstream.listen()
    unix = await HttpUpstream.listen(mirror, path.join(folder, 'app.sock'))
    outrigger = await Outrigger.start(`version: 1
service: curl
admin: { address: "127.0.0.1:0" }
upstreams:
  app: { url: "http://127.0.0.1:${tcp.port}" }
  local: { endpoints: "unix:${path.join(folder, 'app.sock')}" }
listeners:
  - name: in
    role: inbound
    address: 127.0.0.1:0
    routes:
      - { name: local, match: { path: /local }, upstream: local }
      - { name: small, match: { path: /small }, upstream: app, requestSize: 1KiB }
      - { name: app, upstream: app }
  - { name: six, role: inbound, address: "[::1]:0", upstream: app }
  - { name: socket, role: inbound, address: "unix:${socket}", upstream: app }
`)
  })
  after(async () => {
    await outrigger.stop('SIGINT')
    await Promise.all([tcp.close(), unix.close()])
    rmSync(folder, { recursive: true, force: true })
  })

  test('HTTP/1.0, with and without keep-alive', async () => {
    const plain = await curl('--http1.0', url('/'))
    assert.equal(plain.status, 200)
    assert.match(plain.heads, /^HTTP\/1\.1 200/)
    assert.equal(plain.headers['connection'], 'close')
    assert.equal(seenBy(plain.body).headers['via'], '1.0 outrigger')
    const kept = await curl('--http1.0', '-H', 'connection: keep-alive', url('/'), url('/'))
    assert.equal(kept.headers['connection'], 'keep-alive')
    assert.match(kept.said, /Re-using existing connection/)
  })

  test('HTTP/1.1 keeps its connection, and an offer of HTTP/2 is passed over', async () => {
    const two = await curl('--http1.1', url('/'), url('/'))
    assert.match(two.said, /Re-using existing connection/)
    const offered = await curl('--http2', url('/'))
    assert.equal(offered.status, 200)
    const { headers } = seenBy(offered.body)
    assert.equal(headers['upgrade'], undefined)
    assert.equal(headers['http2-settings'], undefined)
  })

  test('an upload that waits for 100', async () => {
    const sent = await curl('-T', file, '-H', 'expect: 100-continue', '--expect100-timeout', '15', url('/up'))
    assert.match(sent.heads, /^HTTP\/1\.1 100 Continue/)
    assert.equal(sent.status, 200)
    assert.equal(seenBy(sent.body).body, body)
  })

  test('an upload that is too large is refused before it is sent', async () => {
    const refused = await curl(
      ...['-T', file, '-H', 'expect: 100-continue', '--expect100-timeout', '15', url('/small')],
    )
    assert.doesNotMatch(refused.heads, /100 Continue/)
    assert.equal(refused.status, 413)
    assert.equal((JSON.parse(refused.body.toString()) as { reason: string }).reason, 'request_too_large')
  })

  test('an upload in chunks', async () => {
    const sent = await curl('-T', file, '-H', 'transfer-encoding: chunked', '-H', 'expect:', url('/up'))
    const seen = seenBy(sent.body)
    assert.equal(seen.body, body)
    assert.equal(seen.headers['transfer-encoding'], 'chunked')
  })

  test('an upload in chunks that grows too large', async () => {
    const sent = await curl('-T', file, '-H', 'transfer-encoding: chunked', '-H', 'expect:', url('/small'))
    assert.equal(sent.status, 413)
  })

  test('a form, a query and a HEAD', async () => {
    const form = seenBy((await curl('-d', 'a=1&b=%20', url('/form'))).body)
    assert.deepEqual([form.method, form.body], ['POST', 'a=1&b=%20'])
    assert.equal(form.headers['content-type'], 'application/x-www-form-urlencoded')
    const query = seenBy((await curl('-G', '--data-urlencode', 'q=ä &', url('/find'))).body)
    assert.equal(query.target, '/find?q=%c3%a4+%26', 'as it was sent')
    assert.equal((await curl('-I', url('/'))).status, 200)
  })

  test('a service on a Unix socket, a listener on one, and a listener on IPv6', async () => {
    const local = seenBy((await curl(url('/local/x'))).body)
    assert.equal(local.target, '/local/x')
    assert.equal(local.headers['host'], `127.0.0.1:${outrigger.port('in')}`)

    const bySocket = seenBy((await curl('--unix-socket', socket, 'http://app.example/y')).body)
    assert.equal(bySocket.headers['host'], 'app.example')
    assert.equal(bySocket.headers['x-forwarded-host'], 'app.example')
    // Nobody has an address on a Unix socket, and none is made up.
    assert.equal(bySocket.headers['x-forwarded-for'], undefined)

    const six = await curl(`http://[::1]:${outrigger.port('six')}/z`)
    assert.equal(seenBy(six.body).headers['x-forwarded-for'], '::1')
    assert.equal(seenBy(six.body).headers['host'], `[::1]:${outrigger.port('six')}`)
  })
})

import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { curl } from '../harness/curl.ts'
import { needs } from '../harness/needs.ts'
import { Outrigger } from '../harness/outrigger.ts'
import type { RunningProgram } from '../harness/programs.ts'
import { startNginx } from '../harness/programs.ts'
import { askOnce, RawClient } from '../harness/raw-client.ts'

const BIG = 24 * 1024 * 1024
const TEXT = 'all the same line\n'.repeat(4000)

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const get = (target: string, more = ''): string => `GET ${target} HTTP/1.1\r\nhost: a\r\n${more}\r\n`

describe('nginx as the service', needs('nginx', 'curl'), () => {
  let nginx: RunningProgram
  let outrigger: Outrigger
  let big: Buffer
  const url = (target: string): string => `http://127.0.0.1:${outrigger.port('in')}${target}`
  const ask = (request: string, method = 'GET'): ReturnType<typeof askOnce> =>
    askOnce(outrigger.port('in'), request, { method })

  before(async () => {
    nginx = await startNginx(`root $folder/files;
      default_type text/plain;
      client_max_body_size 0;
      location /files/ { alias $folder/files/; dav_methods PUT DELETE; create_full_put_path on; }
      location /tight/ { client_max_body_size 1k; dav_methods PUT; }
      location /target { return 200 $request_uri; }
      location /zip/ { alias $folder/files/; gzip on; gzip_proxied any; gzip_types text/plain; }
      location /which { return 200 $connection; }
      location /gone { return 204; }
      location /close { keepalive_timeout 0; return 200 bye; }
      location /moved { return 301 /here; }`)
    mkdirSync(path.join(nginx.folder, 'files'))
    big = randomBytes(BIG)
    writeFileSync(path.join(nginx.folder, 'files', 'big'), big)
    writeFileSync(path.join(nginx.folder, 'files', 'text'), TEXT)
    outrigger = await Outrigger.start(`version: 1
service: nginx
admin: { address: "127.0.0.1:0" }
listeners:
  - { name: in, role: inbound, address: "127.0.0.1:0", requestSize: off, upstream: app }
upstreams:
  app: { url: "http://127.0.0.1:${nginx.port}" }
`)
  })
  after(async () => {
    await outrigger.stop('SIGKILL')
    await nginx.stop()
  })

  test('a thousand requests in sequence take one connection on either side', async () => {
    const client = await RawClient.connect(outrigger.port('in'))
    const upstreams = new Set<string>()
    for (let i = 0; i < 1000; i++) {
      const response = await client.ask(get('/which'))
      assert.equal(response.status, 200)
      upstreams.add(response.body.toString())
    }
    client.destroy()
    assert.equal(upstreams.size, 1)
  })

  test('a big file arrives as it was', async () => {
    const { code, body, headers } = await curl(url('/files/big'))
    assert.equal(code, 0)
    assert.equal(headers['content-length'], String(BIG))
    assert.equal(digest(body), digest(big))
  })

  test('a big file goes up as it was, with a length and in chunks', async () => {
    for (const [name, ...more] of [['up-length'], ['up-chunked', '-H', 'transfer-encoding: chunked']]) {
      const { code, status } = await curl(
        ...['-T', path.join(nginx.folder, 'files', 'big'), ...more],
        url(`/files/${name}`),
      )
      assert.deepEqual({ code, status }, { code: 0, status: 201 })
      assert.equal(digest(readFileSync(path.join(nginx.folder, 'files', name ?? ''))), digest(big))
    }
  })

  test('gzip passes as it came: chunked, and with the fields that belong to it', async () => {
    const response = await ask(get('/zip/text', 'accept-encoding: gzip\r\n'))
    assert.equal(response.framing, 'chunked')
    assert.equal(response.headers['content-encoding'], 'gzip')
    assert.equal(gunzipSync(response.body).toString(), TEXT)
  })

  test('a chunked response reaches an HTTP/1.0 client up to the end of its connection', async () => {
    const response = await ask('GET /zip/text HTTP/1.0\r\nhost: a\r\naccept-encoding: gzip\r\n\r\n')
    // nginx zips for HTTP/1.1 alone: it is asked in that, whatever the client speaks.
    assert.equal(response.framing, 'close')
    assert.equal(response.headers['connection'], 'close')
    assert.equal(gunzipSync(response.body).toString(), TEXT)
  })

  test('HEAD has the length of a GET and no body; the connection goes on', async () => {
    const client = await RawClient.connect(outrigger.port('in'))
    const head = await client.ask('HEAD /files/big HTTP/1.1\r\nhost: a\r\n\r\n', { method: 'HEAD' })
    assert.equal(head.headers['content-length'], String(BIG))
    assert.equal((await client.ask(get('/which'))).status, 200)
    client.destroy()
  })

  test('ranges and conditions', async () => {
    const part = await ask(get('/files/big', 'range: bytes=1000-1999\r\n'))
    assert.equal(part.status, 206)
    assert.equal(part.headers['content-range'], `bytes 1000-1999/${BIG}`)
    assert.equal(digest(part.body), digest(big.subarray(1000, 2000)))
    const parts = await ask(get('/files/text', 'range: bytes=0-3,8-9\r\n'))
    assert.match(parts.headers['content-type'] ?? '', /^multipart\/byteranges/)
    assert.equal((await ask(get('/files/text', 'range: bytes=9000000-\r\n'))).status, 416)

    const client = await RawClient.connect(outrigger.port('in'))
    const { headers } = await client.ask(get('/files/text'))
    const unchanged = await client.ask(get('/files/text', `if-none-match: ${headers['etag']}\r\n`))
    assert.equal(unchanged.status, 304)
    assert.equal(unchanged.headers['etag'], headers['etag'])
    assert.equal(unchanged.body.length, 0)
    assert.equal((await client.ask(get('/gone'))).status, 204)
    assert.equal((await client.ask(get('/moved'))).status, 301)
    client.destroy()
  })

  test("the service's Connection: close is its own matter", async () => {
    const client = await RawClient.connect(outrigger.port('in'))
    for (let i = 0; i < 3; i++) {
      const response = await client.ask(get('/close'))
      assert.equal(response.body.toString(), 'bye')
      assert.equal(response.headers['connection'], undefined)
    }
    client.destroy()
  })

  test('an upload that the service refuses in the middle gets its answer, not a broken connection', async () => {
    const big = path.join(nginx.folder, 'files', 'big')
    for (const more of [
      ['-H', 'expect:'],
      ['-H', 'expect:', '-H', 'transfer-encoding: chunked'],
      ['-H', 'expect: 100-continue'],
    ]) {
      const { code, status, said } = await curl('-T', big, ...more, url('/tight/x'))
      assert.deepEqual({ code, status }, { code: 0, status: 413 }, more.join(' '))
      assert.doesNotMatch(said, /reset by peer|Broken pipe/i)
    }
  })

  test('two hundred pipelined requests are answered in their order', async () => {
    const client = await RawClient.connect(outrigger.port('in'))
    client.send(Array.from({ length: 200 }, (_, i) => get(`/target/${i}`)).join(''))
    for (let i = 0; i < 200; i++) {
      assert.equal((await client.readResponse()).body.toString(), `/target/${i}`)
    }
    client.destroy()
  })

  test('a client that leaves in the middle of a download disturbs nobody', async () => {
    for (let i = 0; i < 5; i++) {
      const leaver = await RawClient.connect(outrigger.port('in'))
      leaver.send(get('/files/big'))
      await leaver.read(1000)
      leaver.reset()
      assert.equal((await ask(get('/target'))).status, 200)
    }
    const slow = await curl('--limit-rate', '20M', url('/files/big'))
    assert.equal(digest(slow.body), digest(big))
  })
})

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import http2 from 'node:http2'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { CertificateFolder } from '../harness/certificates.ts'
import { curl } from '../harness/curl.ts'
import { HttpUpstream, mirror, seenBy } from '../harness/http-upstream.ts'
import { InProcess } from '../harness/in-process.ts'
import { needs, programPath } from '../harness/needs.ts'
import { type RunningProgram, startHaproxy } from '../harness/programs.ts'
import { RawClient } from '../harness/raw-client.ts'

// Clients of HTTP/2 that others wrote, in the clear and over TLS, with a service of HTTP/1 behind.

let upstream: HttpUpstream
let proxy: InProcess
let certificates: CertificateFolder
before(async () => {
  upstream = await HttpUpstream.listen((request, response) => {
    if (request.url === '/early') {
      response.writeHead(401).end('no')
      return
    }
    if (request.url?.startsWith('/large') === true) response.end(Buffer.alloc(2_000_000, 'l'))
    else if (request.url === '/length') {
      let length = 0
      request.on('data', (bytes: Buffer) => (length += bytes.length))
      request.on('end', () => response.end(String(length)))
    } else mirror(request, response)
  })
  certificates = await CertificateFolder.create()
  const certificate = await certificates.write('a', { dns: ['localhost'], addresses: ['127.0.0.1'] })
  proxy = await InProcess.start(`version: 1
service: test
listeners:
  - { name: clear, role: edge, address: "127.0.0.1:0", upstream: app }
  - { name: secure, role: edge, address: "127.0.0.1:0", tls: { certificates: [{ ${certificate} }] }, upstream: app }
defaults: { requestSize: 10MiB }
upstreams:
  app: { endpoints: ["127.0.0.1:${upstream.port}"] }
telemetry: { accessLog: on }
`)
})
after(async () => {
  await proxy.stop()
  await upstream.close()
  certificates.remove()
})

describe('curl', needs('curl'), () => {
  for (const listener of ['clear', 'secure'] as const) {
    const run = (path: string, ...more: string[]): ReturnType<typeof curl> => {
      const how =
        listener === 'clear' ? ['--http2-prior-knowledge'] : ['--http2', '--cacert', certificates.ca]
      const scheme = listener === 'clear' ? 'http' : 'https'
      return curl(...how, ...more, `${scheme}://127.0.0.1:${proxy.port(listener)}${path}`)
    }

    test(`${listener}: speaks HTTP/2 and gets what it asks for`, async () => {
      const result = await run('/a?b=c')
      assert.equal(result.code, 0, result.said)
      assert.match(result.heads, /^HTTP\/2 200/)
      const seen = seenBy(result.body)
      assert.equal(seen.target, '/a?b=c')
      assert.equal(seen.headers['x-forwarded-proto'], listener === 'clear' ? 'http' : 'https')
      assert.equal(seen.headers['via'], '2 outrigger')
    })

    test(`${listener}: sends and gets large bodies`, async () => {
      const file = certificates.file('body')
      writeFileSync(file, Buffer.alloc(5_000_000, 'b'))
      const up = await run('/length', '--data-binary', `@${file}`)
      assert.equal(up.code, 0, up.said)
      assert.equal(up.body.toString(), '5000000')
      const down = await run('/large')
      assert.equal(down.body.length, 2_000_000)
    })

    test(`${listener}: hears an early answer to a body that is under way`, async () => {
      const file = certificates.file('body')
      writeFileSync(file, Buffer.alloc(3_000_000, 'b'))
      for (const body of [`@${file}`, 'small']) {
        const early = await run('/early', '--data-binary', body)
        assert.equal(early.status, 401, early.said)
        assert.equal(early.body.toString(), 'no')
      }
    })
  }

  test('HTTP/1.1 over TLS goes on as before', async () => {
    const result = await curl(
      ...['--http1.1', '--cacert', certificates.ca, `https://127.0.0.1:${proxy.port('secure')}/a`],
    )
    assert.match(result.heads, /^HTTP\/1\.1 200/)
  })
})

describe('h2load', needs('h2load'), () => {
  for (const [clients, streams] of [
    ['8', '16'],
    ['32', '1'],
  ] as const) {
    test(`${clients} connections, ${streams} streams each: every request is answered`, async () => {
      const run = promisify(execFile)
      for (const url of [
        `http://127.0.0.1:${proxy.port('clear')}/a`,
        `https://127.0.0.1:${proxy.port('secure')}/large`,
      ]) {
        const count = url.endsWith('/a') ? '3000' : '64'
        const { stdout } = await run(programPath('h2load') ?? 'h2load', [
          ...['-n', count, '-c', clients, '-m', streams, url],
        ])
        assert.match(stdout, new RegExp(`${count} succeeded, 0 failed, 0 errored, 0 timeout`), stdout)
        assert.match(stdout, new RegExp(`status codes: ${count} 2xx`))
      }
    })
  }
})

describe('node:http2', () => {
  test('a thousand requests of all kinds on one session', async () => {
    const session = http2.connect(`http://127.0.0.1:${proxy.port('clear')}`)
    await once(session, 'connect')
    const ask = async (i: number): Promise<void> => {
      const body = i % 3 === 0 ? Buffer.alloc(i * 37, 'b') : null
      const stream = session.request({
        ':method': body === null ? 'GET' : 'POST',
        ':path': i % 3 === 2 ? `/large/${i % 5 === 0 ? 'x' : 'y'}` : body === null ? `/n${i}` : '/length',
      })
      if (body !== null) stream.write(body)
      stream.end()
      const parts: Buffer[] = []
      for await (const part of stream) parts.push(part as Buffer)
      const whole = Buffer.concat(parts)
      if (body !== null) assert.equal(whole.toString(), String(body.length))
      else if (i % 3 === 2) assert.equal(whole.length, 2_000_000)
      else assert.equal(seenBy(whole).target, `/n${i}`)
    }
    for (let at = 0; at < 300; at += 60) await Promise.all(Array.from({ length: 60 }, (_, i) => ask(at + i)))
    session.close()
    await once(session, 'close')
  })
})

describe('HAProxy in front, which speaks HTTP/2 with us', needs('haproxy'), () => {
  let haproxy: RunningProgram
  before(async () => {
    haproxy = await startHaproxy(`frontend f
  bind 127.0.0.1:$port
  default_backend b
backend b
  server s 127.0.0.1:${proxy.port('clear')} proto h2`)
  })
  after(() => haproxy.stop())

  test('requests and bodies pass', async () => {
    const client = await RawClient.connect(haproxy.port)
    for (let i = 0; i < 20; i++) {
      const get = await client.ask(`GET /n${i} HTTP/1.1\r\nhost: a.example\r\n\r\n`)
      assert.equal(seenBy(get.body).target, `/n${i}`)
      assert.equal(seenBy(get.body).headers['via'], '2 outrigger')
      const post = await client.ask(
        'POST /length HTTP/1.1\r\nhost: a.example\r\ncontent-length: 5\r\n\r\nhello',
      )
      assert.equal(Buffer.from(post.body).toString(), '5')
    }
    client.destroy()
  })
})

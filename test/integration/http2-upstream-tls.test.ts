import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import tls from 'node:tls'
import { after, before, test, type TestContext } from 'node:test'
import { CertificateFolder } from '../harness/certificates.ts'
import { routeTo } from '../harness/configs.ts'
import { Http2Upstream, mirrorStream, streamSeenBy } from '../harness/http2-upstream.ts'
import { InProcess } from '../harness/in-process.ts'

// HTTP/2 over TLS to a service: `h2` agreed on by ALPN, certificates both ways, and what does not agree.

let certificates: CertificateFolder
let server: { cert: Buffer; key: Buffer; ca: Buffer }
before(async () => {
  certificates = await CertificateFolder.create()
  await certificates.write('server', { dns: ['service.test'] })
  await certificates.write('client', { dns: ['client.test'] })
  const [cert, key, ca] = ['server.crt', 'server.key', 'ca.crt'].map(name =>
    readFileSync(certificates.file(name)),
  )
  assert(cert !== undefined && key !== undefined && ca !== undefined)
  server = { cert, key, ca }
})
after(() => certificates.remove())

async function behind(t: TestContext, port: number, tls: string, more = ''): Promise<InProcess> {
  const upstream = `protocol: http2\ntls: { ca: ${certificates.ca}, serverName: service.test${tls} }\n${more}`
  const proxy = await InProcess.start(routeTo(port, { upstream, route: 'retry: off' }))
  t.after(() => proxy.stop())
  return proxy
}

const ASK = 'GET /x HTTP/1.1\r\nhost: a.example\r\n\r\n'

test('a service that agrees on h2 is spoken to over one session, with our certificate where it asks', async t => {
  const seen: string[] = []
  const upstream = await Http2Upstream.listen(mirrorStream, {
    ...server,
    requestCert: true,
    rejectUnauthorized: true,
  })
  upstream.server.on('secureConnection', (socket: tls.TLSSocket) =>
    seen.push(String(socket.getPeerCertificate().subjectaltname)),
  )
  t.after(() => upstream.close())
  const client = `, cert: ${certificates.file('client.crt')}, key: ${certificates.file('client.key')}`
  const proxy = await behind(t, upstream.port, client, 'healthCheck: { path: /healthz, interval: 1s }')
  const responses = await Promise.all(Array.from({ length: 10 }, () => proxy.ask(ASK)))
  for (const response of responses) {
    assert.equal(response.status, 200)
    assert.equal(streamSeenBy(response.body).headers[':scheme'], 'https')
  }
  // One for the requests, one for the check.
  await proxy.until('both', () => upstream.opened === 2)
  assert.deepEqual(new Set(seen), new Set(['DNS:client.test']))
})

test('one that agrees on HTTP/1 alone, or on nothing, is refused before a request is sent', async t => {
  for (const [protocols, cause] of [
    [['http/1.1'], /NO_APPLICATION_PROTOCOL|ALPN/i],
    [undefined, /ALPN agreed on/],
  ] as const) {
    let asked = 0
    const old = tls.createServer({
      ...server,
      ...(protocols === undefined ? {} : { ALPNProtocols: [...protocols] }),
    })
    old.on('secureConnection', socket => {
      socket.on('error', () => {})
      socket.on('data', () => asked++)
    })
    old.on('tlsClientError', () => {})
    old.listen(0, '127.0.0.1')
    await once(old, 'listening')
    t.after(() => old.close())
    const { port } = old.address() as AddressInfo // it listens on TCP
    const proxy = await behind(t, port, '')
    assert.equal((await proxy.ask('POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\nx')).status, 502)
    const line = await proxy.accessLine(one => one.status === 502)
    assert.equal(line.reason, 'upstream_tls_failed')
    assert.match(String(line['cause']), cause)
    assert.equal(asked, 0)
  }
})

test('one that is somebody else is not asked', async t => {
  const upstream = await Http2Upstream.listen(mirrorStream, server)
  t.after(() => upstream.close())
  const proxy = await behind(t, upstream.port, ', peers: [other.test]')
  assert.equal((await proxy.ask(ASK)).status, 502)
  const line = await proxy.accessLine(one => one.status === 502)
  assert.deepEqual([line.reason, line['cause']], ['upstream_tls_failed', 'ERR_TLS_PEER_NOT_EXPECTED'])
  assert.equal(upstream.streams, 0)
})

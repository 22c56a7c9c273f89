// Health checks of services that speak TLS ask over TLS, prove who we are, and hold the service to the same names as requests do.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import type tls from 'node:tls'
import { after, before, test } from 'node:test'
import { describeUpstreams } from '../../sidecar/process/states.ts'
import { CertificateFolder } from '../harness/certificates.ts'
import { routeTo } from '../harness/configs.ts'
import { InProcess } from '../harness/in-process.ts'

let own: CertificateFolder
let foreign: CertificateFolder
before(async () => {
  own = await CertificateFolder.create()
  foreign = await CertificateFolder.create()
})
after(() => {
  own.remove()
  foreign.remove()
})

async function listening(server: tls.Server): Promise<{ port: number } & AsyncDisposable> {
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port, // it listens on TCP
    async [Symbol.asyncDispose]() {
      server.close()
      await once(server, 'close')
    },
  }
}

/** What `/upstreams` says of the one endpoint after its first check. */
async function afterCheck(port: number, upstream: string): Promise<string> {
  const proxy = await InProcess.start(routeTo(port, { upstream }))
  const [app] = proxy.service.holder.current.snapshot.upstreams.values()
  try {
    const check = app?.members[0]?.check
    assert.ok(check, 'no check')
    await proxy.until('a check', () => check.checkedAt !== null)
    const { holder, clock } = proxy.service
    const described = describeUpstreams(holder.current.snapshot, clock) as {
      endpoints: { why: string }[]
    }[]
    return described[0]?.endpoints[0]?.why ?? ''
  } finally {
    await proxy.stop()
  }
}

test('HTTP: over TLS, with our certificate, and never with a service that is another', async () => {
  const orders = await own.write('orders', { uris: ['spiffe://shop/orders'] })
  const asked: string[] = []
  const pair = await own.issue({ dns: ['app.example'] })
  const server = https.createServer(
    { ...pair, ca: own.authority.cert, requestCert: true, rejectUnauthorized: true },
    (request, response) => {
      const socket = request.socket as tls.TLSSocket // of an https server
      asked.push(`${request.url} ${socket.servername} ${socket.getPeerX509Certificate()?.subjectAltName}`)
      response.end()
    },
  )
  await using app = await listening(server)
  const check = 'healthCheck: { path: /health, interval: 1s }'
  const named = (ca: CertificateFolder, name: string): string =>
    `${check}\ntls: { ca: "${ca.ca}", serverName: ${name}, ${orders} }`
  assert.equal(await afterCheck(app.port, named(own, 'app.example')), 'healthy')
  assert.deepEqual(asked, ['/health app.example URI:spiffe://shop/orders'])
  assert.match(
    await afterCheck(app.port, named(own, 'other.example')),
    /^check failing since .*: .*ERR_TLS_PEER_NOT_EXPECTED/,
  )
  assert.match(
    await afterCheck(app.port, named(foreign, 'app.example')),
    /^check failing since .*(UNABLE_TO_|SELF_SIGNED)/,
  )
  assert.match(
    await afterCheck(app.port, `${check}\ntls: { ca: "${own.ca}", serverName: app.example }`),
    /^check failing since/,
  )
  assert.equal(asked.length, 1, 'somebody else was asked, or asked')
})

test('gRPC and TCP: over TLS too', async () => {
  const pair = await own.issue({ dns: ['app.example'] })
  const protocols: unknown[] = []
  const server = http2.createSecureServer({ ...pair, allowHTTP1: true })
  server.on('secureConnection', (socket: tls.TLSSocket) => protocols.push(socket.alpnProtocol))
  server.on('session', session => session.on('error', () => {}))
  server.on('stream', (stream: http2.ServerHttp2Stream) => {
    stream.on('error', () => {})
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    // A message of two bytes: SERVING.
    stream.end(Buffer.from('00000000020801', 'hex'))
  })
  await using app = await listening(server)
  for (const kind of ['grpc: on', 'tcp: on']) {
    const check = `healthCheck: { ${kind}, interval: 1s }`
    const named = (name: string): string => `${check}\ntls: { ca: "${own.ca}", serverName: ${name} }`
    assert.equal(await afterCheck(app.port, named('app.example')), 'healthy', kind)
    assert.match(await afterCheck(app.port, named('other.example')), /^check failing since/, kind)
  }
  assert.equal(protocols[0], 'h2')
})

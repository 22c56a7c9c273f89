import assert from 'node:assert/strict'
import { once } from 'node:events'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import tls from 'node:tls'
import { after, before, describe, test } from 'node:test'
import { CertificateFolder } from '../harness/certificates.ts'
import { routeTo } from '../harness/configs.ts'
import { InProcess } from '../harness/in-process.ts'
import { reasonOf } from '../harness/problem.ts'

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

interface Service {
  readonly port: number
  /** Handshakes that resumed a session, and those that did not. */
  readonly resumed: boolean[]
  /** The SPIFFE IDs and names that clients showed. */
  readonly clients: string[]
  readonly names: unknown[]
  setContext(pair: { cert: string; key: string }): void
  [Symbol.asyncDispose](): Promise<void>
}

/** An https service that asks for a client certificate where a CA is given. */
async function serve(pair: { cert: string; key: string }, ca?: string): Promise<Service> {
  const resumed: boolean[] = []
  const clients: string[] = []
  const names: unknown[] = []
  const server = https.createServer(
    { ...pair, ...(ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true }) },
    // Each request on a connection of its own.
    (request, response) => response.setHeader('connection', 'close').end(`served ${request.headers.host}`),
  )
  server.on('secureConnection', (socket: tls.TLSSocket) => {
    resumed.push(socket.isSessionReused())
    names.push(socket.servername)
    clients.push(socket.getPeerX509Certificate()?.subjectAltName ?? '')
  })
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port, // it listens on TCP
    resumed,
    clients,
    names,
    setContext: next => server.setSecureContext(next),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function asking(
  port: number,
  upstream: string,
  use: (proxy: InProcess) => Promise<void>,
): Promise<void> {
  const proxy = await InProcess.start(routeTo(port, { upstream }))
  try {
    await use(proxy)
  } finally {
    await proxy.stop()
  }
}

const GET = 'GET /x HTTP/1.1\r\nhost: shop.example\r\n\r\n'
const served = async (proxy: InProcess): Promise<void> => {
  const response = await proxy.ask(GET)
  assert.equal(response.status, 200, response.body.toString())
}
const refused = async (proxy: InProcess, cause: RegExp): Promise<void> => {
  const response = await proxy.ask(GET)
  assert.deepEqual([response.status, reasonOf(response)], [502, 'upstream_tls_failed'])
  const line = await proxy.accessLine(one => one.reason === 'upstream_tls_failed')
  assert.match(String(line['cause']), cause)
}

describe('who an upstream has to be', () => {
  test('its host name, from an authority that is trusted for it', async () => {
    await using app = await serve(await own.issue({ dns: ['app.example'] }))
    await asking(app.port, `tls: { ca: "${own.ca}", serverName: app.example }`, served)
    assert.deepEqual(app.names, ['app.example'])
    await asking(app.port, `tls: { ca: "${own.ca}", serverName: other.example }`, proxy =>
      refused(proxy, /ERR_TLS_PEER_NOT_EXPECTED/),
    )
    await asking(app.port, `tls: { ca: "${foreign.ca}", serverName: app.example }`, proxy =>
      refused(proxy, /UNABLE_TO_VERIFY|SELF_SIGNED|UNABLE_TO_GET/),
    )
    // The system's authorities do not know a test's.
    await asking(app.port, 'tls: { serverName: app.example }', proxy =>
      refused(proxy, /UNABLE_TO_|SELF_SIGNED/),
    )
  })

  test('a wildcard is a whole label, and stands for one', async () => {
    await using app = await serve(await own.issue({ dns: ['*.shop.example', 'a*.shop.test'] }))
    const named = (name: string): string => `tls: { ca: "${own.ca}", serverName: ${name} }`
    await asking(app.port, named('app.shop.example'), served)
    for (const name of ['a.b.shop.example', 'shop.example', 'app.shop.test'])
      await asking(app.port, named(name), proxy => refused(proxy, /ERR_TLS_PEER_NOT_EXPECTED/))
  })

  test('an address is a name too, and a common name is none', async () => {
    await using app = await serve(await own.issue({ commonName: 'app.example', addresses: ['127.0.0.1'] }))
    await asking(app.port, `tls: { ca: "${own.ca}" }`, served)
    assert.deepEqual(app.names, [false])
    await asking(app.port, `tls: { ca: "${own.ca}", serverName: app.example }`, proxy =>
      refused(proxy, /ERR_TLS_PEER_NOT_EXPECTED/),
    )
  })

  test('one of the peers, exactly, whatever its host name', async () => {
    await using app = await serve(await own.issue({ uris: ['spiffe://shop/users'], dns: ['users'] }))
    const peers = (names: string): string => `tls: { ca: "${own.ca}", peers: ${names} }`
    await asking(app.port, peers('spiffe://shop/users'), served)
    await asking(app.port, peers('[spiffe://shop/other, users]'), served)
    for (const other of ['spiffe://shop/user', 'spiffe://shop/users2', 'spiffe://other/users'])
      await asking(app.port, peers(other), proxy => refused(proxy, /ERR_TLS_PEER_NOT_EXPECTED/))
  })

  test('not one whose certificate says two workloads', async () => {
    await using app = await serve(await own.issue({ uris: ['spiffe://shop/users', 'spiffe://shop/admin'] }))
    await asking(app.port, `tls: { ca: "${own.ca}", peers: spiffe://shop/users }`, proxy =>
      refused(proxy, /ERR_TLS_PEER_NOT_EXPECTED/),
    )
  })
})

test('the environment cannot switch it off', async t => {
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
  t.after(() => delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'])
  await using app = await serve(await own.issue({ dns: ['app.example'] }))
  await asking(app.port, `tls: { ca: "${foreign.ca}", serverName: app.example }`, proxy =>
    refused(proxy, /UNABLE_TO_VERIFY|SELF_SIGNED|UNABLE_TO_GET/),
  )
})

test('our own certificate is shown where it is asked for; without one the handshake fails', async () => {
  const orders = await own.write('orders', { uris: ['spiffe://shop/orders'] })
  await using app = await serve(await own.issue({ dns: ['app.example'] }), own.authority.cert)
  const base = `ca: "${own.ca}", serverName: app.example`
  await asking(app.port, `tls: { ${base}, ${orders} }`, served)
  assert.match(String(app.clients[0]), /URI:spiffe:\/\/shop\/orders/)
  await asking(app.port, `tls: { ${base} }`, async proxy => {
    // TLS 1.3 refuses after the handshake: what was sent may have been read, so nothing is repeated.
    const response = await proxy.ask(GET)
    assert.equal(response.status, 502)
  })
})

test("a session is resumed with the identity that it proved; the answer of a connection that cannot be verified is nobody's", async () => {
  await using app = await serve(await own.issue({ uris: ['spiffe://shop/users'] }))
  const upstream = `tls: { ca: "${own.ca}", peers: spiffe://shop/users }`
  await asking(app.port, upstream, async proxy => {
    await served(proxy)
    await served(proxy)
    await served(proxy)
    assert.deepEqual(app.resumed, [false, true, true])
    // Who takes the place of the service has no session of it, and its certificate is another's.
    app.setContext(await own.issue({ uris: ['spiffe://shop/thief'] }))
    await refused(proxy, /ERR_TLS_PEER_NOT_EXPECTED/)
  })
})

test('another policy for the same address shares no connection and no session', async () => {
  await using app = await serve(await own.issue({ uris: ['spiffe://shop/users'] }))
  const proxy = await InProcess.start(
    routeTo(app.port, { upstream: `tls: { ca: "${own.ca}", peers: spiffe://shop/users }` }),
  )
  try {
    await served(proxy)
    await proxy.apply(
      routeTo(app.port, { upstream: `tls: { ca: "${own.ca}", peers: spiffe://shop/payments }` }),
    )
    await refused(proxy, /ERR_TLS_PEER_NOT_EXPECTED/)
    assert.equal(app.resumed.includes(true), false)
  } finally {
    await proxy.stop()
  }
})

test('a service that speaks no TLS where TLS is expected is a failed handshake', async () => {
  const plain = tls.createServer({}).listen(0, '127.0.0.1')
  await once(plain, 'listening')
  plain.on('tlsClientError', () => {})
  await asking((plain.address() as AddressInfo).port, `tls: { ca: "${own.ca}" }`, async proxy => {
    const response = await proxy.ask(GET)
    assert.equal(response.status, 502)
  })
  plain.close()
  await once(plain, 'close')
})

import assert from 'node:assert/strict'
import net from 'node:net'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { askTls, CertificateFolder } from '../harness/certificates.ts'
import { freePort } from '../harness/free-port.ts'
import { HttpUpstream, mirror } from '../harness/http-upstream.ts'
import { InProcess } from '../harness/in-process.ts'

let own: CertificateFolder
let foreign: CertificateFolder
let upstream: HttpUpstream
let server: string
before(async () => {
  own = await CertificateFolder.create()
  foreign = await CertificateFolder.create()
  upstream = await HttpUpstream.listen(mirror)
  server = await own.write('server', { dns: ['a.example', 'localhost'] })
})
after(async () => {
  await upstream.close()
  own.remove()
  foreign.remove()
})

/** One listener with TLS as these lines say; what it is asked goes to a service that shows it. */
function listening(tlsLines: string, more = ''): string {
  return `version: 1
service: test
listeners:
  - name: in
    role: inbound
    address: 127.0.0.1:0
    tls: { ${tlsLines} }
${more}    routes:
      - { name: here, match: { path: { exact: /here } }, respond: { body: here } }
      - { name: app, upstream: app }
upstreams: { app: { url: "http://127.0.0.1:${upstream.port}" } }
telemetry: { accessLog: on }
`
}

async function serving(yaml: string, use: (proxy: InProcess) => Promise<void>): Promise<void> {
  const proxy = await InProcess.start(yaml)
  try {
    await use(proxy)
  } finally {
    await proxy.stop()
  }
}

const get = (path: string, fields: readonly string[] = [], host = 'a.example'): string =>
  [`GET ${path} HTTP/1.1`, `host: ${host}`, 'connection: close', ...fields, '', ''].join('\r\n')

test('TLS 1.3 and 1.2 with forward secrecy and AEAD; nothing older', async () => {
  await serving(listening(`certificates: { ${server} }`), async proxy => {
    const ca = own.authority.cert
    const best = await askTls(proxy.port(), { ca })
    assert.match(best.text, /^HTTP\/1\.1 200 OK/)
    assert.equal(best.protocol, 'TLSv1.3')
    const older = await askTls(proxy.port(), { ca, maxVersion: 'TLSv1.2' })
    assert.equal(older.protocol, 'TLSv1.2')
    assert.match(older.cipher, /^ECDHE-ECDSA-(AES|CHACHA20).*(GCM|POLY1305)/)
    const weak = { ca, maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA' } as const
    assert.notEqual((await askTls(proxy.port(), weak)).error, '')
    const oldest = { ca, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
    assert.notEqual((await askTls(proxy.port(), oldest)).error, '')
  })
  await serving(listening(`certificates: { ${server} }, minVersion: tls1.3`), async proxy => {
    const refused = await askTls(proxy.port(), { ca: own.authority.cert, maxVersion: 'TLSv1.2' })
    assert.notEqual(refused.error, '')
  })
})

test('the certificate is chosen by SNI: an exact name, a wildcard of one label, else the first', async () => {
  const wild = await own.write('wild', { dns: ['*.b.example'] })
  const exact = await own.write('exact', { dns: ['x.b.example'] })
  await serving(listening(`certificates: [{ ${server} }, { ${wild} }, { ${exact} }]`), async proxy => {
    const shown = async (servername: string): Promise<string> =>
      (await askTls(proxy.port(), { servername, rejectUnauthorized: false })).peer
    assert.match(await shown('a.example'), /DNS:a\.example/)
    assert.match(await shown('y.b.example'), /DNS:\*\.b\.example/)
    assert.match(await shown('x.b.example'), /DNS:x\.b\.example/)
    assert.match(await shown('deep.y.b.example'), /DNS:a\.example/)
    assert.match(await shown('b.example'), /DNS:a\.example/)
    assert.match(await shown('X.B.Example'), /DNS:x\.b\.example/)
    // Row 62: junk where a name is expected.
    assert.match(await shown(`${'j'.repeat(60)}_.\u00e9`), /DNS:a\.example/)
  })
})

test('a client certificate that is required: none, a foreign one and one that ended are refused', async () => {
  const tls = `certificates: { ${server} }, clients: { ca: "${own.ca}" }`
  await serving(listening(tls), async proxy => {
    const ca = own.authority.cert
    const without = await askTls(proxy.port(), { ca })
    assert.equal(without.text, '')
    assert.equal(without.error, 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED')
    const others = await foreign.issue({ uris: ['spiffe://shop/web'] })
    assert.equal((await askTls(proxy.port(), { ca, ...others })).text, '')
    const ended = await own.issue({ uris: ['spiffe://shop/web'], notAfter: Date.now() - 1000 })
    assert.equal((await askTls(proxy.port(), { ca, ...ended })).text, '')
    const two = await own.issue({ uris: ['spiffe://shop/web', 'spiffe://shop/admin'] })
    assert.equal((await askTls(proxy.port(), { ca, ...two })).text, '')
    // Both that the authority does not vouch for, and the one with two names: not as connections that closed.
    assert.match(
      await proxy.metrics(),
      /outrigger_tls_handshakes_total\{[^}]*result="client_certificate"\} 3\n/,
    )
    const good = await own.issue({ uris: ['spiffe://shop/web'] })
    assert.match((await askTls(proxy.port(), { ca, ...good })).text, /^HTTP\/1\.1 200/)
    const metrics = await proxy.metrics()
    assert.match(metrics, /outrigger_tls_handshakes_total\{[^}]*result="ok"\} 1\n/)
    assert.match(metrics, /outrigger_tls_handshakes_total\{[^}]*result="client_certificate"\} \d/)
    await proxy.until('no connection', () => proxy.connections === 0)
  })
})

test('an optional certificate may be missing, but one that does not hold is refused', async () => {
  const tls = `certificates: { ${server} }, clients: { ca: "${own.ca}", required: off }`
  await serving(listening(tls), async proxy => {
    const ca = own.authority.cert
    assert.match((await askTls(proxy.port(), { ca })).text, /^HTTP\/1\.1 200/)
    const others = await foreign.issue({ uris: ['spiffe://shop/web'] })
    assert.equal((await askTls(proxy.port(), { ca, ...others })).text, '')
  })
})

test('x-forwarded-client-cert comes from us: a client cannot say it, a trusted peer may add to it', async () => {
  const tls = `certificates: { ${server} }, clients: { ca: "${own.ca}", required: off }`
  await serving(listening(tls, '    trustedProxies: spiffe://shop/edge\n'), async proxy => {
    const ca = own.authority.cert
    const forged = ['x-forwarded-client-cert: Hash=00;URI=spiffe://shop/admin', 'x-user-id: admin']
    const none = await askTls(proxy.port(), { ca, ask: get('/show', forged) })
    assert.doesNotMatch(none.text, /spiffe:|x-user-id/)
    const web = await own.issue({ uris: ['spiffe://shop/web'], dns: ['web'] })
    const seen = await askTls(proxy.port(), { ca, ...web, ask: get('/show', forged) })
    assert.match(seen.text, /Hash=[0-9a-f]{64};Subject=\\?"CN=test\\?";URI=spiffe:\/\/shop\/web;DNS=web/)
    assert.doesNotMatch(seen.text, /admin/)
    const edge = await own.issue({ uris: ['spiffe://shop/edge'] })
    const trusted = await askTls(proxy.port(), { ca, ...edge, ask: get('/show', forged) })
    assert.match(trusted.text, /Hash=00;URI=spiffe:\/\/shop\/admin, Hash=[0-9a-f]{64}/)
    assert.match(trusted.text, /x-user-id/)
  })
})

test('a Host that the handshake did not name is 421 where listeners share an address', async () => {
  const admin = await own.write('admin', { dns: ['admin.example'] })
  const port = await freePort()
  const both = `version: 1
service: test
listeners:
  - { name: open, role: edge, address: "127.0.0.1:${port}", hosts: a.example, tls: { certificates: { ${server} } }, respond: { body: open } }
  - name: admin
    role: edge
    address: "127.0.0.1:${port}"
    hosts: admin.example
    tls: { certificates: { ${admin} }, clients: { ca: "${own.ca}" } }
    respond: { body: secret }
`
  await serving(both, async proxy => {
    const ca = own.authority.cert
    assert.match((await askTls(proxy.port('open'), { ca, ask: get('/') })).text, /200[^]*open$/)
    // The certificate that admin.example asks for was never asked for in this handshake.
    const dodged = await askTls(port, { ca, ask: get('/', [], 'admin.example') })
    assert.match(dodged.text, /^HTTP\/1\.1 421/)
    assert.match(dodged.text, /forbidden_host/)
    const without = await askTls(port, {
      ca,
      servername: 'admin.example',
      ask: get('/', [], 'admin.example'),
    })
    assert.equal(without.text, '')
    const pair = await own.issue({ uris: ['spiffe://shop/ops'] })
    const named = await askTls(port, {
      ca,
      ...pair,
      servername: 'admin.example',
      ask: get('/', [], 'admin.example'),
    })
    assert.match(named.text, /200[^]*secret$/)
  })
})

test('sessions are resumed, with the identity of the first handshake; a renewed certificate keeps them, other authorities do not', async () => {
  const renewed = await own.write('renewed', { dns: ['a.example'] })
  const clients = `clients: { ca: "${own.ca}" }`
  await serving(listening(`certificates: { ${server} }, ${clients}`), async proxy => {
    const ca = own.authority.cert
    const web = await own.issue({ uris: ['spiffe://shop/web'] })
    const options = { ca, ...web, ask: get('/show') }
    const first = await askTls(proxy.port(), options)
    assert.ok(first.session !== null && !first.reused)
    const again = await askTls(proxy.port(), { ...options, session: first.session })
    assert.equal(again.reused, true)
    assert.match(again.text, /URI=spiffe:\/\/shop\/web/)
    await proxy.apply(listening(`certificates: { ${renewed} }, ${clients}`))
    const later = await askTls(proxy.port(), { ...options, session: first.session })
    assert.equal(later.reused, true)
    await proxy.apply(listening(`certificates: { ${renewed} }, clients: { ca: "${foreign.ca}" }`))
    const other = await askTls(proxy.port(), { ...options, session: first.session })
    assert.equal(other.text, '')
  })
})

test('a certificate that is replaced while a connection is open leaves the connection alone', async () => {
  const next = await own.write('next', { dns: ['a.example', 'next.example'] })
  await serving(listening(`certificates: { ${server} }`), async proxy => {
    const ca = own.authority.cert
    const before = await askTls(proxy.port(), { ca })
    assert.doesNotMatch(before.peer, /next/)
    await proxy.apply(listening(`certificates: { ${next} }`))
    assert.match((await askTls(proxy.port(), { ca })).peer, /next\.example/)
  })
})

test('who says nothing, or plain HTTP, where a handshake is expected is closed and leaves nothing', async () => {
  await serving(
    listening(`certificates: { ${server} }`, '    connection: { handshake: 200ms }\n'),
    async proxy => {
      const silent = net.connect(proxy.port(), '127.0.0.1')
      silent.on('error', () => {})
      await once(silent, 'close')
      const plain = net.connect(proxy.port(), '127.0.0.1')
      plain.on('error', () => {})
      plain.end('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
      plain.resume()
      await once(plain, 'close')
      await proxy.until('no connection', () => proxy.connections === 0)
      assert.match((await askTls(proxy.port(), { ca: own.authority.cert })).text, /^HTTP\/1\.1 200/)
    },
  )
})

test('a reload to TCP answers no ALPN any more, and a new time for handshakes counts', async () => {
  const certificates = `certificates: { ${server} }`
  const port = await freePort()
  const at = (yaml: string): string => yaml.replace('127.0.0.1:0', `127.0.0.1:${port}`)
  await serving(at(listening(certificates)), async proxy => {
    const ca = own.authority.cert
    const alpn = { ca, ALPNProtocols: ['redis'] }
    assert.equal((await askTls(port, alpn)).error, 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL')
    await proxy.apply(at(listening(certificates, '    connection: { handshake: 100ms }\n')))
    const silent = net.connect(port, '127.0.0.1')
    silent.on('error', () => {})
    await once(silent, 'close')
    await proxy.apply(`version: 1
service: test
listeners: [{ name: in, role: inbound, address: "127.0.0.1:${port}", protocol: tcp, tls: { ${certificates} }, upstream: app }]
upstreams: { app: { endpoints: ["127.0.0.1:${upstream.port}"] } }
`)
    assert.match((await askTls(port, { ...alpn, ask: get('/x') })).text, /^HTTP\/1\.1 200/)
  })
})

test('HSTS is said over TLS and not on a plain listener', async () => {
  await serving(
    listening(`certificates: { ${server} }, hsts: { maxAge: 1d, subdomains: on }`),
    async proxy => {
      const { text } = await askTls(proxy.port(), { ca: own.authority.cert })
      assert.match(text, /\r\nstrict-transport-security: max-age=86400; includeSubDomains\r\n/)
    },
  )
})

// A client of TLS 1.3 may send its last handshake message, all it has to say and the end in one flight. The end came while
// the TCP connection waited for its upstream, nobody kept it, and the service never heard of it.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'
import { test } from 'node:test'
import { CertificateFolder } from '../harness/certificates.ts'
import { InProcess } from '../harness/in-process.ts'

test('what a client says and ends in one flight with its handshake arrives, the end too', async t => {
  const own = await CertificateFolder.create()
  const server = await own.write('server', { dns: ['a.example'] })
  // Answers when it has heard all of it.
  const service = net.createServer({ allowHalfOpen: true }, socket =>
    socket.on('error', () => {}).pipe(socket),
  )
  service.listen(0, '127.0.0.1')
  await once(service, 'listening')
  const { port } = service.address() as net.AddressInfo // it listens on TCP
  const proxy = await InProcess.start(`version: 1
service: test
listeners:
  - { name: in, role: inbound, address: "127.0.0.1:0", protocol: tcp, tls: { certificates: { ${server} } }, upstream: app }
upstreams: { app: { endpoints: ["127.0.0.1:${port}"] } }
`)
  t.after(async () => {
    await proxy.stop()
    service.close()
    own.remove()
  })
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const options = { host: '127.0.0.1', port: proxy.port(), ca: own.authority.cert, servername: 'a.example' }
    const client = tls.connect({ ...options, maxVersion })
    let text = ''
    client.on('data', (bytes: Buffer) => (text += bytes.toString()))
    // Written before the handshake is over, so that it goes out with its last message.
    client.end('all of it')
    await once(client, 'close')
    assert.equal(text, 'all of it', maxVersion)
  }
})

// Who gets through a TCP listener, by its certificate.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import { askTls, CertificateFolder } from '../harness/certificates.ts'
import { InProcess } from '../harness/in-process.ts'

test('only the identities that `authorize` names get through, and the audit says who did not', async () => {
  const own = await CertificateFolder.create()
  const server = await own.write('server', { dns: ['a.example'] })
  const { listen, port } = await echo()
  const proxy = await InProcess.start(`version: 1
service: test
telemetry: { accessLog: { write: on } }
authorization: { audit: { to: stdout } }
listeners:
  - name: secure
    role: inbound
    address: 127.0.0.1:0
    protocol: tcp
    tls: { certificates: { ${server} }, clients: { ca: "${own.ca}" } }
    authorize: { peers: ["spiffe://shop/web"] }
    upstream: echo
upstreams: { echo: { endpoints: ["127.0.0.1:${port}"] } }
`)
  try {
    const ask = 'hello'
    const as = async (uri: string) => {
      const pair = await own.issue({ uris: [uri] })
      return askTls(proxy.port('secure'), {
        ca: own.authority.cert,
        servername: 'a.example',
        ...pair,
        ask,
      })
    }
    assert.equal((await as('spiffe://shop/web')).text, 'hello')
    for (const uri of ['spiffe://shop/web2', 'spiffe://shop/we', 'spiffe://other/web'])
      assert.equal((await as(uri)).text, '', uri)
    const line = await proxy.accessLine(one => one.reason === 'forbidden')
    assert.equal(line['peer_spiffe'], 'spiffe://shop/web2')
    const lines = await proxy.auditLines(4)
    assert.deepEqual(
      lines.map(one => [one['decision'], one['peer_spiffe']]),
      [
        ['allow', 'spiffe://shop/web'],
        ['deny', 'spiffe://shop/web2'],
        ['deny', 'spiffe://shop/we'],
        ['deny', 'spiffe://other/web'],
      ],
    )
  } finally {
    await proxy.stop()
    listen.close()
    own.remove()
  }
})

/** A service that sends back the first that comes, and closes. */
async function echo(): Promise<{ listen: net.Server; port: number }> {
  const listen = net
    .createServer(socket => socket.once('data', bytes => socket.end(bytes)))
    .listen(0, '127.0.0.1')
  await once(listen, 'listening')
  return { listen, port: (listen.address() as net.AddressInfo).port } // it listens on TCP
}

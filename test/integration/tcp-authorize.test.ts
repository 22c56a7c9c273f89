// Who gets through a TCP listener, by its certificate.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import tls from 'node:tls'
import { askTls, CertificateFolder } from '../harness/certificates.ts'
import { InProcess } from '../harness/in-process.ts'
import { RawClient } from '../harness/raw-client.ts'

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

test('a rule that a reload changes is asked of connections that are open; one that says the same closes nobody', async () => {
  const own = await CertificateFolder.create()
  const server = await own.write('server', { dns: ['a.example'] })
  const listen = net.createServer(socket => socket.pipe(socket).on('error', () => {})).listen(0, '127.0.0.1')
  await once(listen, 'listening')
  const { port } = listen.address() as net.AddressInfo // it listens on TCP
  const text = (peers: string, timeout = '1h'): string => `version: 1
service: test
telemetry: { accessLog: { write: on } }
authorization: { audit: { to: stdout } }
listeners:
  - name: secure
    role: inbound
    address: 127.0.0.1:0
    protocol: tcp
    timeout: { idle: ${timeout} }
    tls: { certificates: { ${server} }, clients: { ca: "${own.ca}" } }
    authorize: { peers: [${peers}] }
    upstream: echo
upstreams: { echo: { endpoints: ["127.0.0.1:${port}"] } }
`
  const proxy = await InProcess.start(text('"spiffe://shop/web", "spiffe://shop/cron"'))
  try {
    const open = async (uri: string): Promise<RawClient> => {
      const pair = await own.issue({ uris: [uri] })
      const client = new RawClient(
        tls.connect({ port: proxy.port(), ca: own.authority.cert, servername: 'a.example', ...pair }),
      )
      client.send('hello')
      await client.readUntil('hello')
      return client
    }
    const [web, cron] = [await open('spiffe://shop/web'), await open('spiffe://shop/cron')]
    await proxy.apply(text('"spiffe://shop/cron", "spiffe://shop/web"', '2h'))
    for (const client of [web, cron]) {
      client.send('again')
      await client.readUntil('again')
    }
    await proxy.apply(text('"spiffe://shop/web"', '2h'))
    await cron.closed()
    web.send('still')
    await web.readUntil('still')
    const line = await proxy.accessLine(one => one.reason === 'forbidden')
    assert.deepEqual([line['peer_spiffe'], line['bytes_in']], ['spiffe://shop/cron', 10])
    const [audited] = await proxy.auditLines(1)
    assert.deepEqual([audited?.['decision'], audited?.['peer_spiffe']], ['deny', 'spiffe://shop/cron'])
    web.destroy()
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

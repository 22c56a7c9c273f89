import assert from 'node:assert/strict'
import { once } from 'node:events'
import type net from 'node:net'
import { after, before, test } from 'node:test'
import type http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import type { Duplex } from 'node:stream'
import { CertificateFolder } from '../harness/certificates.ts'
import { InProcess } from '../harness/in-process.ts'

// Connections to a service that a reload trusts no longer, or expects to be somebody else.

let own: CertificateFolder
let other: CertificateFolder
before(async () => {
  own = await CertificateFolder.create()
  other = await CertificateFolder.create()
})
after(() => {
  own.remove()
  other.remove()
})

const GET = 'GET / HTTP/1.1\r\nhost: a.example\r\n\r\n'

for (const protocol of ['http1', 'http2'] as const)
  test(`${protocol}: idle connections close, busy ones with their answer, and nothing new goes over them`, async () => {
    const pair = await own.issue({ dns: ['a.example'], uris: ['spiffe://shop/users'] })
    const open = new Set<Duplex>()
    let opened = 0
    const held: (() => void)[] = []
    let hold = false
    const answer = (_: unknown, response: { end(text: string): unknown }): void => {
      if (hold) held.push(() => response.end('late'))
      else response.end('ok')
    }
    const service: net.Server =
      protocol === 'http1'
        ? https.createServer(pair, answer as http.RequestListener)
        : http2.createSecureServer(pair, answer as unknown as () => void)
    service.on('secureConnection', (socket: Duplex) => {
      opened++
      open.add(socket.on('error', () => {}).on('close', () => open.delete(socket)))
    })
    service.listen(0, '127.0.0.1')
    await once(service, 'listening')
    const { port } = service.address() as net.AddressInfo // it listens on TCP
    const yaml = (tls: string): string => `version: 1
service: test
listeners:
  - { name: in, role: inbound, address: "127.0.0.1:0", retry: off, upstream: users }
upstreams:
  users: { endpoints: ["127.0.0.1:${port}"], protocol: ${protocol}, tls: { serverName: a.example, ${tls} } }
`
    const proxy = await InProcess.start(yaml(`ca: "${own.ca}"`))
    try {
      for (const [tls, status] of [
        [`ca: "${other.ca}"`, 502],
        [`ca: "${own.ca}", peers: ["spiffe://shop/users"]`, 200],
        [`ca: "${own.ca}"`, 200],
        [`ca: "${own.ca}", peers: ["spiffe://shop/payments"]`, 502],
        [`ca: "${own.ca}"`, 200],
      ] as const) {
        const before = proxy.service.holder.current
        const trusted = (await proxy.ask(GET)).status === 200
        hold = true
        const client = await proxy.connect()
        if (trusted) {
          client.send(GET)
          await proxy.until('a request to wait', () => held.length === 1)
        }
        hold = false
        const stood = open.size
        await proxy.apply(yaml(tls))
        const count = opened
        // Another connection, which proves anew who is there.
        assert.equal((await proxy.ask(GET)).status, status, tls)
        if (trusted && status === 200) assert.equal(opened, count + 1, tls)
        if (trusted) {
          assert.ok(stood > 0)
          held.pop()?.()
          const late = await client.readResponse()
          assert.deepEqual([late.status, late.body.toString()], [200, 'late'])
        }
        client.destroy()
        await proxy.until('the old ones to go', () => open.size === (status === 200 ? 1 : 0))
        assert.equal(before.ended, true)
      }
    } finally {
      await proxy.stop()
      service.close()
    }
  })

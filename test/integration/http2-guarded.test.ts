// What a peer wants in no compression table (RFC 7541 section 6.2.3) is in none of the next hop's either.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { InProcess } from '../harness/in-process.ts'

test('fields that are never to be indexed stay so, on the way up and on the way back', async () => {
  let seen: unknown
  const server = http2.createServer((request, response) => {
    // Node's type leaves the symbol out.
    seen = (request.headers as Record<symbol, unknown>)[http2.sensitiveHeaders]
    response.stream.respond({
      ':status': 200,
      'x-token': 't',
      'x-open': 'o',
      [http2.sensitiveHeaders]: ['x-token'],
    })
    response.stream.end('done')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  const proxy = await InProcess.start(`version: 1
service: test
listeners: [{ name: in, role: inbound, address: "127.0.0.1:0", upstream: app }]
upstreams: { app: { endpoints: ["127.0.0.1:${port}"], protocol: http2 } }
`)
  const client = http2.connect(`http://127.0.0.1:${proxy.port()}`)
  const asked = { ':path': '/', 'x-secret': 's', 'x-plain': 'p', [http2.sensitiveHeaders]: ['x-secret'] }
  // Twice: a table would know the field by then.
  for (let i = 0; i < 2; i++) {
    const stream = client.request(asked)
    const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders]
    stream.resume()
    await once(stream, 'close')
    assert.deepEqual([headers[':status'], headers['x-token'], headers['x-open']], [200, 't', 'o'])
    assert.deepEqual(seen, ['x-secret'])
    assert.deepEqual((headers as Record<symbol, unknown>)[http2.sensitiveHeaders], ['x-token'])
  }
  client.close()
  await proxy.stop()
  server.close()
})

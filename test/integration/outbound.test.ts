import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { curl } from '../harness/curl.ts'
import { HttpUpstream, seenBy } from '../harness/http-upstream.ts'
import { needs } from '../harness/needs.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { RawClient } from '../harness/raw-client.ts'

describe('an app calls out', () => {
  let users: HttpUpstream
  let stock: HttpUpstream
  let outrigger: Outrigger
  const proxy = (): string => `http://127.0.0.1:${outrigger.port('out')}`

  before(async () => {
    users = await HttpUpstream.listen()
    stock = await HttpUpstream.listen()
    outrigger = await Outrigger.start(`version: 1
service: orders
admin: { address: "127.0.0.1:0" }
upstreams:
  users: { endpoints: "127.0.0.1:${users.port}" }
  stock: { url: "http://localhost:${stock.port}/v2" }
  gone: { endpoints: "127.0.0.1:1" }
listeners:
  - { name: out, role: outbound, address: 127.0.0.1:0, upstreams: [users, stock, gone] }
  - { name: port, role: outbound, address: 127.0.0.1:0, upstream: stock }
  - { name: in, role: inbound, address: 127.0.0.1:0, routes: [{ name: in, match: { host: a }, upstream: users }] }
`)
  })
  after(async () => {
    await outrigger.stop('SIGKILL')
    await Promise.all([users.close(), stock.close()])
  })

  async function ask(port: number, request: string): Promise<{ status: number; body: string }> {
    const client = await RawClient.connect(port)
    const { status, body } = await client.ask(request)
    client.destroy()
    return { status, body: body.toString() }
  }

  test('by Host: the name of an upstream, and its own Host goes up', async () => {
    const { body } = await ask(outrigger.port('out'), 'GET /u?x HTTP/1.1\r\nhost: users\r\n\r\n')
    const seen = seenBy(body)
    assert.equal(seen.target, '/u?x')
    assert.equal(seen.headers['host'], 'users')
    // What the app says of itself stays; nothing is added for it.
    assert.equal(seen.headers['x-forwarded-for'], undefined)
    assert.equal(seen.headers['via'], '1.1 outrigger')
    assert.ok(seen.headers['x-request-id'])
  })

  test('by Host: of a URL its name or its host, and its path is put in front', async () => {
    for (const host of ['stock', 'localhost', `localhost:${stock.port}`]) {
      const { body } = await ask(outrigger.port('out'), `GET /items HTTP/1.1\r\nhost: ${host}\r\n\r\n`)
      const seen = seenBy(body)
      assert.equal(seen.target, '/v2/items', host)
      assert.equal(seen.headers['host'], `localhost:${stock.port}`, host)
    }
  })

  test('by a port of its own', async () => {
    const { body } = await ask(outrigger.port('port'), 'GET /items HTTP/1.1\r\nhost: whatever\r\n\r\n')
    assert.equal(seenBy(body).target, '/v2/items')
  })

  test('an unknown host is 502 unknown_host, never a 404; an upstream that is down is another 502', async () => {
    const unknown = await ask(outrigger.port('out'), 'GET / HTTP/1.1\r\nhost: nosuch\r\n\r\n')
    assert.equal(unknown.status, 502)
    assert.match(unknown.body, /"reason":"unknown_host"/)
    const down = await ask(outrigger.port('out'), 'GET / HTTP/1.1\r\nhost: gone\r\n\r\n')
    assert.equal(down.status, 502)
    assert.match(down.body, /"reason":"upstream_connect_failed"/)
    const inbound = await ask(outrigger.port('in'), 'GET / HTTP/1.1\r\nhost: nosuch\r\n\r\n')
    assert.equal(inbound.status, 404)
    assert.match(inbound.body, /"reason":"no_route"/)
  })

  test('by HTTP_PROXY, in absolute form', needs('curl'), async () => {
    const direct = await curl('-x', proxy(), 'http://users/a', 'http://stock/b')
    const [first, second] = direct.body.toString().split(/(?<=\})(?=\{"method)/)
    assert.equal(seenBy(first ?? '').target, '/a')
    assert.equal(seenBy(first ?? '').headers['proxy-connection'], undefined)
    assert.equal(seenBy(second ?? '').target, '/v2/b')
    assert.match(direct.said, /Re-using existing/)
    assert.equal((await curl('-x', proxy(), 'http://nosuch/')).status, 502)
  })

  test('by HTTP_PROXY, through CONNECT', needs('curl'), async () => {
    const tunnelled = await curl('-p', '-x', proxy(), 'http://users/a', 'http://users/b')
    const [first, second] = tunnelled.body.toString().split(/(?<=\})(?=\{"method)/)
    assert.deepEqual([seenBy(first ?? '').target, seenBy(second ?? '').target], ['/a', '/b'])
    assert.equal(seenBy(first ?? '').headers['host'], 'users')
    assert.equal(tunnelled.said.match(/^> CONNECT users:80/gm)?.length, 1, 'one tunnel for both')
    const up = await curl('-p', '-x', proxy(), '-d', 'x'.repeat(100_000), 'http://users/up')
    assert.equal(seenBy(up.body).body.length, 100_000)
  })

  test(
    'CONNECT to a host without a route, and inside to another than was asked for',
    needs('curl'),
    async () => {
      const refused = await curl('-p', '-x', proxy(), 'http://nosuch/')
      assert.notEqual(refused.code, 0)
      assert.match(refused.heads, /^HTTP\/1\.1 502/)
      const encrypted = await curl('-x', proxy(), 'https://users/')
      assert.match(encrypted.heads, /^HTTP\/1\.1 502/)
      assert.doesNotMatch(encrypted.said, /SSL|TLS alert/)
      const other = await curl('-p', '-x', proxy(), '-H', 'host: stock', 'http://users/')
      assert.equal(other.status, 421)
      const inbound = await curl('-p', '-x', `http://127.0.0.1:${outrigger.port('in')}`, 'http://a/')
      assert.match(inbound.heads, /^HTTP\/1\.1 405/)
    },
  )
})

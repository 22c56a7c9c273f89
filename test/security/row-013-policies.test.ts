// Row 13: what a client may not say about itself is not there for any policy either: no route is chosen by it, and no
// limit counts by it. From a proxy that is trusted it counts.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InProcess } from '../harness/in-process.ts'

const config = (trusted: string) => `version: 1
service: test
listeners:
  - name: in
    role: edge
    address: 127.0.0.1:0
    trustedProxies: [${trusted}]
    routes:
      - { name: staff, match: { path: /, headers: { x-user-role: admin } }, respond: { body: staff } }
      - { name: secure, match: { path: /, priority: 1, headers: { x-forwarded-proto: https } }, respond: { body: secure } }
      - { name: acme, match: { path: /, priority: 2, headers: { x-tenant: acme } }, respond: { body: acme } }
      - { name: limited, match: { path: /limited }, rateLimit: { requests: 1, per: hour, by: { header: x-tenant } }, respond: { body: limited } }
      - { name: all, respond: { body: everybody } }
authentication:
  jwt: { main: { issuer: https://id.shop.example, audiences: shop, claimHeaders: { x-tenant: tenant } } }
`

for (const [trusted, own, limited] of [
  ['192.0.2.1', ['everybody', 'everybody', 'everybody'], [200, 429]],
  ['127.0.0.1', ['staff', 'secure', 'acme'], [200, 200]],
] as const)
  test(`row 13: policies hear a client only where it is trusted (${trusted})`, async t => {
    const proxy = await InProcess.start(config(trusted))
    t.after(() => proxy.stop())
    const ask = (path: string, field: string) =>
      proxy.ask(`GET ${path} HTTP/1.1\r\nhost: a\r\n${field}\r\naccept: */*\r\n\r\n`)
    const fields = ['X-User-Role: admin', 'x-forwarded-proto: https', 'x-tenant: acme']
    const bodies = []
    for (const field of fields) bodies.push((await ask('/', field)).body.toString())
    assert.deepEqual(bodies, own)
    const statuses = []
    for (const tenant of ['a', 'b']) statuses.push((await ask('/limited', `x-tenant: ${tenant}`)).status)
    assert.deepEqual(statuses, limited)
  })

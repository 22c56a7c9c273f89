// The edge of the configuration examples, unchanged but for addresses: tokens whose issuer is the caller, keys by digest,
// and one count of both over all routes.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { before, test } from 'node:test'
import { InProcess } from '../harness/in-process.ts'
import { reasonOf } from '../harness/problem.ts'
import { RecordingSink } from '../harness/raw-upstream.ts'
import { SECRET, sharedToken } from '../harness/tokens.ts'

before(() => {
  process.env['JWT_SECRET'] = SECRET
})

const EDGE = readFileSync(new URL('../../examples/config/edge.yaml', import.meta.url), 'utf8')

function edgeTo(port: number): string {
  return EDGE.replace('0.0.0.0:8000', '127.0.0.1:0').replaceAll(
    /http:\/\/\w+-service:8080/g,
    `http://127.0.0.1:${port}`,
  )
}

test('examples/config/edge.yaml does what its comments say', async t => {
  const sink = await RecordingSink.listen()
  const proxy = await InProcess.start(edgeTo(sink.port))
  t.after(async () => {
    await sink.close()
    await proxy.stop()
  })
  const exp = Math.floor(Date.now() / 1000) + 3600
  const get = (path: string, field = '') =>
    proxy.ask(`GET ${path} HTTP/1.1\r\nhost: shop.example\r\n${field}\r\n`)
  const bearer = async (claims: Record<string, unknown>, secret?: string) =>
    `authorization: Bearer ${await sharedToken({ exp, ...claims }, secret)}\r\n`
  const partner = await bearer({ iss: 'shop-partners' })

  assert.equal((await get('/api/users/7', partner)).status, 200)
  assert.equal((await get('/api/orders', 'x-api-key: test\r\n')).status, 200)
  const seen = sink
    .requestsSeen()
    .map(({ headers }) => [headers['x-consumer-name'], headers['x-consumer-groups'], headers['x-api-key']])
  assert.deepEqual(seen, [
    ['partners', 'partners', undefined],
    ['mobile-app', 'public', undefined],
  ])
  for (const [field, reason] of [
    ['', 'credentials_missing'],
    ['x-api-key: other\r\n', 'credentials_invalid'],
    [await bearer({ iss: 'another' }), 'credentials_invalid'],
    [await bearer({ iss: 'shop-partners' }, `${SECRET}x`), 'credentials_invalid'],
    [await bearer({ iss: 'shop-partners', exp: 1 }), 'token_expired'],
    [await bearer({ iss: 'shop-partners', exp: undefined }), 'credentials_invalid'],
  ] as const) {
    const refused = await get('/api/users', field)
    assert.deepEqual([refused.status, reasonOf(refused)], [401, reason])
  }

  // One count over both routes, a count for each caller.
  const client = await proxy.connect()
  for (let i = 0; i < 99; i++) {
    const path = i % 2 === 0 ? '/api/users' : '/api/orders'
    assert.equal(
      (await client.ask(`GET ${path} HTTP/1.1\r\nhost: shop.example\r\n${partner}\r\n`)).status,
      200,
      String(i),
    )
  }
  client.destroy()
  const over = await get('/api/orders', partner)
  assert.deepEqual([over.status, reasonOf(over)], [429, 'rate_limited'])
  assert.equal((await get('/api/orders', 'x-api-key: test\r\n')).status, 200)
})

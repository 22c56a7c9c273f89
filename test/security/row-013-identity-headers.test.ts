// Row 13: what says who calls never comes from a client, on whatever route and listener. Every reserved name, the headers
// for claims among them, in many spellings, with and without credentials.
import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { RESERVED, RESERVED_PREFIXES } from '../../sidecar/exchange/reserved-names.ts'
import { guarded } from '../harness/guarded.ts'
import { InProcess } from '../harness/in-process.ts'
import { RecordingSink } from '../harness/raw-upstream.ts'

const AUTHENTICATION = `jwt: { main: { issuer: off, audiences: off, secret: "a-secret-that-both-sides-know-123456", claimHeaders: { x-tenant: tenant, x-user-email: email } } }
apiKey: { clients: { header: x-api-key } }`
const CONSUMERS = `consumers: [{ name: web, groups: [public], apiKeys: { sha256: ${hash('sha256', 'web-key')} } }]\n`

/** Names that are ours to write: a client's value must never be seen behind. */
const NAMES = [
  ...RESERVED.filter(name => !name.startsWith('x-request-')),
  ...RESERVED_PREFIXES.flatMap(prefix => ['name', 'groups', 'id', 'email', 'x'].map(end => prefix + end)),
  'x-consumer-username',
  // What others call the client's certificate, or what they found of it.
  'client-cert',
  'client-cert-chain',
  'ssl-client-cert',
  'ssl-client-verify',
  'x-amzn-mtls-clientcert',
  'x-arr-clientcert',
  'x-tls-client-cert',
  'x-tenant',
]

const spelled = fc
  .constantFrom(...NAMES)
  .chain(name =>
    fc
      .array(fc.boolean(), { minLength: name.length, maxLength: name.length })
      .map(upper =>
        Array.from(name, (letter, at) => (upper[at] === true ? letter.toUpperCase() : letter)).join(''),
      ),
  )

test('row 13: every route x reserved name', async t => {
  const sink = await RecordingSink.listen()
  const proxies = await Promise.all(
    ['{ anyOf: [jwt: main, apiKey: clients], optional: on }', '{ apiKey: clients, optional: on }'].flatMap(
      authenticate =>
        ['edge', 'inbound'].map(role =>
          InProcess.start(
            guarded(sink.port, { authenticate, authentication: AUTHENTICATION, top: CONSUMERS, role }),
          ),
        ),
    ),
  )
  t.after(async () => {
    await sink.close()
    for (const proxy of proxies) await proxy.stop()
  })
  let asked = 0
  const seen = (mark: string) =>
    sink.requestsSeen().findLast(({ headers }) => headers['x-mark'] === mark)?.headers ??
    assert.fail('not seen')
  await fc.assert(
    fc.asyncProperty(
      fc.array(spelled, { minLength: 1, maxLength: 8 }),
      fc.constantFrom('/x', '/open'),
      fc.boolean(),
      fc.nat(proxies.length - 1),
      async (names, path, known, which) => {
        asked++
        const fields = names.map(name => `${name}: forged-${asked}\r\n`).join('')
        const credential = known ? 'x-api-key: web-key\r\n' : ''
        const request = `GET ${path} HTTP/1.1\r\nhost: a\r\nx-mark: ${asked}\r\n${fields}${credential}\r\n`
        const response = await proxies[which]?.ask(request)
        assert.equal(response?.status, 200)
        const headers = seen(String(asked))
        for (const [name, value] of Object.entries(headers))
          assert.ok(!value.includes('forged-'), `${name}: ${value}`)
        assert.equal(headers['x-consumer-name'], known && path === '/x' ? 'web' : undefined)
      },
    ),
    { numRuns: 300 },
  )
  // Each of them once, whatever was drawn.
  for (const [index, proxy] of proxies.entries()) {
    const fields = NAMES.map(name => `${name}: forged\r\n`).join('')
    await proxy.ask(`GET /x HTTP/1.1\r\nhost: a\r\nx-mark: all-${index}\r\n${fields}\r\n`)
    assert.ok(!JSON.stringify(seen(`all-${index}`)).includes('forged'))
  }
})

test('row 14: an underscore makes no other name', async t => {
  const sink = await RecordingSink.listen()
  const proxy = await InProcess.start(
    guarded(sink.port, { authenticate: 'off', authentication: AUTHENTICATION, role: 'inbound' }),
  )
  t.after(async () => {
    await sink.close()
    await proxy.stop()
  })
  for (const name of ['x_consumer_name', 'X_Tenant', 'x-consumer_name', 'x_user-email'])
    assert.equal((await proxy.ask(`GET /x HTTP/1.1\r\nhost: a\r\n${name}: forged\r\n\r\n`)).status, 200)
  assert.ok(!JSON.stringify(sink.requestsSeen().map(request => request.headers)).includes('forged'))
})

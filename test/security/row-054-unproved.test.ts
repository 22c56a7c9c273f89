// Row 54: a service that believes the token that it gets, since it is behind this proxy, gets none that nobody proved: not
// one beside another credential that decided, not a second one, not one in a spelling that only the service can read.
import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import { withGuard } from '../harness/guarded.ts'
import { forge, SECRET, sharedToken } from '../harness/tokens.ts'

const RULES = `issuer: off, audiences: off, expiry: off, secret: "${SECRET}"`
const CONSUMERS = `consumers: [{ name: web, apiKeys: { sha256: ${hash('sha256', 'web-key')} } }]\n`
const FORGED = forge({ alg: 'HS256', typ: 'JWT' }, { sub: 'admin' })

test('row 54: a token beside the key that decided does not go upstream', async t => {
  const { sink, get } = await withGuard(t, {
    authenticate: '{ anyOf: [apiKey: clients, jwt: main, jwt: ticket] }',
    authentication: `jwt: { main: { ${RULES} }, ticket: { ${RULES}, from: { cookie: ticket } } }
apiKey: { clients: { header: x-api-key } }`,
    top: CONSUMERS,
  })
  const key = { 'x-api-key': 'web-key' }
  for (const scheme of ['Bearer', 'bearer', 'DPoP', 'Bearer  '])
    assert.equal((await get('/x', { ...key, authorization: `${scheme} ${FORGED}` })).status, 200)
  assert.equal((await get('/x', { ...key, cookie: `a=b; ticket=${FORGED}` })).status, 200)
  // What the providers of the route do not read is not theirs to take.
  assert.equal((await get('/x', { ...key, authorization: 'Digest x' })).status, 200)
  const seen = sink.requestsSeen().map(({ headers }) => [headers['authorization'], headers['cookie']])
  const nothing = [undefined, undefined]
  assert.deepEqual(seen, [nothing, nothing, nothing, nothing, [undefined, 'a=b'], ['Digest x', undefined]])
})

test('row 54: a token that was proved beside a certificate or alone goes on', async t => {
  const { sink, get } = await withGuard(t, {
    authenticate: '{ allOf: [apiKey: clients, jwt: main] }',
    authentication: `jwt: { main: { ${RULES} } }\napiKey: { clients: { header: x-api-key } }`,
    top: CONSUMERS,
  })
  const authorization = `Bearer ${await sharedToken({ sub: 'alice' })}`
  assert.equal((await get('/x', { 'x-api-key': 'web-key', authorization })).status, 200)
  assert.equal(sink.requestsSeen()[0]?.headers['authorization'], authorization)
})

test('row 54: where nobody need say who it is, what only looks like no token is one', async t => {
  const { sink, get } = await withGuard(t, {
    authenticate: '{ jwt: main, optional: on }',
    authentication: `jwt: { main: { ${RULES} } }`,
  })
  for (const space of ['\t', ' \t', '\t ', ',', '=', '"', '\u00a0'])
    assert.equal(
      (await get('/x', { authorization: `Bearer${space}${FORGED}` })).status,
      401,
      JSON.stringify(space),
    )
  assert.equal((await get('/x', { authorization: `Bearers ${FORGED}` })).status, 200)
  assert.deepEqual(
    sink.requestsSeen().map(({ headers }) => headers['authorization']),
    [`Bearers ${FORGED}`],
  )
})

test('row 54: of two cookies of one name nobody can say which one the service reads', async t => {
  const { sink, proxy, get } = await withGuard(t, {
    authenticate: '{ jwt: main, optional: on }',
    authentication: `jwt: { main: { ${RULES}, from: { cookie: ticket } } }`,
  })
  const good = await sharedToken({ sub: 'alice' })
  for (const cookie of [
    `ticket=${good}; ticket=${FORGED}`,
    `ticket=${FORGED}; ticket=${good}`,
    `ticket=${good};ticket =${FORGED}`,
    `ticket=${good};\tticket\t=${FORGED}`,
    `ticket =${FORGED}`,
    // No cookie-value by RFC 6265, and longer than browsers keep: most services read both.
    `ticket=${FORGED} x`,
    `ticket=${forge({ alg: 'HS256' }, { sub: 'admin', more: 'x'.repeat(4_000) })}`,
  ])
    assert.equal((await get('/x', { cookie })).status, 401, cookie.slice(0, 40))
  const two = `GET /x HTTP/1.1\r\nhost: a\r\ncookie: ticket=${good}\r\ncookie: ticket=${FORGED}\r\n\r\n`
  assert.equal((await proxy.ask(two)).status, 401)
  assert.equal((await get('/x', { cookie: `a=b; ticket=${good}; tickets=1` })).status, 200)
  assert.equal((await get('/x', { cookie: `Ticket=1; ticket` })).status, 200)
  assert.deepEqual(
    sink.requestsSeen().map(({ headers }) => headers['x-consumer-name']),
    ['main/alice', undefined],
  )
})

import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { guarded, withGuard } from '../harness/guarded.ts'
import { InProcess } from '../harness/in-process.ts'
import { KeyServer } from '../harness/identity-provider.ts'
import { reasonOf } from '../harness/problem.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'
import { SECRET, sharedToken, SigningKey } from '../harness/tokens.ts'
import { WsClient, WsServer } from '../harness/ws-peers.ts'

const KEY = new SigningKey('one')
const digest = (text: string): string => hash('sha256', text)

const SHARED = `jwt: { main: { issuer: off, audiences: off, secret: ${SECRET}, groups: roles, claimHeaders: { x-tenant: tenant } } }
apiKey: { clients: { header: x-api-key } }`
const EITHER = '{ anyOf: [jwt: main, apiKey: clients] }'
const CONSUMERS = `consumers:
  - { name: web, groups: [public, gold], jwt: { subject: web }, apiKeys: { sha256: ${digest('web-key')} } }
`
const inAnHour = (): number => Math.floor(Date.now() / 1000) + 3600
const bearer = async (claims: Record<string, unknown>) => ({
  authorization: `Bearer ${await sharedToken({ exp: inAnHour(), ...claims })}`,
})

async function issuerOf(t: TestContext): Promise<KeyServer> {
  const server = await KeyServer.start()
  t.after(() => server.stop())
  server.keys = [KEY.jwk]
  return server
}

test('tokens and keys say who calls: upstream, in the log and in the metric', async t => {
  const { sink, proxy, get } = await withGuard(t, {
    authenticate: EITHER,
    authentication: SHARED,
    top: CONSUMERS,
  })
  assert.equal((await get('/x', await bearer({ sub: 'web', tenant: 'acme' }))).status, 200)
  assert.equal((await get('/x', { 'x-api-key': 'web-key' })).status, 200)
  assert.equal((await get('/x', await bearer({ sub: 'älice', roles: ['ops'] }))).status, 200)
  assert.equal((await get('/open')).status, 200)
  const seen = sink
    .requestsSeen()
    .map(({ headers }) => [
      headers['x-consumer-name'],
      headers['x-consumer-groups'],
      headers['x-tenant'],
      headers['x-api-key'],
      headers['authorization'] !== undefined,
    ])
  assert.deepEqual(seen, [
    ['web', 'public,gold', 'acme', undefined, true],
    ['web', 'public,gold', undefined, undefined, false],
    [Buffer.from('main/älice').toString('latin1'), 'ops', undefined, undefined, true],
    [undefined, undefined, undefined, undefined, false],
  ])
  await proxy.accessLine(line => line['consumer'] === 'main/älice')
  const metrics = await proxy.metrics()
  assert.match(metrics, /^outrigger_consumer_requests_total\{consumer="web",route="app",class="2xx"\} 2$/m)
  assert.match(metrics, /^outrigger_tokens_total\{provider="main",result="checked"\} 2$/m)
})

test('a refusal is a problem with a challenge, and nothing goes upstream', async t => {
  const { sink, proxy, get } = await withGuard(t, {
    authenticate: EITHER,
    authentication: SHARED,
    top: CONSUMERS,
  })
  const missing = await get('/x')
  assert.equal(missing.status, 401)
  assert.equal(reasonOf(missing), 'credentials_missing')
  assert.equal(missing.headers['www-authenticate'], 'Bearer realm="outrigger", ApiKey realm="outrigger"')
  const invalid = await get('/x', {
    authorization: `Bearer ${await sharedToken({ exp: inAnHour() }, `${SECRET}x`)}`,
  })
  assert.equal(invalid.headers['www-authenticate'], 'Bearer realm="outrigger", error="invalid_token"')
  // In the query a token is no credential: it would stand in logs and histories.
  const { authorization } = await bearer({ sub: 'web' })
  const query = await get(`/x?access_token=${authorization.slice(7)}&x-api-key=web-key`)
  assert.equal(query.status, 401)
  assert.deepEqual(sink.requestsSeen(), [])
  const metrics = await proxy.metrics()
  assert.match(
    metrics,
    /^outrigger_consumer_requests_total\{consumer="anonymous",route="app",class="4xx"\} 3$/m,
  )
  const log = JSON.stringify(proxy.access)
  for (const secret of [authorization.slice(7), 'web-key']) assert.ok(!log.includes(secret))
})

test('a POST without credentials keeps the connection where its body is short', async t => {
  const { proxy } = await withGuard(t, { authenticate: EITHER, authentication: SHARED })
  const client = await proxy.connect()
  for (let i = 0; i < 2; i++) {
    const response = await client.ask('POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello')
    assert.equal(response.status, 401)
  }
  client.destroy()
})

test('keys are discovered with the first token, and kept', async t => {
  const issuer = await issuerOf(t)
  const authentication = `jwt: { main: { issuer: "${issuer.issuer}", audiences: shop } }`
  const { get } = await withGuard(t, { authenticate: '{ jwt: main }', authentication })
  const token = await KEY.sign({ iss: issuer.issuer })
  assert.deepEqual(issuer.asked, [])
  for (let i = 0; i < 3; i++)
    assert.equal((await get('/x', { authorization: `Bearer ${token}` })).status, 200)
  assert.deepEqual(issuer.asked, ['/.well-known/openid-configuration', '/jwks.json'])
})

test('a reload keeps what was verified, and a consumer that is gone is gone with it', async t => {
  const issuer = await issuerOf(t)
  const authentication = `jwt: { main: { issuer: off, audiences: off, jwks: { url: "${issuer.url}" } } }`
  const more = { authenticate: '{ jwt: main }', authentication }
  const consumers = 'consumers: [{ name: ops, groups: [admin], jwt: { subject: alice } }]\n'
  const { sink, proxy, get } = await withGuard(t, { ...more, top: consumers })
  const token = { authorization: `Bearer ${await KEY.sign()}` }
  const nameSeen = async (): Promise<string | undefined> => {
    assert.equal((await get('/x', token)).status, 200)
    return sink.requestsSeen().at(-1)?.headers['x-consumer-name']
  }
  assert.equal(await nameSeen(), 'ops')
  await proxy.apply(guarded(sink.port, more))
  assert.equal(await nameSeen(), 'main/alice')
  await proxy.apply(guarded(sink.port, { ...more, top: consumers.replace('ops', 'support') }))
  assert.equal(await nameSeen(), 'support')
  assert.equal(issuer.asked.length, 1)
  // Other settings are another provider: nothing that was verified by the old ones counts.
  const other = authentication.replace('audiences: off', 'audiences: another')
  await proxy.apply(guarded(sink.port, { ...more, authentication: other }))
  assert.equal((await get('/x', token)).status, 401)
  assert.equal(issuer.asked.length, 1)
})

test('row 49: a WebSocket is closed with 1008 when the token that opened it expires', async t => {
  const server = await WsServer.listen()
  const clock = new SteppedClock()
  const more = { authenticate: '{ jwt: main }', authentication: SHARED.split('\n')[0] ?? '' }
  const proxy = await InProcess.start(guarded(server.port, more), { clock })
  t.after(async () => {
    await server.close()
    await proxy.stop()
  })
  const token = await sharedToken({ sub: 'alice', exp: clock.wall() / 1000 + 60 })
  const client = await WsClient.open(proxy.port('in'), '/', { headers: { authorization: `Bearer ${token}` } })
  await proxy.step(59_000)
  await client.echo('x')
  await proxy.step(1_500)
  assert.deepEqual(await client.closed, { code: 1008, reason: 'the credential has expired' })
  await assert.rejects(WsClient.open(proxy.port('in'), '/'))
})

test('row 49: a page of others opens no WebSocket with the cookie of its visitor', async t => {
  const server = await WsServer.listen()
  const authentication = 'apiKey: { clients: { cookie: key } }'
  const more = {
    authenticate: '{ apiKey: clients }',
    authentication,
    top: CONSUMERS.replace(/jwt: .*?\}, /, ''),
  }
  const proxy = await InProcess.start(guarded(server.port, more))
  t.after(async () => {
    await server.close()
    await proxy.stop()
  })
  const opened = async (origin: string): Promise<boolean> => {
    const headers = { cookie: 'key=web-key', ...(origin === '' ? {} : { origin }) }
    try {
      const client = await WsClient.open(proxy.port('in'), '/', { headers })
      client.socket.close(1000)
      await client.closed
      return true
    } catch {
      return false
    }
  }
  assert.equal(await opened(''), true)
  assert.equal(await opened(`http://127.0.0.1:${proxy.port('in')}`), true)
  assert.equal(await opened('https://evil.example'), false)
})

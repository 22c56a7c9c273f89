// What upstreams get in place of the token that a caller brought (RFC 8693), over sockets.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { withGuard } from '../harness/guarded.ts'
import { reasonOf } from '../harness/problem.ts'
import { SteppedClock } from '../harness/stepped-clock.ts'
import { TokenEndpoint } from '../harness/token-endpoint.ts'
import { SECRET, sharedToken } from '../harness/tokens.ts'

async function fixture(t: TestContext, more = '', clock = new SteppedClock()) {
  const endpoint = await TokenEndpoint.start(t)
  const exchange = `{ url: "${endpoint.url}", clientId: edge, clientSecret: s3cret, audience: orders, scopes: [read, write] }`
  const { sink, proxy, get } = await withGuard(
    t,
    {
      authenticate: '{ jwt: main, optional: on }',
      authentication: `jwt: { main: { issuer: off, audiences: off, secret: ${SECRET}, skew: 1s, exchange: ${exchange}, ${more} } }`,
    },
    { clock },
  )
  const bearer = async (sub: string, seconds = 3600) => ({
    authorization: `Bearer ${await sharedToken({ sub, exp: Math.floor(clock.wall() / 1000) + seconds })}`,
  })
  const upstream = (): (string | undefined)[] =>
    sink.requestsSeen().map(({ headers }) => headers['authorization'])
  return { endpoint, sink, proxy, get, bearer, upstream, clock }
}

test('upstreams get what the token is exchanged for: asked for once, and again before it ends', async t => {
  const { endpoint, proxy, get, bearer, upstream } = await fixture(t)
  const alice = await bearer('alice')
  const answers = await Promise.all(Array.from({ length: 20 }, () => get('/x', alice)))
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
  assert.deepEqual(new Set(upstream()), new Set(['Bearer for-alice-1']))
  assert.deepEqual(endpoint.asked, [
    {
      authorization: `Basic ${Buffer.from('edge:s3cret').toString('base64')}`,
      form: {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: alice.authorization.slice(7),
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        audience: 'orders',
        scope: 'read write',
      },
    },
  ])
  await get('/x', await bearer('bob'))
  assert.equal(upstream().at(-1), 'Bearer for-bob-2')
  await proxy.step(89_000, 1000)
  await get('/x', alice)
  assert.equal(upstream().at(-1), 'Bearer for-alice-1')
  await proxy.step(1_000, 1000)
  await get('/x', alice)
  assert.equal(upstream().at(-1), 'Bearer for-alice-3')
  // Nobody's request has no token, and what is not accepted is not exchanged.
  assert.equal((await get('/x')).status, 200)
  assert.equal(upstream().at(-1), undefined)
  assert.equal((await get('/x', { authorization: 'Bearer x.y.z' })).status, 401)
  assert.equal(endpoint.asked.length, 3)
  assert.match(await proxy.metrics(), /outrigger_token_exchanges_total\{provider="main",result="asked"\} 3$/m)
})

test('it is not kept past the end of what it was exchanged for, nor where its end is not said', async t => {
  const { endpoint, proxy, get, bearer, upstream } = await fixture(t, 'types: [JWT]')
  const brief = await bearer('brief', 20)
  await get('/x', brief)
  await proxy.step(21_000, 1000)
  assert.equal((await get('/x', brief)).status, 401)
  endpoint.more = {}
  const long = await bearer('long')
  await get('/x', long)
  await proxy.step(49_000, 1000)
  await get('/x', long)
  await proxy.step(1_000, 1000)
  await get('/x', long)
  assert.deepEqual(upstream(), [
    'Bearer for-brief-1',
    'Bearer for-long-2',
    'Bearer for-long-2',
    'Bearer for-long-3',
  ])
})

test('a token in a field of its own does not travel beside it', async t => {
  const { get, bearer, sink } = await fixture(t, 'from: { header: x-token }')
  const { authorization } = await bearer('alice')
  assert.equal(
    (await get('/x', { 'x-token': authorization.slice(7), authorization: 'Basic Zm9v' })).status,
    200,
  )
  const [seen] = sink.requestsSeen()
  assert.deepEqual(
    [seen?.headers['authorization'], seen?.headers['x-token']],
    ['Bearer for-alice-1', undefined],
  )
})

test('without a token for it nothing goes upstream, and why stands in the log', async t => {
  const { endpoint, proxy, get, bearer, upstream } = await fixture(t)
  const cases: [
    instead: TokenEndpoint['instead'],
    more: Record<string, unknown>,
    status: number,
    cause: RegExp,
  ][] = [
    [{ status: 400, json: { error: 'invalid_request' } }, {}, 401, /not exchanged: invalid_request/],
    [{ status: 400, json: { error: 'invalid_target' } }, {}, 503, /invalid_target/],
    [{ status: 401, json: { error: 'invalid_client' } }, {}, 503, /invalid_client/],
    [{ status: 400, json: { error: '<b>' } }, {}, 401, /not exchanged: status 400/],
    [{ status: 404, json: {} }, {}, 503, /status 404/],
    [{ status: 302, json: {} }, {}, 503, /a redirect/],
    [null, { token_type: 'N_A' }, 503, /another type/],
    [null, { token_type: undefined }, 503, /another type/],
    [null, { access_token: 'a b' }, 503, /no token in the answer/],
    [null, { access_token: undefined }, 503, /no token in the answer/],
    [{ status: 500, json: {} }, {}, 503, /status 500/],
  ]
  for (const [index, [instead, more, status, cause]] of cases.entries()) {
    Object.assign(endpoint, { instead, more })
    const answer = await get(`/${index}`, await bearer(`user-${index}`))
    assert.equal(answer.status, status, String(cause))
    assert.equal(reasonOf(answer), status === 401 ? 'credentials_invalid' : 'identity_provider_unavailable')
    const line = await proxy.accessLine(({ path }) => path === `/${index}`)
    assert.match(JSON.stringify(line['cause']), cause)
    // What was good before a pause begins again after it.
    await proxy.step(1_000)
  }
  assert.deepEqual(upstream(), [])
  assert.doesNotMatch(JSON.stringify([proxy.access, proxy.errors]), /s3cret|eyJ|<b>/)
  Object.assign(endpoint, { instead: null, more: {} })
  assert.equal((await get('/x', await bearer('alice'))).status, 200)
})

test('a silent endpoint costs two seconds, and after five failures nobody waits', async t => {
  const { endpoint, proxy, get, bearer } = await fixture(t)
  endpoint.instead = 'silence'
  const asked = Promise.all(
    (await Promise.all(['a', 'b', 'c', 'd', 'e'].map(name => bearer(name)))).map(fields => get('/x', fields)),
  )
  await proxy.until('the questions', () => endpoint.asked.length === 5)
  await proxy.step(2_200)
  assert.deepEqual(
    (await asked).map(({ status }) => status),
    [503, 503, 503, 503, 503],
  )
  assert.equal((await get('/x', await bearer('f'))).status, 503)
  assert.equal(endpoint.asked.length, 5)
  endpoint.instead = null
  await proxy.step(1_100)
  assert.equal((await get('/x', await bearer('f'))).status, 200)
})

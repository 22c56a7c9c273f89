import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { explain } from './explain.ts'

const folder = mkdtempSync(join(tmpdir(), 'outrigger-explain-'))
after(() => rmSync(folder, { recursive: true }))

const EDGE = `version: 1
service: shop
listeners:
  - name: public
    role: edge
    address: ":8000"
    timeout: 5s
    routes:
      - name: order
        match: { path: "/orders/{id}", methods: GET }
        upstream: app
        rewrite: { path: "/v2/{id}" }
        headers: { request: { set: { authorization: "Bearer hidden", x-shop: a } } }
      - { name: web, match: { host: shop.example }, respond: { status: 201, body: hi } }
      - { name: old, match: { path: /old }, redirect: { to: /new } }
      - { name: api, match: { path: /api }, upstream: app, cors: { origins: https://a.example }, requestSize: 1KiB }
upstreams:
  app: { url: "http://10.0.0.1:8080/base" }
`
writeFileSync(join(folder, 'edge.yaml'), EDGE)
writeFileSync(join(folder, 'edge.production.yaml'), 'defaults: { retry: off }\n')
const edge = join(folder, 'edge.yaml')

async function run(...args: string[]) {
  let stdout = ''
  let stderr = ''
  const code = await explain.run(args, {
    stdout: text => (stdout += text),
    stderr: text => (stderr += text),
  })
  return { code, stdout, stderr }
}

/** What the JSON of a request says. */
async function explained(...args: string[]): Promise<unknown> {
  const { code, stdout, stderr } = await run('-c', edge, '--format', 'json', ...args)
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout)
}

test('the text says request, route, policies with their places, decision and upstream', async () => {
  const { code, stdout } = await run(
    '-c',
    edge,
    '--env',
    'production',
    'GET',
    'https://A.example/x/../orders/7?q',
  )
  assert.equal(code, 0)
  for (const line of [
    /^layers +\S+edge\.yaml, \S+edge\.production\.yaml$/m,
    /^request +GET https:\/\/a\.example\/orders\/7\?q$/m,
    /^listener +public, edge \(\S+edge\.yaml:4\)$/m,
    /^route +order \(\S+edge\.yaml:9\)$/m,
    /^ +\{id\} = 7$/m,
    /^ {2}order +chosen: the most specific that matches$/m,
    /^ {2}web +no: host a\.example is not shop\.example$/m,
    /^ {2}old +no: path \/orders\/7 is not \/old or below$/m,
    /^ {2}timeout +total 5s, idle 5m, from: listener \(\S+edge\.yaml:7\)$/m,
    /^ {2}retry +off, from: defaults \(\S+edge\.production\.yaml:1\)$/m,
    /^ {2}requestSize +1MiB, from: default of the role edge$/m,
    /^decision +forwarded to the upstream app$/m,
    /^ {2}target +\/base\/v2\/7\?q$/m,
    /^ {2}host +a\.example$/m,
    /^ {2}served by +10\.0\.0\.1:8080 \(least-request\)$/m,
    /^ {2}header +x-shop: a$/m,
    /^ {2}header +authorization: \*\*\*$/m,
  ])
    assert.match(stdout, line)
  assert.doesNotMatch(stdout, /hidden/)
})

test('the JSON says the same', async () => {
  assert.partialDeepStrictEqual(await explained('GET', 'http://a.example/orders/7', '-H', 'Cookie: a=b'), {
    address: ':8000',
    request: { method: 'GET', scheme: 'http', host: 'a.example', path: '/orders/7' },
    listener: { name: 'public', role: 'edge' },
    route: { name: 'order', params: { id: '7' } },
    decision: { kind: 'upstream', status: null, reason: '' },
    upstream: { name: 'app', target: '/base/v2/7', host: 'a.example', endpoints: ['10.0.0.1:8080'] },
  })
})

test('a route behind another says so', async () => {
  assert.partialDeepStrictEqual(await explained('GET', 'http://shop.example/orders/7'), {
    route: { name: 'web' },
    routes: [{ name: 'order', outcome: 'matches', why: 'web is more specific' }, { outcome: 'chosen' }],
    decision: { kind: 'respond', status: 201 },
    upstream: null,
  })
})

test('refusals come from where the wire has them', async () => {
  for (const [args, status, reason] of [
    [['GET', 'http://a/%2f'], 400, 'bad_path'],
    [['GET', '/orders/7'], 400, 'bad_request'],
    [['POST', 'http://a/orders/7'], 405, 'method_not_allowed'],
    [['GET', 'http://a/nowhere'], 404, 'no_route'],
    [['GET', 'http://a/api', '-H', 'x_y: 1'], 400, 'bad_request'],
    [['POST', 'http://a/api', '-H', 'content-length: 1025'], 413, 'request_too_large'],
    [
      ['POST', 'http://a/api', '-H', 'content-length: 1', '-H', 'transfer-encoding: chunked'],
      400,
      'bad_request',
    ],
    [['POST', 'http://a/api', '-H', 'connection: upgrade', '-H', 'upgrade: websocket'], 400, 'bad_request'],
    [['BREW', 'http://a/api'], 501, 'method_unknown'],
    [['GET', `http://a/${'x'.repeat(9000)}`], 414, 'uri_too_long'],
  ] as const) {
    const report = await explained(...args)
    assert.partialDeepStrictEqual(report, { decision: { kind: 'refused', status, reason } }, args.join(' '))
  }
  assert.partialDeepStrictEqual(await explained('POST', 'http://a/orders/7'), {
    decision: { text: 'refused with 405 method_not_allowed (allow: GET, HEAD)' },
  })
  assert.partialDeepStrictEqual(
    await explained('POST', 'http://a/shop.Users/Get', '-H', 'content-type: application/grpc'),
    { decision: { text: 'refused with 404 no_route; as a call: 12 unimplemented' } },
  )
})

test('a redirect and the answer of a filter are decisions too', async () => {
  assert.partialDeepStrictEqual(await explained('GET', '/old', '-H', 'host: b'), {
    decision: { kind: 'redirect', status: 308, text: 'redirected with 308 to /new' },
  })
  const preflight = ['-H', 'origin: https://a.example', '-H', 'access-control-request-method: GET']
  assert.partialDeepStrictEqual(await explained('OPTIONS', 'http://a/api', ...preflight), {
    route: { name: 'api' },
    decision: { kind: 'answered', status: 204 },
  })
})

const RESILIENT = `version: 1
service: shop
listeners:
  - name: public
    role: edge
    address: ":8000"
    retry: { count: 2, budget: { percent: 10, min: 1 } }
    routes:
      - name: users
        match: { path: "/users/{id}" }
        split: { by: [{ header: x-tenant }, address], to: { users: 95, next: 5 }, pin: { cookie: side } }
        fallback: users
      - name: drawn
        match: { path: /drawn }
        split: { by: { header: x-tenant }, to: { users: 1, next: 3 } }
      - name: orders
        match: { path: /orders }
        upstream: carts
        timeout: { total: 2s, perTry: 500ms, header: x-timeout-ms }
        retry: { hedge: { after: 100ms }, statuses: [5xx, 409, 503, unavailable], headers: X-Again }
        mirror: { upstream: next, percent: 10 }
        fault: { delay: 200ms, status: 503, percent: 50, header: { authorization: secret } }
        affinity: { cookie: og, maxAge: 1h }
        fallback: { respond: { status: 200, headers: { x-api-key: secret }, body: [] } }
upstreams:
  users: { url: "http://users:8080", outlierDetection: off, healthCheck: { tcp: on } }
  next: { url: "http://next:8080", circuitBreaker: { failureRatio: 0.25, scope: endpoint } }
  carts:
    endpoints: [{ address: "carts-1:80", zone: a, priority: 1, weight: 2 }, "carts-2:80"]
    loadBalance: { policy: maglev, by: [{ cookie: session }, consumer], zone: a, slowStart: 30s, panicPercent: off }
    healthCheck: { path: /healthz, statuses: [200, 204], interval: 5s }
    outlierDetection: { successRate: on, latency: on, consecutiveErrors: off }
    circuitBreaker: on
    limits: { inFlight: 100, connections: 50, retries: 5, adaptive: { min: 4 } }
`
const resilient = join(folder, 'resilient.yaml')
writeFileSync(resilient, RESILIENT)

test('policies and settings of resilience are said in words, without secrets', async () => {
  const { code, stdout } = await run(
    '-c',
    resilient,
    'GET',
    'http://a/orders',
    '-H',
    'cookie: session=hidden',
  )
  assert.equal(code, 0)
  for (const line of [
    /^ {2}timeout +total 2s, per try 500ms, idle 5m, shortened by x-timeout-ms, from: route/m,
    /^ {2}retry +up to 2: what was never processed; GET, HEAD, OPTIONS, PUT, DELETE after 500 to 599, 409, gRPC unavailable, the header x-again or no answer; pause up to 25ms, then 250ms; budget 10%, at least 1; body up to 64KiB; a second try beside the first after 100ms, from: listener \(\S+:7\) \+ route \(\S+:20\)$/m,
    /^ {2}mirror +10% to next, from/m,
    /^ {2}fault +50%: wait 200ms, then answer 503, only with authorization: \*\*\*, from/m,
    /^ {2}affinity +cookie og, for 1h, from/m,
    /^ {2}fallback +answer 200, from/m,
    /^decision +forwarded to the upstream carts$/m,
    /^ {2}served by carts-1:80 \(weight 2, zone a, priority 1\), carts-2:80 \(maglev\)$/m,
    /^ {2}hashed +cookie session$/m,
    /^ {2}balanced +maglev by cookie session, consumer; zone a first; slow start 30s; no panic$/m,
    /^ {2}checked +GET \/healthz for 200, 204 every 5s, 1s at most; unhealthy after 3, healthy after 2$/m,
    /^ {2}ejection +success 1\.9 deviations below the others or 3 times the median latency; for 30s each time, at most 5m and 10% of the endpoints$/m,
    /^ {2}breaker +5 failures in a row; open for 30s, then 1 probe$/m,
    /^ {2}limits +100 in flight, 256 waiting, 50 connections, 5 retries, adaptive from 4$/m,
  ])
    assert.match(stdout, line)
  const json = await run('-c', resilient, '--format', 'json', 'GET', 'http://a/orders')
  assert.doesNotMatch(json.stdout, /secret|hidden/)
  assert.match(json.stdout, /"hashed": "consumer 127\.0\.0\.1"/)
})

test('a split says which side and why', async () => {
  for (const [path, cookie, text] of [
    ['/users/1', 'side=next', /^decision +forwarded to the upstream next: the side that cookie side names$/m],
    [
      '/users/1',
      'side=none',
      /^decision +forwarded to the upstream \w+: (95|5)% of the split, by address 127\.0\.0\.1$/m,
    ],
    [
      '/drawn',
      'a=b',
      /^decision +forwarded to the upstream \w+: (25|75)% of the split, drawn: the request has no header x-tenant$/m,
    ],
  ] as const) {
    const { stdout } = await run('-c', resilient, 'GET', `http://a${path}`, '-H', `cookie: ${cookie}`)
    assert.match(stdout, text)
  }
  const named = await run('-c', resilient, 'GET', 'http://a/users/1', '-H', 'cookie: side=next')
  assert.match(
    named.stdout,
    /^ {2}breaker +25% failures of 20 requests or more in 10s; open for 30s, then 1 probe; each endpoint its own$/m,
  )
  const other = await run('-c', resilient, 'GET', 'http://a/users/1', '-H', 'cookie: side=users')
  assert.match(other.stdout, /^ {2}checked +a connection every 10s, 1s at most/m)
  assert.match(other.stdout, /^ {2}ejection +off$/m)
  assert.match(other.stdout, /^ {2}fallback +the upstream users, from/m)
})

test('where several addresses serve the host, the listener has to be named', async () => {
  const file = join(folder, 'sidecar.yaml')
  writeFileSync(
    file,
    `version: 1
service: orders
listeners:
  - { name: inbound, role: inbound, address: ":8080", upstream: app }
  - { name: outbound, role: outbound, address: "127.0.0.1:15001", upstreams: [users] }
upstreams: { app: { url: "http://127.0.0.1:3000" }, users: { url: "http://users:8080" } }
`,
  )
  const unnamed = await run('-c', file, 'GET', 'http://users/1')
  assert.equal(unnamed.code, 2)
  assert.match(unnamed.stderr, /say --listener \(inbound, outbound\)/)
  const named = await run('-c', file, '--listener', 'outbound', 'GET', 'http://users/1')
  assert.match(named.stdout, /^ {2}host +users:8080$/m)
  const wrong = await run('-c', file, '--listener', 'outbond', 'GET', 'http://users/1')
  assert.equal(wrong.code, 2)
  const unknown = await run('-c', file, '--listener', 'outbound', 'GET', 'http://nobody/1')
  assert.match(unknown.stdout, /^decision +refused with 502 unknown_host$/m)
})

test('wrong usage is exit code 2, a wrong configuration 1', async () => {
  for (const args of [
    [],
    ['GET'],
    ['GET', 'http://a/', 'more'],
    ['GET', 'http://a/', '-H', 'no colon'],
    ['GET', 'http://a/', '-H', 'a: b\r\nc: d'],
    ['GET', 'http://a/ b'],
    ['GET', 'ftp://a/'],
    ['CONNECT', 'http://a/'],
    ['GET', 'http://a/', '--format', 'xml'],
    ['GET', 'http://a/', '--nonsense'],
  ]) {
    const { code, stdout } = await run('-c', edge, ...args)
    assert.equal(code, 2, args.join(' '))
    assert.equal(stdout, '')
  }
  const missing = await run('-c', join(folder, 'missing.yaml'), 'GET', 'http://a/')
  assert.equal(missing.code, 1)
  assert.match(missing.stderr, /1 error in the configuration/)
})

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
    /^ {2}timeout +\{"total":5000,"idle":300000\}, from: listener \(\S+edge\.yaml:7\)$/m,
    /^ {2}retry +off, from: defaults \(\S+edge\.production\.yaml:1\)$/m,
    /^ {2}requestSize +1048576, from: default of the role edge$/m,
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
  for (const name of ['as', 'claims', 'peer']) {
    const { code, stderr } = await run('-c', edge, 'GET', 'http://a/', `--${name}`, 'x')
    assert.equal(code, 2)
    assert.equal(stderr, `outrigger explain: --${name} is not supported yet\n`)
  }
  const missing = await run('-c', join(folder, 'missing.yaml'), 'GET', 'http://a/')
  assert.equal(missing.code, 1)
  assert.match(missing.stderr, /1 error in the configuration/)
})

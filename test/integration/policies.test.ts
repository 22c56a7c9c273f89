import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { HttpUpstream, mirror, seenBy } from '../harness/http-upstream.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { askOnce } from '../harness/raw-client.ts'
import type { WireResponse } from '../harness/strict-http.ts'

const SHOP = 'https://shop.example'

let upstream: HttpUpstream
let outrigger: Outrigger
before(async () => {
  upstream = await HttpUpstream.listen((request, response) => {
    response.setHeader('server', 'app/1.0')
    response.setHeader('set-cookie', ['a=1', 'b=2'])
    response.setHeader('access-control-allow-origin', '*')
    mirror(request, response)
  })
  outrigger = await Outrigger.start(`version: 1
service: policies
admin: { address: "127.0.0.1:0" }
upstreams: { app: { url: "http://127.0.0.1:${upstream.port}/base" } }
defaults:
  headers: { response: { set: { x-content-type-options: nosniff } } }
listeners:
  - name: in
    role: edge
    address: 127.0.0.1:0
    routes:
      - { name: cors, match: { path: /cors, methods: [GET, PUT] }, upstream: app,
          cors: { origins: ["${SHOP}"], methods: [GET, PUT], headers: [x-note], expose: [x-total], credentials: on, maxAge: 10m } }
      - name: edits
        match: { path: "/edits/{id}" }
        upstream: app
        headers:
          request: { set: { x-id: "{id}", user-agent: edge }, add: { x-more: one }, remove: x-gone }
          response: { set: { x-said: "{id}" }, remove: server }
      - { name: strip, match: { path: /api }, upstream: app, rewrite: { stripPrefix: /api } }
      - { name: path, match: { path: "/v1/items/{id}/**" }, upstream: app, rewrite: { path: "/items/{id}", host: items.example } }
      - { name: moved, match: { path: "/old/{id}" }, redirect: { to: "/new/{id}" } }
      - { name: secure, match: { host: plain.example }, redirect: { to: "https://{request.host}{request.uri}", status: 301 } }
      - { name: text, match: { path: { exact: /text } }, respond: { status: 203, headers: { x-own: "yes" }, body: "plain words" } }
      - { name: json, match: { path: { exact: /json }, methods: GET }, respond: { body: { users: [1, 2] } } }
`)
})
after(async () => {
  await outrigger.stop('SIGINT')
  await upstream.close()
})

function ask(method: string, target: string, fields: readonly string[] = []): Promise<WireResponse> {
  const named = fields.some(field => /^host:/i.test(field)) ? fields : ['host: a', ...fields]
  const head = [`${method} ${target} HTTP/1.1`, ...named].join('\r\n')
  return askOnce(outrigger.port('in'), `${head}\r\n\r\n`, { method })
}
const reasonOf = (response: WireResponse): unknown =>
  (JSON.parse(response.body.toString()) as { reason: unknown }).reason

test('a preflight is answered here, an origin that is not allowed is refused', async () => {
  const fields = ['access-control-request-method: PUT', 'access-control-request-headers: x-note']
  const allowed = await ask('OPTIONS', '/cors', [`origin: ${SHOP}`, ...fields])
  assert.equal(allowed.status, 204)
  assert.equal(allowed.headers['access-control-allow-origin'], SHOP)
  assert.equal(allowed.headers['access-control-allow-methods'], 'GET, PUT')
  assert.equal(allowed.headers['access-control-allow-credentials'], 'true')
  assert.equal(allowed.headers['access-control-max-age'], '600')
  assert.match(allowed.headers['vary'] ?? '', /origin/i)
  assert.equal(allowed.headers['content-length'], undefined)

  const foreign = await ask('OPTIONS', '/cors', ['origin: https://evil.example', ...fields])
  assert.equal(foreign.status, 403)
  assert.equal(reasonOf(foreign), 'cors_refused')
  assert.equal(foreign.headers['access-control-allow-origin'], undefined)
})

test("a response to another origin gets our fields instead of the service's", async () => {
  const response = await ask('GET', '/cors', [`origin: ${SHOP}`])
  assert.equal(response.headers['access-control-allow-origin'], SHOP)
  assert.match(response.headers['access-control-expose-headers'] ?? '', /x-total/)
  const foreign = await ask('GET', '/cors', ['origin: https://evil.example'])
  assert.equal(foreign.headers['access-control-allow-origin'], undefined)
  assert.match(foreign.headers['vary'] ?? '', /origin/i)
})

test('headers are set, added and removed on both ways, and those of the defaults stay', async () => {
  const response = await ask('GET', '/edits/4%202', ['x-gone: 1', 'x-more: zero', 'user-agent: test'])
  const seen = seenBy(response.body)
  assert.equal(seen.headers['x-id'], '4 2')
  assert.equal(seen.headers['user-agent'], 'edge')
  assert.equal(seen.headers['x-more'], 'zero, one')
  assert.equal(seen.headers['x-gone'], undefined)
  assert.equal(response.headers['x-said'], '4 2')
  assert.equal(response.headers['server'], undefined)
  assert.equal(response.headers['x-content-type-options'], 'nosniff')
  const cookies = response.raw.filter(([name]) => name.toLowerCase() === 'set-cookie')
  assert.deepEqual(
    cookies.map(([, value]) => value),
    ['a=1', 'b=2'],
  )
})

test('paths and hosts are rewritten, the query stays', async () => {
  const targetOf = async (target: string): Promise<string> => seenBy((await ask('GET', target)).body).target
  assert.equal(await targetOf('/api/orders?x=%20'), '/base/orders?x=%20')
  assert.equal(await targetOf('/api'), '/base/')
  const rewritten = seenBy((await ask('GET', '/v1/items/a%20b/c?q')).body)
  assert.equal(rewritten.target, '/base/items/a%20b?q')
  assert.equal(rewritten.headers['host'], 'items.example')
})

test('redirects', async () => {
  const moved = await ask('POST', '/old/7?x')
  assert.equal(moved.status, 308)
  assert.equal(moved.headers['location'], '/new/7')
  assert.equal(moved.headers['x-content-type-options'], 'nosniff')
  const secure = await ask('GET', '/a?b=c', ['host: plain.example'])
  assert.equal(secure.status, 301)
  assert.equal(secure.headers['location'], 'https://plain.example/a?b=c')
})

test('responses of our own', async () => {
  const text = await ask('GET', '/text')
  assert.equal(text.status, 203)
  assert.equal(text.headers['x-own'], 'yes')
  assert.equal(text.headers['content-type'], 'text/plain; charset=utf-8')
  assert.equal(text.body.toString(), 'plain words')
  const json = await ask('GET', '/json')
  assert.equal(json.headers['content-type'], 'application/json')
  assert.deepEqual(JSON.parse(json.body.toString()), { users: [1, 2] })
  const head = await ask('HEAD', '/json')
  assert.equal(head.headers['content-length'], String(json.body.length))
})

test('what no route takes: 404, 405 with Allow, 501', async () => {
  const none = await ask('GET', '/nosuch')
  assert.equal(none.status, 404)
  assert.equal(none.headers['content-type'], 'application/problem+json')
  assert.equal(reasonOf(none), 'no_route')
  const method = await ask('DELETE', '/json')
  assert.equal(method.status, 405)
  assert.equal(reasonOf(method), 'method_not_allowed')
  assert.equal(method.headers['allow'], 'GET, HEAD')
  assert.equal((await ask('DELETE', '/cors')).headers['allow'], 'GET, HEAD, PUT')
  assert.equal((await ask('BREW', '/json')).status, 501)
})

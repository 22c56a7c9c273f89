import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { explanation } from '../../sidecar/commands/explanation.ts'
import { compileUnopened, judge } from '../../sidecar/commands/judge.ts'
import type { Decision, Judgement, UnopenedUpstream } from '../../sidecar/commands/judge.ts'
import { loadConfig } from '../../sidecar/config/load/load.ts'
import type { ResolvedConfig } from '../../sidecar/config/resolved.ts'
import type { HeaderList } from '../../sidecar/exchange/headers.ts'
import type { Entry } from '../../sidecar/snapshot/snapshot.ts'
import { caseCount, RandomSource, seed } from '../fuzz/random-source.ts'
import { Outrigger } from '../harness/outrigger.ts'
import { RawClient } from '../harness/raw-client.ts'
import type { WireResponse } from '../harness/strict-http.ts'
import { type Case, makeCase } from './explain-cases.ts'

const CONNECTIONS = 8

/** What an upstream got: the target, the Host and the other fields, as it answers them. */
interface Seen {
  readonly target: string
  readonly host: string
  readonly headers: readonly (readonly [string, string])[]
}

const upstream = http.createServer((request, response) => {
  const headers: [string, string][] = []
  for (let i = 0; i < request.rawHeaders.length; i += 2)
    headers.push([(request.rawHeaders[i] ?? '').toLowerCase(), request.rawHeaders[i + 1] ?? ''])
  const seen: Seen = { target: request.url ?? '', host: request.headers.host ?? '', headers }
  request.resume().on('end', () => response.end(JSON.stringify(seen)))
})

let outrigger: Outrigger
let config: ResolvedConfig

before(async () => {
  upstream.listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  // A server that listens on TCP has an address of this form.
  const { port } = upstream.address() as AddressInfo
  outrigger = await Outrigger.start(yaml(port))
  const loaded = loadConfig([path.join(outrigger.folder, 'sidecar.yaml')], { secrets: true })
  assert.ok(loaded.ok)
  config = loaded.config
})

after(async () => {
  await outrigger.stop('SIGINT')
  upstream.closeAllConnections()
  upstream.close()
})

/** Three listeners, one a role. Every response of a route names it, those that refuse included. */
function yaml(port: number): string {
  const route = (name: string, rest: string): string =>
    `      - { name: ${name}, headers: { response: { set: { x-route: ${name} } } }, ${rest} }`
  return `version: 1
service: explain
admin: { address: "127.0.0.1:0" }
telemetry: { accessLog: { write: off } }
upstreams:
  app: { url: "http://127.0.0.1:${port}/base" }
  users: { url: "http://localhost:${port}" }
  spare: { url: "http://127.0.0.1:${port}/spare", circuitBreaker: on, limits: { inFlight: 2000 } }
listeners:
  - name: in
    role: inbound
    address: "127.0.0.1:0"
    trustedProxies: [127.0.0.1]
    routes:
${[
  route('all', 'match: { path: / }, respond: { body: x }'),
  route('api', 'match: { path: /api }, upstream: app, rewrite: { stripPrefix: /api }'),
  route('api-write', 'match: { path: /api, methods: [POST, PUT] }, upstream: app, requestSize: 1KiB'),
  route(
    'user',
    'match: { path: "/users/{id}", methods: [GET] }, upstream: app, rewrite: { path: "/u/{id}" }',
  ),
  route('user-below', 'match: { path: "/users/{id}/**" }, respond: { status: 203 }'),
  route('me', 'match: { path: { exact: /users/me } }, upstream: users, upgrade: off'),
  route('regex', 'match: { path: { regex: "/v[12]/(?P<rest>.*)" } }, redirect: { to: "/v3/{rest}" }'),
  route('shop', 'match: { host: shop.example }, respond: { status: 206 }'),
  route('wild', 'match: { host: "*.shop.example", path: /api }, upstream: users, rewrite: { host: inner }'),
  route('port', 'match: { host: "shop.example:8443", path: /api }, respond: { status: 202 }'),
  route('beta', 'match: { path: /api, headers: { x-beta: { prefix: "1" } } }, respond: { status: 201 }'),
  route('page', 'match: { path: /api, query: { page: "2" }, priority: 3 }, upstream: app'),
  // The sides differ by the base path of `app`, so that a wrong one shows.
  route(
    'split',
    'match: { path: /split }, split: { by: [{ header: x-tenant }, path], to: { app: 60, users: 40, spare: 0 }, pin: { cookie: side } }',
  ),
  route('cors', 'match: { path: /cors }, upstream: app, cors: { origins: "https://a.example" }'),
].join('\n')}
  - name: edge
    role: edge
    address: "127.0.0.1:0"
    hosts: [shop.example, "*.shop.example"]
    routes:
${[
  route('edge-api', 'match: { path: [/api, "/users/{id}"] }, upstream: app'),
  route(
    'edge-get',
    'match: { path: /v1, methods: GET }, redirect: { to: "https://{request.host}{request.uri}" }',
  ),
].join('\n')}
  - name: out
    role: outbound
    address: "127.0.0.1:0"
    routes:
${[
  route('out-users', 'match: { host: users }, upstream: users'),
  route('out-app', 'match: { host: ["*.shop.example", app], path: [/api, /v1] }, upstream: app'),
].join('\n')}
`
}

/** What is compared: the same of what was explained and of what came over the wire. */
interface Verdict {
  readonly route: string
  readonly status: number
  /** Reason code, or where a redirect leads. */
  readonly more: string
  readonly allow: string
  readonly seen: Seen | null
}

function explainedVerdict({ route, decision, exchange }: Judgement): Verdict {
  const verdict = { route: route?.name ?? '', status: statusOf(decision), more: '', allow: '', seen: null }
  if (decision.kind === 'refused') {
    const allow = fieldOf(decision.error.headers ?? [], 'allow')
    return { ...verdict, more: decision.error.reason, allow }
  }
  if (decision.kind === 'redirect') return { ...verdict, more: decision.location }
  if (decision.kind !== 'upstream' || exchange === null) return verdict
  const { target, host } = decision
  return { ...verdict, seen: { target, host, headers: comparable(pairs(exchange.upstreamHeaders)) } }
}

function statusOf(decision: Decision): number {
  if (decision.kind === 'refused') return decision.error.status
  return decision.kind === 'upstream' ? 200 : decision.status
}

/** @param expected what a response to HEAD cannot say is taken from there */
function wireVerdict(response: WireResponse, head: boolean, expected: Verdict): Verdict {
  const body: unknown =
    response.body.length > 0 && response.body.toString() !== 'x' ? JSON.parse(response.body.toString()) : {}
  assert.ok(typeof body === 'object' && body !== null)
  // The upstream above writes what it has seen.
  const seen = 'target' in body ? (body as Seen) : null
  const reason = 'reason' in body && typeof body.reason === 'string' ? body.reason : ''
  return {
    route: response.headers['x-route'] ?? '',
    status: response.status,
    more:
      head && response.headers['location'] === undefined
        ? expected.more
        : (response.headers['location'] ?? reason),
    allow: response.headers['allow'] ?? '',
    seen: seen === null ? (head ? expected.seen : null) : { ...seen, headers: comparable(seen.headers) },
  }
}

/** Fields as they arrive, without those that the codec writes, and with fresh request ids alike. */
function comparable(headers: readonly (readonly [string, string])[]): [string, string][] {
  const own = new Set(['host', 'connection', 'upgrade', 'content-length', 'transfer-encoding'])
  return headers
    .filter(([name]) => !own.has(name))
    .map(([name, value]) => [name, name === 'x-request-id' && value !== 'mine' ? 'fresh' : value])
}

function pairs(headers: HeaderList): [string, string][] {
  return Array.from({ length: headers.length / 2 }, (_, i) => [
    headers[2 * i] ?? '',
    headers[2 * i + 1] ?? '',
  ])
}

function fieldOf(headers: HeaderList, name: string): string {
  return pairs(headers).find(([one]) => one === name)?.[1] ?? ''
}

test('the wire does what explain says, for thousands of random requests', { timeout: 60_000 }, async () => {
  const compiled = await compileUnopened(config)
  const entryOf = (listener: string): Entry<UnopenedUpstream> => {
    const entry = [...compiled.entries.values()].find(one => one.listeners[0]?.name === listener)
    assert.ok(entry)
    return entry
  }
  const random = new RandomSource(seed())
  const cases = Array.from({ length: caseCount(10_000) }, () => makeCase(random))
  const kinds = new Map<string, number>()
  const sides = new Set<string>()
  let next = 0
  const open = new Set<RawClient>()
  const work = async (): Promise<void> => {
    const clients = new Map<string, RawClient>()
    for (let number = next++; number < cases.length; number = next++) {
      const { listener, head, body } = cases[number] as Case // below the length
      const entry = entryOf(listener)
      const judgement = await judge(entry, { head, encrypted: false, peer: '127.0.0.1' })
      const expected = explainedVerdict(judgement)
      if (number % 50 === 0) checkWords(entry, judgement)
      const client = clients.get(listener) ?? (await RawClient.connect(outrigger.port(listener)))
      clients.set(listener, client)
      open.add(client)
      const method = head.slice(0, head.indexOf(' '))
      const response = await client.ask(Buffer.from(head + body, 'latin1'), { method })
      const got = wireVerdict(response, method === 'HEAD', expected)
      assert.deepEqual(
        got,
        expected,
        `case ${number} of seed ${seed()}: ${JSON.stringify({ listener, head })}`,
      )
      const kind = judgement.decision.kind === 'refused' ? expected.more : judgement.decision.kind
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
      if (judgement.route?.action.kind === 'split' && judgement.decision.kind === 'upstream')
        sides.add(judgement.decision.upstream.name)
      if (response.headers['connection'] === 'close' || response.version === 'HTTP/1.0' || client.ended) {
        client.destroy()
        open.delete(client)
        clients.delete(listener)
      }
    }
  }
  try {
    await Promise.all(Array.from({ length: CONNECTIONS }, work))
  } finally {
    for (const client of open) client.destroy()
  }
  assert.deepEqual([...sides].toSorted(), ['app', 'spare', 'users'])
  // The requests reach every part of what is decided.
  for (const kind of [
    ...['upstream', 'respond', 'redirect', 'answered', 'bad_request', 'bad_path', 'bad_host', 'no_route'],
    ...['method_unknown', 'method_not_allowed', 'forbidden_host', 'unknown_host', 'request_too_large'],
    ...['loop_detected', 'upgrade_refused', 'cors_refused', 'expectation_failed'],
  ])
    assert.ok((kinds.get(kind) ?? 0) > 0, `no request was ${kind}: ${JSON.stringify([...kinds])}`)
})

/** The words beside a decision agree with it. */
function checkWords(entry: Entry<UnopenedUpstream>, judgement: Judgement): void {
  const { routes, route } = explanation(config, entry, judgement)
  const chosen = routes.filter(one => one.outcome === 'chosen').map(one => one.name)
  if (route !== null) assert.deepEqual(chosen, [route.name])
}

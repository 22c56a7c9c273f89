import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { exchangeFixture } from '../../exchange/exchange-fixture.ts'
import { LiveFixture } from '../../filters/live-fixture.ts'
import type { Exchange } from '../../exchange/exchange.ts'
import { canonicalize } from '../../routing/canonical-request.ts'
import type { Route } from '../../snapshot/route.ts'
import { loadConfig } from '../load/load.ts'
import type { ResolvedConfig, ResolvedUpstream } from '../resolved.ts'
import { compileEntries } from './entries.ts'

interface Unopened {
  readonly spec: ResolvedUpstream
}

function load(routes: string): ResolvedConfig {
  const folder = mkdtempSync(path.join(tmpdir(), 'outrigger-actions-'))
  try {
    const file = path.join(folder, 'o.yaml')
    writeFileSync(
      file,
      `version: 1
service: orders
listeners:
  - { name: in, role: outbound, address: "127.0.0.1:8080", routes: [${routes}] }
upstreams:
  stable: { url: "http://stable:1/base" }
  next: { url: "http://next:2" }
  other: { url: "http://other:3" }
`,
    )
    const loaded = loadConfig([file], { secrets: true })
    assert.ok(loaded.ok, JSON.stringify(loaded))
    return loaded.config
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const recorder = { record() {} }

async function compile(
  config: ResolvedConfig,
  upstreams: ReadonlyMap<string, Unopened>,
  before?: Awaited<ReturnType<typeof compileEntries<Unopened>>>,
) {
  return compileEntries(config, {
    upstreams,
    before: before?.parts,
    state: new LiveFixture(),
    recorder: () => recorder,
    now: () => 0,
  })
}

function opened(config: ResolvedConfig): Map<string, Unopened> {
  return new Map(Object.entries(config.upstreams).map(([name, spec]) => [name, { spec }]))
}

function routeOf(compiled: { routes: ReadonlyMap<string, Route<Unopened>> }, name: string): Route<Unopened> {
  const route = compiled.routes.get(name)
  assert.ok(route)
  return route
}

function asked(headers: string[] = []): Exchange {
  const exchange = exchangeFixture({ headers })
  const request = canonicalize('GET', '/a', 'shop.example', false, 'HTTP/1.1')
  assert.ok('path' in request)
  exchange.request = request
  exchange.clientAddress = '192.0.2.1'
  return exchange
}

test('a split has a way for each side, in the order written, and takes the one that the request names', async () => {
  const config = load('{ name: a, split: { to: { stable: 100, next: 0 }, pin: { header: x-release } } }')
  const { action } = routeOf(await compile(config, opened(config)), 'a')
  assert.ok(action.kind === 'split')
  assert.deepEqual(
    action.sides.map(side => side.upstream.spec.name),
    ['stable', 'next'],
  )
  const plain = asked()
  assert.equal(action.choose(plain).upstream.spec.name, 'stable')
  const pinned = asked(['x-release', 'next'])
  assert.equal(action.choose(pinned).upstream.spec.name, 'next')
  assert.equal(action.choose(pinned).host(pinned), 'next:2')
})

test('mirror and fallback are ways of their own, with the base path and the Host of their upstream', async () => {
  const config = load('{ name: a, upstream: next, mirror: other, fallback: stable, rewrite: { path: /x } }')
  const { mirror, fallback, action } = routeOf(await compile(config, opened(config)), 'a')
  assert.ok(action.kind === 'upstream' && mirror !== null && fallback !== null)
  const one = asked()
  assert.deepEqual(
    [mirror.upstream.spec.name, mirror.host(one), mirror.target(one)],
    ['other', 'other:3', '/x'],
  )
  assert.deepEqual(
    [fallback.upstream.spec.name, fallback.host(one), fallback.target(one)],
    ['stable', 'stable:1', '/base/x'],
  )
})

test('a fallback that answers has no way', async () => {
  const config = load('{ name: a, upstream: next, fallback: { respond: { status: 200, body: [] } } }')
  const route = routeOf(await compile(config, opened(config)), 'a')
  assert.equal(route.fallback, null)
  assert.equal(route.mirror, null)
})

test('a route is compiled again when the upstream of its mirror or fallback is another', async () => {
  const config = load('{ name: a, upstream: next, mirror: other, fallback: stable }')
  const upstreams = opened(config)
  const first = await compile(config, upstreams)
  const same = await compile(config, upstreams, first)
  assert.equal(routeOf(same, 'a'), routeOf(first, 'a'))
  for (const name of ['other', 'stable']) {
    const spec = upstreams.get(name)?.spec
    assert.ok(spec)
    const changed = await compile(config, new Map([...upstreams, [name, { spec }]]), first)
    assert.notEqual(routeOf(changed, 'a'), routeOf(first, 'a'), name)
  }
})

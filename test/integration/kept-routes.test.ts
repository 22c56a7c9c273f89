import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Snapshot } from '../../sidecar/snapshot/snapshot.ts'
import { InProcess } from '../harness/in-process.ts'

interface Parts {
  /** What the second route answers. */
  readonly body?: string
  readonly role?: string
  readonly port?: number
  readonly basePath?: string
  readonly order?: readonly string[]
}

function config({ body = 'b', role = 'edge', port = 9, basePath = '', order = ['a', 'b', 'c'] }: Parts = {}) {
  const routes: Record<string, string> = {
    a: '{ name: a, match: { path: /a }, upstream: one }',
    b: `{ name: b, match: { path: /b }, respond: { status: 200, body: ${body} } }`,
    c: '{ name: c, match: { path: /c }, upstream: two }',
  }
  return `version: 1
service: kept
listeners:
  - name: web
    role: ${role}
    address: 127.0.0.1:0
    routes: [${order.map(name => routes[name]).join(', ')}]
upstreams:
  one: { url: "http://127.0.0.1:${port}${basePath}" }
  two: { url: "http://127.0.0.1:9" }
`
}

async function reloads(first: Parts, second: Parts) {
  const outrigger = await InProcess.start(config(first))
  try {
    const before = outrigger.service.holder.current.snapshot
    // Ports were asked for at random, so a listener of the same name finds its acceptor again.
    await outrigger.apply(config(second))
    const after = outrigger.service.holder.current.snapshot
    const stays = (name: string): boolean => before.routes.get(name) === after.routes.get(name)
    return {
      routes: ['a', 'b', 'c'].filter(stays).join(''),
      table: tableOf(before) === tableOf(after),
      upstreams: ['one', 'two'].filter(name => before.upstreams.get(name) === after.upstreams.get(name)),
    }
  } finally {
    // Fails where a lease was not given back, or twice.
    await outrigger.stop()
  }
}

function tableOf(snapshot: Snapshot): unknown {
  return [...snapshot.entries.values()][0]?.listeners[0]?.table
}

test('a reload keeps every route, upstream and table that it does not change', async () => {
  assert.deepEqual(await reloads({}, {}), { routes: 'abc', table: true, upstreams: ['one', 'two'] })
})

test('a changed route is compiled, and its neighbours are not', async () => {
  assert.deepEqual(await reloads({}, { body: 'other' }), {
    routes: 'ac',
    table: false,
    upstreams: ['one', 'two'],
  })
})

test('a route whose upstream changed is compiled, though its own content did not', async () => {
  const expected = { routes: 'bc', table: false, upstreams: ['two'] }
  assert.deepEqual(await reloads({}, { port: 10 }), expected)
  assert.deepEqual(await reloads({}, { basePath: '/v1' }), expected)
})

test('another role makes other routes of the same content', async () => {
  const result = await reloads({}, { role: 'inbound' })
  assert.equal(result.routes, '')
  assert.equal(result.table, false)
})

test('routes in another order stay, in another table', async () => {
  const result = await reloads({}, { order: ['c', 'a', 'b'] })
  assert.equal(result.routes, 'abc')
  assert.equal(result.table, false)
})

test('a kept upstream is released with the last generation that holds it, and made anew after that', async () => {
  const outrigger = await InProcess.start(config())
  try {
    const { holder, registry } = outrigger.service
    const held = registry.size
    const first = holder.take('web')
    await outrigger.apply(config({ body: 'second' }))
    await outrigger.apply(config({ body: 'third' }))
    // The first is still read by a request; it shares all that it holds.
    assert.equal(registry.size, held)
    const one = holder.current.snapshot.upstreams.get('one')
    assert.equal(first.snapshot.upstreams.get('one'), one)
    first.give()
    assert.equal(registry.size, held)
    assert.equal(one?.endpoints.length, 1)
    await outrigger.apply(config({ port: 10 }))
    assert.equal(one?.endpoints.length, 0)
    await outrigger.apply(config())
    assert.notEqual(holder.current.snapshot.upstreams.get('one'), one)
    assert.equal(registry.size, held)
  } finally {
    await outrigger.stop()
  }
})

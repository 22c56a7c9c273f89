import assert from 'node:assert/strict'
import type http from 'node:http'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { HttpUpstream } from '../harness/http-upstream.ts'
import { InProcess } from '../harness/in-process.ts'
import type { WireResponse } from '../harness/strict-http.ts'

const NAMES = ['a', 'b', 'c'] as const

/** Services that answer with their name. `c` can be told to fail. */
const services: HttpUpstream[] = []
const asked = new Map<string, number>()
let failing = false

before(async () => {
  for (const name of NAMES) {
    const answer: http.RequestListener = (_request, response) => {
      asked.set(name, (asked.get(name) ?? 0) + 1)
      if (failing && name === 'c') response.statusCode = 503
      response.end(name)
    }
    services.push(await HttpUpstream.listen(answer))
  }
})
after(async () => {
  for (const service of services) await service.close()
})

const address = (at: number): string => `"127.0.0.1:${services[at]?.port}"`
const all = (): string => NAMES.map((_, at) => address(at)).join(', ')

function config(route: string, upstreams: string): string {
  return `version: 1
service: test
listeners:
  - { name: in, role: inbound, address: "127.0.0.1:0", routes: [{ name: app, ${route} }] }
upstreams: { ${upstreams} }
telemetry: { accessLog: on }
`
}

async function running(yaml: string, use: (outrigger: InProcess) => Promise<void>): Promise<void> {
  const outrigger = await InProcess.start(yaml)
  try {
    await use(outrigger)
  } finally {
    await outrigger.stop()
  }
}

async function ask(outrigger: InProcess, ...fields: readonly string[]): Promise<WireResponse> {
  return outrigger.ask(['GET / HTTP/1.1', 'host: x', ...fields].join('\r\n') + '\r\n\r\n')
}
async function who(outrigger: InProcess, ...fields: readonly string[]): Promise<string> {
  const response = await ask(outrigger, ...fields)
  assert.equal(response.status, 200)
  return response.body.toString()
}

for (const policy of ['ring-hash', 'maglev']) {
  test(`${policy} keeps a user at one endpoint, over connections and over a reload that takes another away`, async () => {
    const upstream = (endpoints: string): string =>
      config(
        'upstream: app',
        `app: { endpoints: [${endpoints}], loadBalance: { policy: ${policy}, by: { header: x-user } } }`,
      )
    await running(upstream(all()), async outrigger => {
      const homes = new Map<string, string>()
      for (let user = 0; user < 30; user++) {
        const field = `x-user: user-${user}`
        const home = await who(outrigger, field)
        homes.set(field, home)
        for (let i = 0; i < 2; i++) assert.equal(await who(outrigger, field), home)
      }
      assert.equal(new Set(homes.values()).size, 3)
      // Who has nothing to hash is sent anywhere.
      const anywhere = new Set<string>()
      for (let i = 0; i < 40; i++) anywhere.add(await who(outrigger))
      assert.equal(anywhere.size, 3)
      await outrigger.apply(upstream(`${address(1)}, ${address(0)}`))
      let moved = 0
      for (const [field, home] of homes) {
        const now = await who(outrigger, field)
        assert.notEqual(now, 'c')
        if (home !== 'c' && now !== home) moved++
      }
      assert.ok(moved <= 3, `${moved} moved that need not`)
    })
  })
}

test('a split keeps each user on a side, by the weights; a request may name its side, and no other', async () => {
  const split = (a: number, b: number): string =>
    config(
      `split: { by: { header: x-user }, to: { a: ${a}, b: ${b} }, pin: { header: x-release } }`,
      `a: { endpoints: [${address(0)}] }, b: { endpoints: [${address(1)}] }`,
    )
  const sides = async (outrigger: InProcess): Promise<string[]> => {
    const client = await outrigger.connect()
    const found: string[] = []
    for (let user = 0; user < 200; user++) {
      const response = await client.ask(`GET / HTTP/1.1\r\nhost: x\r\nx-user: ${user}\r\n\r\n`)
      found.push(response.body.toString())
    }
    client.destroy()
    return found
  }
  await running(split(90, 10), async outrigger => {
    const first = await sides(outrigger)
    const share = first.filter(side => side === 'b').length
    assert.ok(share >= 8 && share <= 34, `${share} of 200 for 10 %`)
    assert.deepEqual(await sides(outrigger), first)
    assert.equal(await who(outrigger, 'x-user: 1', 'x-release: b'), 'b')
    assert.equal(await who(outrigger, 'x-user: 1', 'x-release: a'), 'a')
    for (const other of ['c', 'B', '', 'a, b'])
      assert.equal(await who(outrigger, 'x-user: 1', `x-release: ${other}`), first[1], other)
    const line = await outrigger.accessLine(one => one['upstream'] === 'b')
    assert.equal(line.route, 'app')
    // More weight moves users towards it and none away.
    await outrigger.apply(split(90, 60))
    const after = await sides(outrigger)
    first.forEach((side, user) => assert.ok(side === after[user] || after[user] === 'b'))
    assert.ok(after.filter(side => side === 'b').length > share)
    // Nothing by itself at weight 0, and still there for who names it.
    await outrigger.apply(split(1, 0))
    assert.deepEqual(new Set(await sides(outrigger)), new Set(['a']))
    assert.equal(await who(outrigger, 'x-release: b'), 'b')
  })
})

test('affinity: a cookie keeps a client at its endpoint while that is there, and says nothing of it', async () => {
  const sticky = (endpoints: string): string =>
    config('upstream: app, affinity: { cookie: og, maxAge: 1h }', `app: { endpoints: [${endpoints}] }`)
  const cookieOf = (response: WireResponse): string => {
    const set = response.headers['set-cookie'] ?? ''
    assert.match(set, /^og=[0-9a-f]{16}; Path=\/; Max-Age=3600; HttpOnly; SameSite=Lax$/)
    return `cookie: theme=dark; ${set.slice(0, set.indexOf(';'))}`
  }
  await running(sticky(all()), async outrigger => {
    const cookies = new Map<string, string>()
    while (cookies.size < 3) {
      const response = await ask(outrigger)
      cookies.set(response.body.toString(), cookieOf(response))
    }
    assert.equal(new Set(cookies.values()).size, 3)
    for (const [name, cookie] of cookies) {
      for (let i = 0; i < 5; i++) {
        const response = await ask(outrigger, cookie)
        assert.equal(response.body.toString(), name)
        assert.equal(response.headers['set-cookie'], undefined)
      }
    }
    // What we never wrote, and what names nobody any more, is as if it were not there.
    for (const bad of ['og=', 'og=127.0.0.1:80', 'og=ffffffffffffffff', 'og="', `og=${'f'.repeat(5000)}`])
      cookieOf(await ask(outrigger, `cookie: ${bad}`))
    await outrigger.apply(sticky(`${address(0)}, ${address(1)}`))
    const moved = await ask(outrigger, cookies.get('c') ?? '')
    assert.notEqual(moved.body.toString(), 'c')
    assert.equal(cookies.get(moved.body.toString()), cookieOf(moved))
    assert.equal(await who(outrigger, cookies.get('b') ?? ''), 'b')
  })
})

test('weight 0: those who are bound to an endpoint stay, and nobody new comes, not even a probe', async () => {
  const weighted = (weight: number): string =>
    config(
      'upstream: app, retry: off, affinity: { cookie: og }',
      `app: { endpoints: [${address(0)}, { address: ${address(2)}, weight: ${weight} }], outlierDetection: { ejection: 1ms, maxEjection: 1ms } }`,
    )
  await running(weighted(1), async outrigger => {
    let cookie = ''
    while (cookie === '') {
      const response = await ask(outrigger)
      if (response.body.toString() === 'c') cookie = response.headers['set-cookie']?.split(';')[0] ?? ''
    }
    await outrigger.apply(weighted(0))
    for (let i = 0; i < 10; i++) assert.equal(await who(outrigger), 'a')
    for (let i = 0; i < 5; i++) assert.equal(await who(outrigger, `cookie: ${cookie}`), 'c')
    failing = true
    asked.clear()
    try {
      for (let i = 0; i < 5; i++) await ask(outrigger, `cookie: ${cookie}`)
      await pause(300)
      for (let i = 0; i < 10; i++) assert.equal(await who(outrigger), 'a')
    } finally {
      failing = false
    }
    assert.equal(asked.get('c'), 5)
  })
})

test('affinity: an answer of the fallback binds nobody to it', async () => {
  const yaml = config(
    'upstream: app, affinity: { cookie: og }, fallback: spare',
    `app: { endpoints: [${address(2)}] }, spare: { endpoints: [${address(0)}] }`,
  )
  await running(yaml, async outrigger => {
    const bound = await ask(outrigger)
    assert.equal(bound.body.toString(), 'c')
    assert.match(bound.headers['set-cookie'] ?? '', /^og=/)
    failing = true
    try {
      const spare = await ask(outrigger)
      assert.equal(spare.body.toString(), 'a')
      assert.equal(spare.headers['set-cookie'], undefined)
    } finally {
      failing = false
    }
  })
})

test('peak-ewma: an endpoint that fails fast draws nothing to itself', async () => {
  const yaml = config('upstream: app, retry: off', `app: { endpoints: [${all()}], loadBalance: peak-ewma }`)
  await running(yaml, async outrigger => {
    failing = true
    asked.clear()
    try {
      for (let i = 0; i < 100; i++) await ask(outrigger)
    } finally {
      failing = false
    }
    assert.ok((asked.get('c') ?? 0) <= 2, `${asked.get('c')} of 100`)
  })
})

test('random and round-robin reach every endpoint, by its weight', async () => {
  for (const policy of ['random', 'round-robin']) {
    const endpoints = `${address(0)}, { address: ${address(1)}, weight: 2 }`
    const yaml = config('upstream: app', `app: { endpoints: [${endpoints}], loadBalance: ${policy} }`)
    await running(yaml, async outrigger => {
      asked.clear()
      for (let i = 0; i < 90; i++) await ask(outrigger)
      const [a = 0, b = 0] = NAMES.map(name => asked.get(name))
      assert.equal(a + b, 90)
      assert.ok(a >= 15 && a <= 45, `${policy}: ${a} of 90 for a third`)
    })
  }
})

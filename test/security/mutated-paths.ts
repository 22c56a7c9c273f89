import assert from 'node:assert/strict'
import { InProcess } from '../harness/in-process.ts'
import type { RawClient } from '../harness/raw-client.ts'
import { RecordingSink } from '../harness/raw-upstream.ts'
import type { WireRequest } from '../harness/strict-http.ts'
import { RandomSource } from '../fuzz/random-source.ts'
import { Targets } from './mutated-targets.ts'

/** How many requests are on their way on one connection, and how many connections there are. */
const BATCH = 40
const CONNECTIONS = 8

/** What keeps requests from `/admin` and `/api/private`, with the beginning of the routes. */
const GUARDS = {
  answers: `    routes:
      - { name: admin, match: { path: /admin }, respond: { status: 403 } }
      - { name: private, match: { path: /api/private }, respond: { status: 403 } }
`,
  // These would go upstream, if anybody were in that group.
  groups: `    routes:
      - { name: admin, match: { path: /admin }, authorize: { groups: admin }, upstream: sink }
      - { name: private, match: { path: /api/private }, authorize: { groups: admin }, upstream: sink }
`,
  // No route tells them apart: the expression does, by the path that it sees.
  expression: `    authorize: '!request.path.matches("^/(admin|api/private)(/|$)")'
    routes:
`,
} as const
type Guard = keyof typeof GUARDS

/**
 * Routes whose policies differ: two refuse, one takes a prefix off, one writes the path anew, one takes all the rest.
 * What goes upstream says which route decided, and about which path.
 */
const routes = (port: number, guard: Guard): string => `version: 1
service: test
listeners:
  - name: in
    role: inbound
    address: 127.0.0.1:0
${GUARDS[guard]}      - name: api
        match: { path: /api }
        upstream: sink
        rewrite: { stripPrefix: /api }
        headers: { request: { set: { x-route: api, x-decided: '{request.path}' } } }
      - name: users
        match: { path: '/users/{id}' }
        upstream: sink
        rewrite: { path: '/v2/{id}' }
        headers: { request: { set: { x-route: users, x-decided: '{request.path}' } } }
      - name: open
        upstream: sink
        headers: { request: { set: { x-route: open, x-decided: '{request.path}' } } }
upstreams: { sink: { endpoints: ['127.0.0.1:${port}'] } }
telemetry: { accessLog: off }
`

/**
 * A target as the most obliging server reads it, written without a look at ours: every escape decoded until none is
 * left, backslashes are slashes, parameters of segments and what follows a NUL fall away, dots are resolved.
 */
function obligingly(target: string): string {
  if (target === '*') return target
  let path = target.replace(/^[a-z]+:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '')
  for (let before = ''; before !== path;) {
    before = path
    path = path.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
  }
  const kept: string[] = []
  for (const segment of path.replace(/\0.*$/s, '').split(/[/\\]/)) {
    const name = segment.replace(/;.*$/s, '')
    if (name === '..') kept.pop()
    else if (name !== '' && name !== '.') kept.push(name)
  }
  return `/${kept.join('/')}`
}

const isBelow = (path: string, prefix: string): boolean => path === prefix || path.startsWith(`${prefix}/`)

/** How the cases ended. */
export interface MutatedPaths {
  readonly passed: number
  readonly forbidden: number
  readonly refused: number
}

/**
 * Sends mutated targets over sockets, pipelined, and asserts of each that it was refused, or that the sink saw the
 * path that its route decided about, and that nobody could read it as one of a route that refuses.
 */
export async function sendMutatedPaths(
  count: number,
  seed: number,
  guard: Guard = 'answers',
): Promise<MutatedPaths> {
  const targets = new Targets(new RandomSource(seed))
  const cases = Array.from({ length: count }, () => targets.next())
  const sink = await RecordingSink.listen()
  const proxy = await InProcess.start(routes(sink.port, guard))
  const statuses: number[] = []
  try {
    const share = Math.ceil(count / CONNECTIONS)
    await Promise.all(
      Array.from({ length: CONNECTIONS }, (_, index) =>
        sendAll(proxy, cases, index * share, Math.min(count, (index + 1) * share), statuses),
      ),
    )
  } finally {
    await sink.close()
    await proxy.stop()
  }
  const seen = new Map<number, WireRequest>()
  for (const request of sink.requestsSeen()) {
    const number = Number(request.headers['x-case'])
    assert.ok(!seen.has(number), `case ${number} of seed ${seed} reached the sink twice`)
    seen.set(number, request)
  }
  const ends = { passed: 0, forbidden: 0, refused: 0 }
  for (const [number, target] of cases.entries()) {
    const status = statuses[number]
    const request = seen.get(number)
    const what = `case ${number} of seed ${seed}: ${JSON.stringify(target)}: ${status}, the sink saw ${request?.target}`
    if (request !== undefined) {
      assert.equal(status, 200, what)
      assertDecided(target, request, what)
      ends.passed++
    } else {
      assert.ok(status !== undefined && status >= 400 && status < 500, what)
      if (status === 403) ends.forbidden++
      else ends.refused++
    }
  }
  return ends
}

function assertDecided(sent: string, { target, headers }: WireRequest, what: string): void {
  const path = target.replace(/\?.*$/s, '')
  const decided = headers['x-decided'] ?? ''
  const route = headers['x-route'] ?? ''
  const before = `${what}; ${route} decided about ${decided}`
  const prefix = { api: '/api', users: '/users', open: '' }[route]
  assert.ok(prefix !== undefined, before)
  // What went upstream is what was decided, less what the route takes off or puts in its place. A template encodes its
  // parameters anew: `%2A` may arrive as `*`.
  if (route === 'users') assert.equal(obligingly(path), obligingly(decided).replace('/users', '/v2'), before)
  else assert.equal(prefix + (path === '/' && decided === prefix ? '' : path), decided, before)
  // And what was decided is what anybody reads in what was sent.
  assert.equal(obligingly(decided), obligingly(sent), before)
  assert.ok(!isBelow(obligingly(sent), '/admin'), before)
  assert.ok(!isBelow(obligingly(sent), '/api/private'), before)
  if (route === 'open') assert.ok(!isBelow(obligingly(target), '/admin'), before)
  if (route === 'api') assert.ok(!isBelow(obligingly(target), '/private'), before)
}

/** Sends some of the cases over one connection after the other: what cannot be read at all closes it. */
async function sendAll(
  proxy: InProcess,
  cases: readonly string[],
  from: number,
  to: number,
  statuses: number[],
): Promise<void> {
  let client: RawClient | null = null
  let next = from
  try {
    while (next < to) {
      client ??= await proxy.connect()
      const end = Math.min(to, next + BATCH)
      let bytes = ''
      for (let number = next; number < end; number++) bytes += requestFor(cases[number] ?? '', number)
      client.send(bytes)
      // What is unanswered when the connection closes has not been read, and is sent again.
      for (const first = next; next < end;) {
        const status = await statusOf(client)
        if (status === null) {
          assert.ok(next > first, `case ${next} got no answer: ${JSON.stringify(cases[next])}`)
          client.destroy()
          client = null
          break
        }
        statuses[next++] = status
      }
    }
  } finally {
    client?.destroy()
  }
}

async function statusOf(client: RawClient): Promise<number | null> {
  if ((client.ended || client.isClosed) && client.unread.length === 0) return null
  try {
    return (await client.readResponse({ timeout: 10_000 })).status
  } catch (error) {
    if ((client.ended || client.isClosed) && client.unread.length === 0) return null
    throw error
  }
}

function requestFor(target: string, number: number): string {
  const method = target === '*' ? 'OPTIONS' : 'GET'
  return `${method} ${target} HTTP/1.1\r\nhost: a.example\r\nx-case: ${number}\r\n\r\n`
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CanonicalRequest } from '../exchange/canonical-request.ts'
import type { HeaderList } from '../exchange/headers.ts'
import { ProxyError } from '../exchange/proxy-error.ts'
import { canonicalize } from './canonical-request.ts'
import type { MatchSpec, PathMatch, ValueMatch } from './match-spec.ts'
import { RouteTable } from './route-table.ts'

/** Paths as configuration writes them: `=/x` exact, `~x` regex, `{id}` template, else a prefix. */
function path(written: string): PathMatch {
  if (written.startsWith('=')) return { kind: 'exact', path: written.slice(1) }
  if (written.startsWith('~')) return { kind: 'regex', regex: written.slice(1) }
  const below = written.endsWith('/**')
  const text = below ? written.slice(0, -3) : written
  if (text.includes('{')) return { kind: 'template', path: text, below }
  return { kind: 'prefix', path: text === '/' ? '' : text }
}

interface Written {
  readonly host?: string | string[]
  readonly path?: string | string[]
  readonly methods?: string[]
  readonly headers?: ValueMatch[]
  readonly query?: ValueMatch[]
  readonly priority?: number
}

function spec(written: Written): MatchSpec {
  return {
    hosts: [written.host ?? []].flat(),
    paths: [written.path ?? '/'].flat().map(path),
    methods: written.methods ?? [],
    headers: written.headers ?? [],
    query: written.query ?? [],
    priority: written.priority ?? 0,
  }
}

const is = (name: string, ...values: string[]): ValueMatch => ({
  name,
  tests: values.map(value => ({ kind: 'exact', value })),
})

function table(routes: Readonly<Record<string, Written>>): RouteTable<string> {
  return new RouteTable(
    Object.entries(routes).map(([name, written]) => ({ name, spec: spec(written), value: name })),
  )
}

/** `GET a.example/path`, as a request. */
function request(line: string, headers: HeaderList = []): [CanonicalRequest, HeaderList] {
  const [, method = '', host = '', target = ''] = /^(\S+) ([^/*]+)(.*)$/.exec(line) ?? []
  const result = canonicalize(method, target, host, false, 'HTTP/1.1')
  assert.ok(!(result instanceof ProxyError), line)
  return [result, headers]
}

/** The route's name, with its parameters; `405` with Allow; or `none`. */
function found(routes: RouteTable<string>, line: string, headers?: HeaderList): string {
  const result = routes.lookup(...request(line, headers))
  if (result.kind === 'none') return 'none'
  if (result.kind === 'method') return `405 ${result.allow}`
  return result.value + (result.params === null ? '' : ` ${JSON.stringify(result.params)}`)
}

type Case = [line: string, expected: string, headers?: HeaderList]
const SUITE: Record<string, { routes: Record<string, Written>; cases: Case[] }> = {
  'a prefix is of segments': {
    routes: { api: { path: '/api' } },
    cases: [
      ['GET a/api', 'api'],
      ['GET a/api/', 'api'],
      ['GET a/api/x/y', 'api'],
      ['GET a/apix', 'none'],
      ['GET a/API', 'none'],
      ['GET a/', 'none'],
      ['GET a/x/api', 'none'],
    ],
  },
  'exact is exact': {
    routes: { plain: { path: '=/x' }, slash: { path: '=/y/' }, root: { path: '=/' } },
    cases: [
      ['GET a/x', 'plain'],
      ['GET a/x/', 'none'],
      ['GET a/y', 'none'],
      ['GET a/y/', 'slash'],
      ['GET a/y/z', 'none'],
      ['GET a/', 'root'],
      ['OPTIONS a*', 'none'],
    ],
  },
  'a template is the whole path, with or without a final slash': {
    routes: { user: { path: '/users/{id}' }, tree: { path: '/trees/{id}/**' }, two: { path: '/{a}/x/{b}' } },
    cases: [
      ['GET a/users/7', 'user {"id":"7"}'],
      ['GET a/users/7/', 'user {"id":"7"}'],
      ['GET a/users/caf%C3%A9%20x', 'user {"id":"café x"}'],
      ['GET a/users/%25', 'user {"id":"%"}'],
      ['GET a/users', 'none'],
      ['GET a/users/', 'none'],
      ['GET a/users/7/8', 'none'],
      ['GET a/trees/1', 'tree {"id":"1"}'],
      ['GET a/trees/1/2/3', 'tree {"id":"1"}'],
      ['GET a/trees/', 'none'],
      ['GET a/p/x/q', 'two {"a":"p","b":"q"}'],
      ['GET a/p/y/q', 'none'],
    ],
  },
  'segment by segment: a literal, then {x}, then the end of a prefix; the whole path before a prefix': {
    routes: {
      root: {},
      a: { path: '/a' },
      ab: { path: '/a/b' },
      aExact: { path: '=/a' },
      ax: { path: '/a/{x}' },
      axBelow: { path: '/a/{x}/**' },
      axc: { path: '/a/{x}/c' },
      xb: { path: '/{x}/b' },
      abx: { path: '/a/b/{y}' },
    },
    cases: [
      ['GET a/a', 'aExact'],
      ['GET a/a/', 'a'],
      ['GET a/a/b', 'ab'],
      ['GET a/a/z', 'ax {"x":"z"}'],
      ['GET a/a/z/c', 'axc {"x":"z"}'],
      ['GET a/a/z/d', 'axBelow {"x":"z"}'],
      ['GET a/a/b/c', 'abx {"y":"c"}'],
      ['GET a/a/b/c/d', 'ab'],
      ['GET a/q/b', 'xb {"x":"q"}'],
      ['GET a/q', 'root'],
      ['OPTIONS a*', 'root'],
    ],
  },
  'a regex stands just ahead of the prefix of its leading literal segments': {
    routes: {
      root: { path: '/' },
      version: { path: '~/v[12]/.*' },
      api: { path: '/api' },
      apiNumber: { path: '~/api/(?P<n>[0-9]+)(/.*)?' },
      apiX: { path: '/api/{x}' },
      choice: { path: '~/one/a|/two/b' },
    },
    cases: [
      ['GET a/v1/x', 'version'],
      ['GET a/v3/x', 'root'],
      ['GET a/xv1/x', 'root'],
      ['GET a/api/7/y', 'apiNumber {"n":"7"}'],
      ['GET a/api/7', 'apiX {"x":"7"}'],
      ['GET a/api/x/y', 'api'],
      ['GET a/one/a', 'choice'],
      ['GET a/two/b', 'choice'],
      ['GET a/one/a/two/b', 'root'],
    ],
  },
  'host: exact, then the longest wildcard, then none': {
    routes: {
      exact: { host: 'www.shop.example', path: '/only' },
      port: { host: 'www.shop.example:8080', path: '/only' },
      near: { host: '*.eu.shop.example' },
      far: { host: ['*.shop.example', 'other.example'] },
      six: { host: '[0:0:0:0:0:0:0:1]' },
      any: { path: '/any' },
    },
    cases: [
      ['GET www.shop.example/only', 'exact'],
      ['GET WWW.Shop.Example./only', 'exact'],
      ['GET www.shop.example:8080/only', 'port'],
      ['GET www.shop.example:81/only', 'exact'],
      ['GET www.shop.example/else', 'far'],
      ['GET x.eu.shop.example/', 'near'],
      ['GET x.y.eu.shop.example/any', 'near'],
      ['GET eu.shop.example/', 'far'],
      ['GET other.example/', 'far'],
      ['GET shop.example/', 'none'],
      ['GET shop.example/any', 'any'],
      // Row 28: nothing that only looks like it.
      ['GET www.shop.example.evil/', 'none'],
      ['GET wwwshop.example/', 'none'],
      ['GET evil-shop.example/', 'none'],
      ['GET [::1]/', 'six'],
    ],
  },
  'methods: GET includes HEAD, and what no route of the path has is refused': {
    routes: {
      read: { path: '/a', methods: ['GET'] },
      write: { path: '/a', methods: ['POST', 'PUT'] },
      wide: { path: '/' },
      both: { path: '/b' },
      bGet: { path: '/b', methods: ['GET'] },
    },
    cases: [
      ['GET a/a', 'read'],
      ['HEAD a/a', 'read'],
      ['POST a/a', 'write'],
      ['DELETE a/a/x', '405 GET, HEAD, POST, PUT'],
      ['get a/a', '405 GET, HEAD, POST, PUT'],
      ['DELETE a/c', 'wide'],
      ['GET a/b', 'bGet'],
      ['DELETE a/b', 'both'],
    ],
  },
  'a preflight matches as the method it asks for': {
    routes: { read: { path: '/a', methods: ['GET'] }, put: { path: '/a', methods: ['PUT'] } },
    cases: [
      ['OPTIONS a/a', 'put', ['origin', 'https://x', 'access-control-request-method', 'PUT']],
      [
        'OPTIONS a/a',
        '405 GET, HEAD, PUT',
        ['origin', 'https://x', 'access-control-request-method', 'PATCH'],
      ],
      ['OPTIONS a/a', '405 GET, HEAD, PUT', ['access-control-request-method', 'PUT']],
      ['OPTIONS a/a', '405 GET, HEAD, PUT', ['origin', 'https://x']],
      ['GET a/a', 'read', ['origin', 'https://x', 'access-control-request-method', 'PUT']],
    ],
  },
  'missing headers and query parameters fall through': {
    routes: {
      canary: { path: '/a', methods: ['GET'], headers: [is('x-canary', '1', 'yes')] },
      both: { path: '/a', headers: [is('x-canary', '1')], query: [is('v', '2')] },
      wide: { path: '/' },
    },
    cases: [
      ['GET a/a', 'wide'],
      ['GET a/a', 'canary', ['x-canary', 'yes']],
      ['GET a/a', 'canary', ['x-canary', '0', 'x-canary', '1']],
      ['GET a/a', 'wide', ['x-canary', '10']],
      ['POST a/a', 'wide'],
      ['GET a/a?v=2', 'canary', ['x-canary', '1']],
      ['POST a/a?x=1&v=2&', 'both', ['x-canary', '1']],
      // The conditions of `canary` hold, but `both` has the method: not refused, and its own are missing.
      ['POST a/a', 'wide', ['x-canary', '1']],
    ],
  },
  'conditions: text, prefix, regex over the whole, present; decoded as forms are': {
    routes: {
      text: { query: [is('name', 'a b')] },
      prefix: { query: [{ name: 'p', tests: [{ kind: 'prefix', value: 'ab' }] }] },
      regex: { headers: [{ name: 'x', tests: [{ kind: 'regex', regex: '[0-9]+' }] }] },
      present: { query: [{ name: 'q', tests: [{ kind: 'present' }] }] },
      wide: { headers: [is('y', 'é')] },
    },
    cases: [
      ['GET a/?name=a+b', 'text'],
      ['GET a/?name=x&n%61me=a%20b', 'text'],
      ['GET a/?name=a%', 'none'],
      ['GET a/?p=abc', 'prefix'],
      ['GET a/?p=xab', 'none'],
      ['GET a/', 'regex', ['x', '42']],
      ['GET a/', 'none', ['x', '42x']],
      ['GET a/?q', 'present'],
      ['GET a/?q=', 'present'],
      ['GET a/?qq=', 'none'],
      ['GET a/?x=q', 'none'],
      ['GET a/', 'wide', ['y', Buffer.from('é').toString('latin1')]],
    ],
  },
  'methods given, then the number of conditions, then priority': {
    routes: {
      low: { path: '/a' },
      high: { path: '/a', priority: 5 },
      one: { path: '/a', headers: [is('x', '1')], priority: -9 },
      two: { path: '/a', headers: [is('x', '1'), is('y', '1')], priority: -9 },
      get: { path: '/a', methods: ['GET'], priority: -99 },
    },
    cases: [
      ['GET a/a', 'get', ['x', '1', 'y', '1']],
      ['POST a/a', 'two', ['x', '1', 'y', '1']],
      ['POST a/a', 'one', ['x', '1']],
      ['POST a/a', 'high'],
    ],
  },
  'several paths and hosts are any-of, and names are only names': {
    routes: {
      many: { host: ['a', 'b'], path: ['/x', '=/y', '/z/{id}'] },
      odd: { path: '/__proto__/{__proto__}/constructor' },
    },
    cases: [
      ['GET a/x/1', 'many'],
      ['GET b/y', 'many'],
      ['GET b/z/1', 'many {"id":"1"}'],
      ['GET c/x', 'none'],
      ['GET a/__proto__/v/constructor', 'odd {"__proto__":"v"}'],
      ['GET a/constructor', 'none'],
    ],
  },
}

for (const [title, { routes, cases }] of Object.entries(SUITE)) {
  test(title, () => {
    for (const turned of [false, true]) {
      // The order written decides nothing here.
      const written = Object.entries(routes)
      const routeTable = table(Object.fromEntries(turned ? written.toReversed() : written))
      for (const [line, expected, headers] of cases) {
        const sorted = (text: string) => (text.startsWith('405') ? text.split(/,? /).toSorted().join() : text)
        for (let again = 0; again < 2; again++)
          assert.equal(
            sorted(found(routeTable, line, headers)),
            sorted(expected),
            `${line} ${headers?.join(' ')}`,
          )
      }
    }
  })
}

test('a lookup without parameters answers the same object each time', () => {
  const routes = table({ api: { path: '/api' } })
  assert.equal(routes.lookup(...request('GET a/api/1')), routes.lookup(...request('GET b/api/2')))
})

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { RE2JS } from 're2js'
import { formatConfigErrors } from '../../sidecar/config/config-error.ts'
import { loadConfig } from '../../sidecar/config/load/load.ts'
import { isBounded } from '../../sidecar/config/load/regex-cost.ts'
import { ProxyError } from '../../sidecar/exchange/proxy-error.ts'
import { canonicalize } from '../../sidecar/routing/canonical-request.ts'
import type { MatchSpec } from '../../sidecar/routing/match-spec.ts'
import { RouteTable } from '../../sidecar/routing/route-table.ts'
import { seededRandom } from '../../sidecar/runtime/random.ts'

/** With these a backtracking engine needs longer than the universe has existed for some of the values below. */
const EVIL = [
  '(a+)+b',
  '(a|aa)+b',
  '(a|a?)+b',
  '(a*)*b',
  '((a*)*a?)*b',
  '(.*)*b',
  '(.*a){20}b',
  '(a+a+)+b',
  '(a?){50}a{50}b',
  '([a-zA-Z]+)*[0-9]',
  '(([a-z])+.)+[A-Z]([a-z])+',
  '.*.*.*.*=.*',
]

/** Whose repetitions are counted: a product of their size and the text's. */
const COUNTED = ['(.*)a.{14}b', '(a{0,30}){0,30}b', '(a|b)*a(a|b){200}c']

const BYTES = 8192
const VALUES = [
  'a'.repeat(BYTES),
  `${'a'.repeat(BYTES - 1)}!`,
  'aA'.repeat(BYTES / 2),
  'ab'.repeat(BYTES / 2),
  Array.from({ length: BYTES }, (_, i) => (((i * i) >> 3) % 3 === 0 ? 'a' : 'b')).join(''),
]

type Place = 'path' | 'header' | 'query'

function specOf(place: Place, regex: string): MatchSpec {
  const tests = [{ name: 'x', tests: [{ kind: 'regex' as const, regex }] }]
  return {
    hosts: [],
    paths: place === 'path' ? [{ kind: 'regex', regex: `/${regex}` }] : [{ kind: 'prefix', path: '' }],
    methods: [],
    headers: place === 'header' ? tests : [],
    query: place === 'query' ? tests : [],
    priority: 0,
  }
}

/** The shortest of some lookups of the value, in milliseconds: others use the machine too. */
function lookupTime(place: Place, regex: string, value: string): number {
  const table = new RouteTable<number>()
  table.add({ name: 'r', spec: specOf(place, regex), value: 1 })
  const target = place === 'path' ? `/${value}` : place === 'query' ? `/?x=${value}` : '/'
  const request = canonicalize('GET', target, 'a.example', false, 'HTTP/1.1')
  assert.ok(!(request instanceof ProxyError))
  let best = Infinity
  for (let round = 0; round < 5 && best > 1; round++) {
    const start = performance.now()
    table.lookup(request, place === 'header' ? ['x', value] : [])
    best = Math.min(best, performance.now() - start)
  }
  return best
}

for (const place of ['path', 'header', 'query'] as const) {
  test(`row 80: an evil expression for a ${place}: 8 KiB in less than 10 ms`, () => {
    for (const regex of EVIL)
      for (const value of VALUES) {
        const time = lookupTime(place, regex, value)
        assert.ok(time < 10, `${regex} on ${value.slice(0, 8)}...: ${time} ms`)
      }
  })
}

/** What users write. */
const USUAL = [
  'v[12]/.*',
  '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}',
  '(?<id>[a-z]{2,40})/.*',
  '.*\\.(jpg|png|gif|css|js|woff2?)',
  '(en|de|fr)(-[A-Z]{2})?/.*',
  '.*(Googlebot|bingbot|Slurp|DuckDuckBot|Baiduspider|YandexBot).*',
  '(?i).*(mozilla|chrome|safari).*',
  '[\\w.-]+@[\\w.-]+\\.[a-z]{2,10}',
  '([^/]{1,64}/){1,8}[^/]{1,64}',
  '.{1,200}',
  '(a|b|c){1,100}',
]

test('row 80: what is accepted reads text that it has never seen in less than 10 ms', () => {
  const random = seededRandom(80)
  for (const regex of [...EVIL.filter(one => isBounded(RE2JS.compile(one))), ...USUAL]) {
    assert.ok(isBounded(RE2JS.compile(regex)), regex)
    const compiled = RE2JS.compile(regex)
    for (const letters of ['ab', 'abc', 'aA0/', 'abcdefghij/-.0123']) {
      // The shortest of some, none of which was seen before: others use the machine too.
      let best = Infinity
      for (let i = 0; i < 5; i++) {
        let text = ''
        while (text.length < BYTES) text += letters[Math.floor(random() * letters.length)]
        const start = performance.now()
        compiled.testExact(text)
        best = Math.min(best, performance.now() - start)
      }
      assert.ok(best < 10, `${regex} on ${letters}: ${best} ms`)
    }
  }
})

test('row 80: counted repetitions that could build an automaton without end are an error, and named', () => {
  for (const regex of [
    ...COUNTED,
    '.*a.{20}',
    '(a{0,30}){0,30}',
    '(?<x>(.*a){20})b',
    '([a-z]{1,30}[0-9]{1,30}){1,30}',
  ]) {
    const text = errorOf(`path: { regex: '/${regex}' }`)
    assert.ok(text.includes(regex), text)
    assert.match(text, /is too costly: hostile text/)
  }
})

/** What is said about a route with this match. */
function errorOf(match: string): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'outrigger-expressions-'))
  try {
    const file = path.join(folder, 'c.yaml')
    const route = `{ name: r, match: { ${match} }, respond: {} }`
    writeFileSync(
      file,
      `version: 1\nservice: s\nlisteners: [{ name: l, role: inbound, address: ':0', routes: [${route}] }]\n`,
    )
    const result = loadConfig([file], { secrets: true })
    assert.ok(!result.ok, match)
    assert.equal(result.errors.length, 1, match)
    return formatConfigErrors(result.errors)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('row 80: an expression that cannot run in linear time is an error, wherever it stands', () => {
  for (const regex of ['(?=a)b', '(?<!a)b', '(a)\\1', '(?>a+)b', 'a{1001}', '((a{100}){100}){100}'])
    for (const match of [
      `path: { regex: '/${regex}' }`,
      `headers: { x: { regex: '${regex}' } }`,
      `query: { x: { regex: '${regex}' } }`,
    ])
      assert.match(errorOf(match), /is no regular expression in RE2 syntax/, match)
})

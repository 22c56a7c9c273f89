import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import fc from 'fast-check'
import type { LoadResult } from '../load-result.ts'
import { loadConfig } from './load.ts'

function folder(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'outrigger-load-'))
  context.after(() => rmSync(path, { recursive: true }))
  return path
}

const SMALL = `version: 1
service: orders
listeners:
  - name: inbound
    role: inbound
    address: ":8080"
    timeout: { total: 10s }
    routes:
      - { name: users, match: { path: "/users/{id}" }, upstream: app }
      - name: rest
        upstream: app
upstreams:
  app: { url: "http://127.0.0.1:3000" }
`

test('a file cut at any byte never crashes, and gives an error or what the shorter text says', context => {
  const path = join(folder(context), 'cut.yaml')
  const load = (text: string): LoadResult => {
    writeFileSync(path, text)
    return loadConfig([path], { secrets: true, environment: {} })
  }
  const whole = load(SMALL)
  assert.ok(whole.ok)
  const loaded: string[] = []
  for (let length = 0; length < SMALL.length; length++) {
    const result = load(SMALL.slice(0, length))
    if (result.ok) loaded.push(SMALL.slice(length))
    else assert.ok(result.errors.length > 0, `no error at ${length}`)
  }
  // Only the line feed can be missing: without its upstream no route stands.
  assert.deepEqual(loaded, ['\n'])
})

test('any text is an error or loads, never an exception', context => {
  const path = join(folder(context), 'any.yaml')
  const piece = fc.constantFrom(
    ...SMALL.split(/(?<=[\n{}:,\s])/),
    '*',
    '&a ',
    '!x ',
    '- ',
    '? ',
    '"',
    '${env:A}',
    '__proto__',
    '<<: ',
    '|',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), pieces => {
      writeFileSync(path, pieces.join(''))
      const result = loadConfig([path], { secrets: true, environment: {} })
      return result.ok || result.errors.every(error => error.message !== '')
    }),
    { numRuns: 400 },
  )
})

test('one key misspelt anywhere is one error that names it', context => {
  const path = join(folder(context), 'misspelt.yaml')
  for (const key of [
    'service',
    'listeners',
    'role',
    'address',
    'timeout',
    'total',
    'routes',
    'match',
    'path',
    'upstreams',
    'url',
  ]) {
    const text = SMALL.replace(new RegExp(`\\b${key}:`), `${key}x:`)
    assert.notEqual(text, SMALL)
    writeFileSync(path, text)
    const result = loadConfig([path], { secrets: true, environment: {} })
    assert.ok(!result.ok, key)
    const error = result.errors.find(one => one.message.startsWith(`unknown key \`${key}x\``))
    assert.equal(error?.suggestion, `did you mean \`${key}\`?`)
    const line = text.slice(0, text.indexOf(`${key}x:`)).split('\n').length
    assert.equal(error.line, line)
  }
})

test('a large configuration of maps by name is read without comparing each with each', context => {
  const path = join(folder(context), 'many.yaml')
  const lines = Array.from({ length: 3000 }, (_, i) => `  u${i}: { url: "http://u${i}" }`)
  writeFileSync(path, `${SMALL}${lines.join('\n')}\n`)
  const result = loadConfig([path], { secrets: true, environment: {} })
  assert.ok(result.ok)
  assert.equal(Object.keys(result.config.upstreams).length, 3001)
  assert.equal(result.config.upstreams['u2999']?.at.line, SMALL.split('\n').length + 2999)
})

test('hashes follow the content: not the place, not the file, not what others change', context => {
  const path = join(folder(context), 'hash.yaml')
  const load = (text: string) => {
    writeFileSync(path, text)
    const result = loadConfig([path], { secrets: true, environment: {} })
    assert.ok(result.ok)
    return result.config
  }
  const before = load(SMALL)
  const moved = load(`# a line more\n${SMALL}`)
  assert.equal(moved.hash, before.hash)
  const changed = load(SMALL.replace('name: rest', 'name: rest\n        timeout: 1s'))
  assert.notEqual(changed.hash, before.hash)
  const hashes = (config: typeof before) => config.listeners[0]?.routes.map(route => route.hash)
  assert.equal(hashes(changed)?.[0], hashes(before)?.[0])
  assert.notEqual(hashes(changed)?.[1], hashes(before)?.[1])
  assert.equal(changed.upstreams['app']?.hash, before.upstreams['app']?.hash)
})

test('without secrets nothing is looked up, and anything may stand where a reference does', context => {
  const path = join(folder(context), 'secrets.yaml')
  writeFileSync(
    path,
    SMALL.replace('10s', '"${env:MISSING}"').replace(
      'upstream: app }',
      'upstream: "${file:/no/such/file}" }',
    ),
  )
  const result = loadConfig([path], { secrets: false, environment: {} })
  assert.ok(result.ok, JSON.stringify(result))
})

test('an unknown environment, a file that is not there and an empty folder are errors', context => {
  const path = folder(context)
  writeFileSync(join(path, 'a.yaml'), SMALL)
  const messages = (sources: string[], env?: string) => {
    const result = loadConfig(sources, { env, secrets: true, environment: {}, cwd: path })
    return result.ok ? [] : result.errors.map(error => `${error.message} ${error.suggestion ?? ''}`)
  }
  assert.match(messages(['a.yaml'], 'prodution').join(), /unknown environment.*did you mean `production`/)
  assert.match(messages(['b.yaml']).join(), /there is no such file/)
  const empty = folder(context)
  assert.match(messages([empty]).join(), /no configuration file is here/)
})

test('an environment of its own name has its overlay', context => {
  const path = folder(context)
  writeFileSync(join(path, 'a.yaml'), `${SMALL}environments: canary\n`)
  writeFileSync(join(path, 'a.canary.yaml'), 'drain: { timeout: 3s }\n')
  const result = loadConfig([path], { env: 'canary', secrets: true, environment: {} })
  assert.ok(result.ok)
  assert.equal(result.config.drain.timeout, 3000)
  assert.equal(result.config.layers.length, 2)
  const without = loadConfig([path], { secrets: true, environment: {} })
  assert.ok(without.ok)
  assert.equal(without.config.drain.timeout, null)
})

test('the prototype of objects stays what it is', context => {
  const path = join(folder(context), 'proto.yaml')
  writeFileSync(
    path,
    `${SMALL}x-a: { __proto__: { polluted: yes }, constructor: { prototype: { polluted: yes } } }\n`,
  )
  assert.ok(loadConfig([path], { secrets: true, environment: {} }).ok)
  assert.equal(Reflect.get({}, 'polluted'), undefined)
})

test('without secrets no combination of resilience is refused for what a reference may bring', context => {
  const path = join(folder(context), 'resilience.yaml')
  const text = `version: 1
service: orders
listeners:
  - name: inbound
    role: inbound
    address: ":8080"
    timeout: { total: "\${env:T}", perTry: "\${env:T}", header: "\${env:H}" }
    retry: { count: "\${env:N}", hedge: { after: "\${env:T}" }, statuses: "\${env:N}", backoff: { from: "\${env:T}", to: 1ms } }
    routes:
      - { name: a, match: { path: /a }, upstream: app, fault: { delay: "\${env:T}", abort: "\${env:F}" }, mirror: "\${env:U}" }
      - { name: b, match: { path: /b }, upstream: app, fault: { status: "\${env:N}" }, affinity: "\${env:F}", fallback: "\${env:U}" }
      - { name: c, match: { path: /c }, split: { by: "\${env:W}", to: { app: "\${env:N}" }, pin: { header: "\${env:H}" } } }
upstreams:
  app: { url: "http://a", circuitBreaker: "\${env:F}", outlierDetection: "\${env:F}", healthCheck: "\${env:P}", loadBalance: "\${env:W}" }
  other:
    url: "http://b"
    loadBalance: { policy: "\${env:W}", by: "\${env:W}", zone: "\${env:Z}", panicPercent: "\${env:N}" }
    healthCheck: { grpc: "\${env:W}", interval: "\${env:T}", timeout: 2s }
    circuitBreaker: { failureRatio: "\${env:N}", window: "\${env:T}" }
    limits: { inFlight: "\${env:N}", adaptive: { min: 10 } }
`
  writeFileSync(path, text)
  const result = loadConfig([path], { secrets: false, environment: {} })
  assert.ok(result.ok, JSON.stringify(result))
})

test('keys that have ended or end soon are warned of, with their place, and bounded', context => {
  const path = join(folder(context), 'keys.yaml')
  const key = (index: number): string => index.toString(16).padStart(64, 'f')
  const now = Date.parse('2026-03-01T12:00:00Z')
  const consumers = (ends: readonly string[]): string =>
    `version: 1
service: a
listeners: [{ name: in, role: edge, address: ":8080", authenticate: { apiKey: k }, respond: {} }]
authentication: { apiKey: { k: { header: x-api-key } } }
consumers:
${ends.map((end, index) => `  - { name: c${index}, apiKeys: { sha256: ${key(index)}, expires: ${end} } }\n`).join('')}`
  const warnings = (text: string, secrets = true): readonly string[] => {
    writeFileSync(path, text)
    const result = loadConfig([path], { secrets, environment: {}, now })
    assert.ok(result.ok)
    return result.warnings
  }
  assert.deepEqual(
    warnings(consumers(['2026-02-28', '2026-03-01T12:00:00Z', '2026-03-02', '2026-03-05', '2026-03-09'])),
    [
      `an API key of c2 ends in less than a day, at 2026-03-02T00:00:00.000Z (${path}:8)`,
      `an API key of c3 ends in 3 days, at 2026-03-05T00:00:00.000Z (${path}:9)`,
      `an API key of c1 ended at 2026-03-01T12:00:00.000Z: it lets nobody in (${path}:7)`,
      `an API key of c0 ended at 2026-02-28T00:00:00.000Z: it lets nobody in (${path}:6)`,
    ],
  )
  const many = warnings(consumers(Array.from({ length: 25 }, () => '2026-01-01')))
  assert.equal(many.length, 11)
  assert.equal(many.at(-1), '15 more API keys have ended or end within seven days')
  assert.deepEqual(warnings(consumers(['"${env:WHEN}"']), false), [], 'a stand-in is no date')
})

test('errors show references in the place of what they brought, and words of ours stay whole', context => {
  const path = join(folder(context), 'words.yaml')
  const messages = (upstream: string, environment: Record<string, string>): string[] => {
    writeFileSync(
      path,
      `version: 1
service: a
listeners: [{ name: in, role: inbound, address: ":8080", limits: { headerFields: "\${env:X}" }, upstream: "${upstream}" }]
upstreams: { app: { url: "http://a" } }
`,
    )
    const result = loadConfig([path], { secrets: true, environment })
    assert.ok(!result.ok)
    return result.errors.map(({ message, suggestion = '' }) => `${message} ${suggestion}`.trim())
  }
  const size = 'expected a whole number from 1 to 10000, got `${env:X}`'
  // Words and numbers that stand in the message.
  for (const word of ['on', 'whole', 'number', 'n', 'expected'])
    assert.deepEqual(messages('app', { X: word }), [size], word)
  const found = { X: '50', ZONE: 'up', LONG: 'correct-horse' }
  assert.deepEqual(messages('${env:ZONE}', found), ['there is no upstream `${env:ZONE}`'])
  assert.deepEqual(messages('v${env:ZONE}x', found), ['there is no upstream `v${env:ZONE}x`'])
  assert.deepEqual(messages('a-${env:LONG}${env:ZONE}', found), [
    'there is no upstream `a-${env:LONG}${env:ZONE}`',
  ])
})

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { check } from './check.ts'
import type { Command } from './command.ts'
import { schema } from './schema.ts'

async function run(command: Command, ...args: string[]) {
  let stdout = ''
  let stderr = ''
  const code = await command.run(args, { stdout: text => (stdout += text), stderr: text => (stderr += text) })
  return { code, stdout, stderr }
}

const EDGE = `version: 1
service: edge
listeners:
  - { name: public, role: edge, address: ":8000", upstream: app }
upstreams:
  app: { url: "http://\${env:OUTRIGGER_CHECK_TEST}:8080" }
`

function folder(context: TestContext, files: Record<string, string>): string {
  const path = mkdtempSync(join(tmpdir(), 'outrigger-check-'))
  context.after(() => rmSync(path, { recursive: true }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text)
  return path
}

test('every overlay that lies there is laid, each for itself', async context => {
  const path = folder(context, {
    'edge.yaml': EDGE,
    'edge.staging.yaml': 'drain: { timeout: 1s }\n',
    'production.yaml': 'drain: { timeoutt: 1s }\n',
  })
  const { code, stdout, stderr } = await run(check, join(path, 'edge.yaml'), '--no-secrets')
  assert.equal(code, 1)
  assert.match(
    stdout,
    /edge\.yaml: ok, 1 listener, 1 route, 1 upstream\n {2}1 route is without authentication/,
  )
  assert.match(stdout, /--env staging: ok/)
  assert.match(stdout, /--env production: 1 error/)
  assert.match(stderr, /production\.yaml:1:10: unknown key `timeoutt`/)
  assert.match(stderr, /did you mean `timeout`\?/)
  const one = await run(check, path, '--no-secrets', '--env', 'staging')
  assert.equal(one.code, 0)
  assert.equal(one.stderr, '')
})

test('references are resolved unless --no-secrets says not', async context => {
  const path = folder(context, { 'edge.yaml': EDGE })
  assert.equal((await run(check, path)).code, 1)
  assert.equal((await run(check, path, '--no-secrets')).code, 0)
})

test('--format json is for machines', async context => {
  const path = folder(context, { 'edge.yaml': EDGE.replace('role: edge', 'role: egde') })
  const { code, stdout } = await run(check, path, '--no-secrets', '--format', 'json')
  assert.equal(code, 1)
  const report: unknown = JSON.parse(stdout)
  assert.partialDeepStrictEqual(report, {
    ok: false,
    environments: [
      {
        env: null,
        ok: false,
        errors: [{ line: 4, column: 27, path: 'listeners.0.role', suggestion: 'did you mean `edge`?' }],
      },
    ],
  })
})

test('wrong usage is exit code 2', async () => {
  assert.equal((await run(check, '--nonsense')).code, 2)
  assert.equal((await run(check, '--format', 'xml')).code, 2)
  assert.equal((await run(schema, 'x')).code, 2)
})

test('the schema is JSON Schema with the shorter spellings', async () => {
  const { code, stdout } = await run(schema)
  assert.equal(code, 0)
  const json: unknown = JSON.parse(stdout)
  assert.partialDeepStrictEqual(json, {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    additionalProperties: false,
    required: ['version', 'service', 'listeners'],
    properties: { version: { const: 1 }, defaults: { additionalProperties: false } },
  })
})

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { Outrigger } from '../harness/outrigger.ts'
import { askOnce } from '../harness/raw-client.ts'

const FIRST = `version: 1
service: many
admin: { address: "127.0.0.1:0" }
listeners:
  - name: in
    role: edge
    address: 127.0.0.1:0
    routes:
      - { name: a, match: { path: /a }, respond: { body: from the first } }
`
const SECOND = `version: 1
listeners:
  - name: in
    routes:
      - { name: b, match: { path: /b }, respond: { body: from the second } }
`
const OVERLAY = `listeners:
  - name: in
    routes:
      - { name: a, respond: { body: from production } }
`

async function bodyOf(outrigger: Outrigger, target: string): Promise<string> {
  const response = await askOnce(outrigger.port('in'), `GET ${target} HTTP/1.1\r\nhost: a\r\n\r\n`)
  return response.body.toString()
}

test('the files of a folder are one configuration, and a change of any of them takes effect', async () => {
  const outrigger = await Outrigger.start(FIRST, {
    files: { 'orders.yaml': SECOND, '.hidden.yaml': 'nonsense', 'notes.txt': 'nonsense' },
  })
  try {
    assert.equal(await bodyOf(outrigger, '/a'), 'from the first')
    assert.equal(await bodyOf(outrigger, '/b'), 'from the second')
    outrigger.write(SECOND.replace('the second', 'a change'), 'orders.yaml')
    await outrigger.logged(line => line.msg === 'reloaded' && line['changed'] === true)
    assert.equal(await bodyOf(outrigger, '/b'), 'from a change')
    outrigger.write(SECOND.replace('/b', '/c').replace('name: b', 'name: c'), 'third.yaml')
    await outrigger.logged(
      () => outrigger.log().filter(line => line.msg === 'reloaded' && line['changed'] === true).length === 2,
    )
    assert.equal(await bodyOf(outrigger, '/c'), 'from the second')
  } finally {
    await outrigger.stop('SIGINT')
  }
})

test('--env lays the overlay over it, and a change of the overlay takes effect', async () => {
  const files = {
    'sidecar.production.yaml': OVERLAY,
    'production.yaml': 'telemetry: { accessLog: { write: on } }\n',
  }
  const plain = await Outrigger.start(FIRST, { files })
  assert.equal(await bodyOf(plain, '/a'), 'from the first')
  await plain.stop('SIGINT')

  const outrigger = await Outrigger.start(FIRST, { files, args: ['--env', 'production'] })
  try {
    assert.equal(await bodyOf(outrigger, '/a'), 'from production')
    await outrigger.accessLogged(/"path":"\/a"/)
    outrigger.write(OVERLAY.replace('production', 'a change'), 'sidecar.production.yaml')
    await outrigger.logged(line => line.msg === 'reloaded' && line['changed'] === true)
    assert.equal(await bodyOf(outrigger, '/a'), 'from a change')
  } finally {
    await outrigger.stop('SIGINT')
  }
})

test('the environment variable does the same, and an unknown one is an error with the known names', async () => {
  const outrigger = await Outrigger.start(FIRST, {
    files: { 'sidecar.staging.yaml': OVERLAY },
    env: { OUTRIGGER_ENV: 'staging' },
  })
  assert.equal(await bodyOf(outrigger, '/a'), 'from production')
  await outrigger.stop('SIGINT')
  await assert.rejects(Outrigger.start(FIRST, { args: ['--env', 'prod'] }), /ended with 1;[\s\S]*production/)
})

test('a reference to a file is reread when it changes', async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'outrigger-secret-'))
  const secret = path.join(folder, 'secret')
  writeFileSync(secret, 'one\n')
  const outrigger = await Outrigger.start(FIRST.replace('from the first', `"it is \${file:${secret}}"`))
  try {
    assert.equal(await bodyOf(outrigger, '/a'), 'it is one')
    writeFileSync(secret, 'two\n')
    await outrigger.logged(line => line.msg === 'reloaded' && line['changed'] === true)
    assert.equal(await bodyOf(outrigger, '/a'), 'it is two')
  } finally {
    await outrigger.stop('SIGINT')
    rmSync(folder, { recursive: true, force: true })
  }
})

import assert from 'node:assert/strict'
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { formatConfigErrors } from '../../../sidecar/config/config-error.ts'
import { loadConfig } from '../../../sidecar/config/load/load.ts'
import type { LoadResult } from '../../../sidecar/config/load-result.ts'

/*
 * Every file (or folder of files) here is a configuration; beside it stands what it has to give: in `errors` the exact
 * text, in `loads` the part that its first line names (`# show: listeners.0`), all of it where none is named. A folder
 * is loaded with `--env production`. `OUTRIGGER_GOLDEN=write node --test test/golden/config` writes what is given now.
 */
const here = fileURLToPath(new URL('.', import.meta.url))
const write = process.env['OUTRIGGER_GOLDEN'] === 'write'
const environment = { EMPTY: '', SECRET: 's3cr3t-value', FIELDS: '50', TIMEOUT: '7s', ON: 'on', ZONE: 'eu', BRACES: '{a}' }

// A checkout under a loose umask would make it writable for everybody, and such a file is refused.
const secret = join(here, 'loads', 'secret.txt')
if ((statSync(secret).mode & 0o002) !== 0) chmodSync(secret, 0o644)

function load(folder: string, name: string): LoadResult {
  const env = statSync(join(here, folder, name)).isDirectory() ? 'production' : undefined
  return loadConfig([name], { env, secrets: true, environment, cwd: join(here, folder) })
}

function cases(folder: string): string[] {
  const names = readdirSync(join(here, folder))
  return names.filter(name => !name.endsWith('.expected') && !name.endsWith('.txt')).toSorted()
}

function compare(folder: string, name: string, given: string): void {
  const path = join(here, folder, `${name.replace(/\.yaml$/, '')}.expected`)
  if (write) writeFileSync(path, given)
  assert.ok(existsSync(path), `${path} is missing: write it with OUTRIGGER_GOLDEN=write and read it`)
  assert.equal(given, readFileSync(path, 'utf8'))
}

for (const name of cases('errors')) {
  test(`error: ${name}`, () => {
    const result = load('errors', name)
    assert.ok(!result.ok, 'it loads')
    const text = `${formatConfigErrors(result.errors)}\n`
    assert.ok(!text.includes(environment.SECRET), 'the value of a secret stands in an error')
    compare('errors', name, text)
  })
}

for (const name of cases('loads')) {
  test(`loads: ${name}`, () => {
    const result = load('loads', name)
    assert.ok(result.ok, result.ok ? '' : formatConfigErrors(result.errors))
    const main = statSync(join(here, 'loads', name)).isDirectory()
      ? (readdirSync(join(here, 'loads', name)).find(file => /^[a-z]+\.yaml$/.test(file) && file !== 'production.yaml') ?? '')
      : ''
    const show = /^# show: (\S+)/.exec(readFileSync(join(here, 'loads', name, main), 'utf8'))?.[1] ?? ''
    // The place of the checkout is no part of what is expected.
    const text = JSON.stringify(part(result.config, show), null, 1).replaceAll(here, '/golden/')
    compare('loads', name, `${text}\n`)
  })
}

function part(value: unknown, path: string): unknown {
  let found = value
  for (const key of path === '' ? [] : path.split('.')) {
    // Paths of the cases lead through maps and lists only.
    found = (found as Record<string, unknown>)[key]
  }
  return found
}

test('there are at least 60 error cases', () => {
  assert.ok(cases('errors').length >= 60)
})

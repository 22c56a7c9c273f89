import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { runChild } from './child.ts'
import { installLine, neededBy, needs } from './needs.ts'
import type { Result } from './test-file.ts'
import { runTestFile } from './test-file.ts'

let folder: string
before(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'outrigger-run-test-'))
})
after(() => rmSync(folder, { recursive: true, force: true }))

const NEEDS = pathToFileURL(path.join(import.meta.dirname, 'needs.ts')).href
const HEAD = `import { test, describe } from 'node:test'\nimport { needs } from '${NEEDS}'\n`

/** Runs a planted test file as the runner does. */
async function planted(body: string, env: NodeJS.ProcessEnv = {}, timeout = 20_000): Promise<Result> {
  const file = path.join(folder, `planted-${process.hrtime.bigint()}.test.ts`)
  writeFileSync(file, HEAD + body)
  return runTestFile(file, folder, { ...process.env, NODE_TEST_CONTEXT: undefined, ...env }, timeout)
}

test('passes, failures, skips and nested ones are counted once each', async () => {
  const result = await planted(`
    test('a', () => {})
    test('b', { skip: 'for a reason' }, () => {})
    describe('suite', () => {
      test('c', () => { throw new Error('planted failure') })
      test('d', () => {})
    })`)
  assert.deepEqual(result.tally, { passed: 2, failed: 1, skipped: 1 })
  assert.match(result.report, /suite > c\n.*planted-.*\.test\.ts:\d+:\d+\n.*Error: planted failure/)
  assert.deepEqual(result.missing, [])
})

test('what a test measured is told, and nothing else that it prints', async () => {
  const result = await planted(`
    test('a', t => { t.diagnostic('0 of 750'); console.log('noise') })
    test('b', () => {})`)
  assert.deepEqual(result.tally, { passed: 2, failed: 0, skipped: 0 })
  assert.deepEqual(result.said, ['0 of 750'])
  assert.equal(result.report, '')
})

test('a file without a test is a failure', async () => {
  const result = await planted('process.exit(0)')
  assert.deepEqual(result.tally, { passed: 0, failed: 1, skipped: 0 })
  assert.match(result.report, /holds no test/)
})

test('a file that breaks on import is a failure, and its output is shown', async () => {
  const result = await planted(`throw new Error('planted on import')`)
  assert.deepEqual(result.tally, { passed: 0, failed: 1, skipped: 0 })
  assert.match(result.report, /exit code 1.*planted on import/s)
})

test('an error after the last test is a failure, with its stack', async () => {
  const result = await planted(
    `test('a', () => { setTimeout(() => { throw new Error('planted late') }, 20) })`,
  )
  assert.deepEqual(result.tally, { passed: 1, failed: 1, skipped: 0 })
  assert.match(result.report, /Error: planted late\n\s+at /)
})

test('a file that exits in the midst of its tests is a failure', async () => {
  const result = await planted(`test('a', () => {})\ntest('b', () => process.exit(7))`)
  assert.equal(result.tally.failed, 1)
  assert.match(result.report, /exit code 7/)
})

test('a file that leaves something open is killed and named', async () => {
  const result = await planted(`test('a', () => { setInterval(() => {}, 1000) })`, {}, 1000)
  assert.deepEqual(result.tally, { passed: 1, failed: 1, skipped: 0 })
  assert.match(result.report, /did not end within 1 s.*the last test that ended: a/s)
})

test('what a test started does not outlive it', async () => {
  const script = `const { spawn } = require('node:child_process')
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' })
    console.log(child.pid)
    child.unref()
    process.exit(0)`
  const end = await runChild(process.execPath, ['-e', script], process.env, 10_000)
  assert.equal(end.code, 0)
  const pid = Number(end.output)
  assert.ok(pid > 1)
  // Killed, so it goes within moments; a zombie that nobody has reaped is gone too.
  const deadline = performance.now() + 5000
  while (alive(pid)) {
    assert.ok(performance.now() < deadline, `process ${pid} still runs`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
})

test('a missing program skips and is named; with OUTRIGGER_REQUIRE=all it fails', async () => {
  // curl and wrk stand where only PATH leads to.
  const body = `test('a', needs('wrk'), () => {})\ntest('b', needs('curl', 'wrk'), () => {})`
  const result = await planted(body, { PATH: '', OUTRIGGER_REQUIRE: undefined })
  assert.deepEqual(result.tally, { passed: 0, failed: 0, skipped: 2 })
  assert.deepEqual(result.missing, [['wrk'], ['curl', 'wrk']])
  const required = await planted(body, { PATH: '', OUTRIGGER_REQUIRE: 'all' })
  assert.deepEqual(required.tally, { passed: 0, failed: 1, skipped: 0 })
  assert.match(required.report, /OUTRIGGER_REQUIRE=all, and wrk is not installed: (apt-get|brew) install wrk/)
  assert.deepEqual(neededBy('for a reason'), [])
})

test('the line that installs a program fits the machine', () => {
  assert.equal(installLine('nginx', 'linux'), 'apt-get install nginx-light')
  assert.equal(installLine('nginx', 'darwin'), 'brew install nginx')
  assert.equal(installLine('ip', 'darwin'), 'not available on macOS')
  assert.deepEqual(needs(), { skip: false })
})

function alive(pid: number): boolean {
  try {
    return !/\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch (error) {
    assert.ok(error instanceof Error && 'code' in error && error.code === 'ENOENT', String(error))
    return false
  }
}

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import { needs, programPath } from '../harness/needs.ts'

// What deploys Outrigger, as far as it can be tried without an engine; test/engine/ runs the containers.

const ROOT = path.resolve(import.meta.dirname, '..', '..')
/** `systemd-analyze security` says 1.7 of ten; a directive that is lost raises it. */
const MAX_EXPOSURE = 20
const run = promisify(execFile)

const folder = mkdtempSync(path.join(os.tmpdir(), 'outrigger-deploy-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** The unit with the launcher of this checkout in the place of an installed one. */
function unit(change: (text: string) => string = text => text): string {
  const file = path.join(folder, 'outrigger.service')
  const text = readFileSync(path.join(ROOT, 'deploy', 'outrigger.service'), 'utf8')
  assert.match(text, /^ExecStart=\/usr\/local\/bin\/outrigger run /m)
  const launcher = path.join(ROOT, 'bin', 'outrigger.js')
  writeFileSync(file, change(text.replace('/usr/local/bin/outrigger', launcher)))
  return file
}

test('the systemd unit is valid, and what is not is noticed', needs('systemd-analyze'), async () => {
  const verify = async (file: string): Promise<string> =>
    (await run(programPath('systemd-analyze') ?? '', ['verify', '--man=no', file])).stderr
  assert.equal(await verify(unit()), '')
  assert.match(await verify(unit(text => text.replace('KillMode=mixed', 'KillMode=mild'))), /kill mode/)
})

test('the systemd unit is hardened', needs('systemd-analyze'), async () => {
  const threshold = `--threshold=${MAX_EXPOSURE}`
  const judge = (file: string): Promise<unknown> =>
    run(programPath('systemd-analyze') ?? '', ['security', '--offline=true', threshold, file])
  await judge(unit())
  await assert.rejects(judge(unit(text => text.replaceAll(/^SystemCallFilter=.*$/gm, ''))))
})

test('the alert rules fire when they should and not before', needs('promtool'), async () => {
  const file = path.join(ROOT, 'examples', 'compose', 'prometheus', 'alerts.test.yml')
  const { stdout } = await run(programPath('promtool') ?? '', ['test', 'rules', file])
  assert.match(stdout, /SUCCESS/)
})

for (const file of ['docker-compose.yml', 'examples/compose-dev/docker-compose.yml']) {
  test(`${file} is valid for Compose`, needs('docker-compose'), async () => {
    await run(programPath('docker-compose') ?? '', ['-f', path.join(ROOT, file), 'config', '--quiet'])
  })
}

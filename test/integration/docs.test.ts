import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { hash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { PLACES } from '../../examples/quickstart/ports.ts'
import { Authority } from '../../sidecar/certificates/authority.ts'
import { formatConfigErrors } from '../../sidecar/config/config-error.ts'
import { loadConfig } from '../../sidecar/config/load/load.ts'
import { freeBase } from '../harness/guided-run.ts'
import { needs } from '../harness/needs.ts'
import { blocksOf, commandsOf, type Block } from './markdown.ts'
import { PAGES, read, ROOT } from './pages.ts'

// What the documentation says is tried: its configurations load, its commands print what it shows. How a block is marked stands in docs/contributing.md.

const folder = mkdtempSync(path.join(os.tmpdir(), 'outrigger-docs-'))
for (const name of ['config', 'examples']) symlinkSync(path.join(ROOT, name), path.join(folder, name))
after(() => rmSync(folder, { recursive: true, force: true }))

// What `outrigger certs` leaves where docs/tls.md calls it.
before(async () => {
  const now = Date.now()
  const life = { notBefore: now - 1000, notAfter: now + 86_400_000 }
  const { authority } = await Authority.create({ commonName: 'docs', ...life })
  mkdirSync(path.join(folder, 'certs'))
  writeFileSync(path.join(folder, 'certs', 'ca.crt'), authority.cert)
  for (const name of ['orders', 'users', 'edge', 'www']) {
    const { cert, key } = await authority.issue({
      commonName: name,
      uris: [`spiffe://shop/${name}`],
      ...life,
    })
    writeFileSync(path.join(folder, 'certs', `${name}.crt`), cert)
    writeFileSync(path.join(folder, 'certs', `${name}.key`), key, { mode: 0o600 })
  }
})

/** A configuration that a fragment stands in, by the kind of the fragment. */
const AROUND: Readonly<Record<string, (text: string) => string>> = {
  routes: text => `${listenerWith(`    routes:\n${indent(text, 6)}`)}${APP}`,
  route: text => `${listenerWith(`    routes:\n${ROUTE}${indent(text, 8)}`)}${APP}`,
  top: text => `${listenerWith('    respond: { status: 204 }\n')}${text}`,
}
const ROUTE = '      - name: only\n        match: { path: "/{tenant}/{id}" }\n        upstream: app\n'
const APP =
  'upstreams: { app: { url: "http://127.0.0.1:3000" }, app-next: { url: "http://127.0.0.1:3001" } }\n'

function listenerWith(rest: string): string {
  return `version: 1
service: docs
listeners:
  - name: in
    role: inbound
    address: ":8080"
${rest}`
}

function indent(text: string, columns: number): string {
  return text.replace(/^(?=.)/gm, ' '.repeat(columns))
}

/** Writes a page's named files, so that its commands and overlays find them. */
function writeFiles(page: string): void {
  for (const block of blocksOf(read(page))) {
    const name = block.marks['file']
    if (name !== undefined) writeFileSync(path.join(folder, name), block.text)
  }
}

describe('configurations', () => {
  for (const page of PAGES) {
    const blocks = blocksOf(read(page)).filter(block => block.language === 'yaml')
    for (const block of blocks) {
      test(`${page}:${block.line} loads`, () => {
        writeFiles(page)
        const result = loadConfig(sourcesOf(block), { env: envOf(block), secrets: true })
        const said = result.ok ? '' : formatConfigErrors(result.errors)
        if (block.marks['error'] === undefined) assert.equal(said, '')
        else assert.notEqual(said, '')
      })
    }
  }
})

function sourcesOf(block: Block): string[] {
  const named = block.marks['file']
  if (named !== undefined) return [path.join(folder, named)]
  const [kind = 'whole', base = ''] = (block.marks['yaml'] ?? 'whole').split(' ')
  if (kind === 'overlay') {
    writeFileSync(path.join(folder, base.replace(/\.yaml$/, '.production.yaml')), block.text)
    return [path.join(folder, base)]
  }
  const around = kind === 'whole' && !block.text.startsWith('version:') ? AROUND['route'] : AROUND[kind]
  const file = path.join(folder, 'block.yaml')
  writeFileSync(file, around === undefined ? block.text : around(block.text))
  return [file]
}

function envOf(block: Block): string | undefined {
  return block.marks['yaml']?.startsWith('overlay ') === true ? 'production' : undefined
}

describe('commands', needs('curl'), () => {
  let base = 0
  let stop = async (): Promise<void> => {}
  before(async () => {
    base = await freeBase(PLACES)
    stop = await startQuickStart(base)
  })
  after(async () => stop())

  for (const page of PAGES) {
    for (const block of blocksOf(read(page)).filter(one => one.language === 'console')) {
      for (const { command, output } of commandsOf(block.text)) {
        test(`${page}:${block.line}: ${command}`, async () => {
          writeFiles(page)
          assert.equal(settled(await run(command, base)), settled(output))
        })
      }
    }
  }
})

/** Runs a command of the documentation as a reader would, without a shell. Both streams, errors first. */
async function run(command: string, base: number): Promise<string> {
  const words = [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')
  const [program = '', ...args] = words
  if (program === 'curl') {
    const own = args.map(word =>
      word.replace(/(?<=127\.0\.0\.1:)\d+/, port => String(Number(port) - 8000 + base)),
    )
    return (await promisify(execFile)('curl', ['-sS', '--max-time', '10', ...own])).stdout.replaceAll(
      '\r',
      '',
    )
  }
  assert.match(program, /^(\.\/bin\/outrigger\.js|outrigger)$/, command)
  const launcher = path.join(ROOT, 'bin', 'outrigger.js')
  const child = spawn(process.execPath, [launcher, ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, OUTRIGGER_ENV: '' },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  await once(child, 'close')
  return stderr + stdout
}

/** Without what is another one each time: dates and request ids. */
function settled(text: string): string {
  return text
    .trim()
    .replace(/^date: .*$/gim, 'date: then')
    .replace(/\b[0-9a-f]{24}\b/g, 'id')
}

/** @returns stops it */
async function startQuickStart(base: number): Promise<() => Promise<void>> {
  const script = path.join(ROOT, 'examples', 'quickstart', 'start.ts')
  const child = spawn(process.execPath, [script, '--port-base', String(base)], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  let text = ''
  await new Promise<void>((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part
      if (text.includes('Ctrl-C stops everything.')) resolve()
    })
    void ended.then(() => reject(new Error(`the quick start ended:\n${text}`)))
  })
  return async () => {
    child.kill('SIGINT')
    await ended
  }
}

test('the example keys are real: whoever tries the page gets in, and no guess does', () => {
  const page = read('docs/authentication.md')
  const [, key = '', entry = ''] =
    /^key {4}(\S+)\nentry {2}apiKeys: \[\{ sha256: (\w+) \}\]$/m.exec(page) ?? []
  // As `outrigger keys new` makes it.
  assert.match(key, /^og_[\w-]{43}$/)
  const [, password = ''] = /`printf (\S+) \| outrigger keys digest`/.exec(page) ?? []
  const digests = new Set([...page.matchAll(/sha256: (\w+)/g)].map(match => match[1]))
  assert.deepEqual(digests, new Set([hash('sha256', key), hash('sha256', password)]))
  assert.equal(entry, hash('sha256', key))
})

import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { firstBusy, portsFrom } from '../../examples/quickstart/ports.ts'
import { Authority } from '../../sidecar/certificates/authority.ts'
import { formatConfigErrors } from '../../sidecar/config/config-error.ts'
import { loadConfig } from '../../sidecar/config/load/load.ts'
import { needs } from '../harness/needs.ts'
import { anchorsOf, blocksOf, commandsOf, linksOf, type Block } from './markdown.ts'

// What the documentation says is tried: its configurations load, its commands print what it shows, its links lead
// somewhere, and what it names exists. How a block is marked stands in docs/contributing.md.

const ROOT = path.resolve(import.meta.dirname, '..', '..')
const PAGES = globSync(
  ['*.md', 'docs/**/*.md', 'sidecar/**/*.md', 'bench/*.md', 'examples/**/*.md', 'test/**/*.md'],
  { cwd: ROOT, exclude: ['**/node_modules/**'] },
).toSorted()
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8')

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
    base = await freeBase()
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

async function freeBase(): Promise<number> {
  for (;;) {
    const candidate = 10_000 + Math.floor(Math.random() * 12_000)
    if ((await firstBusy(portsFrom(candidate))) === null) return candidate
  }
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

describe('links', () => {
  for (const page of PAGES) {
    test(`${page}: every link leads to a file, and to a heading of it`, () => {
      for (const { target, line } of linksOf(read(page))) {
        if (/^[a-z]+:/.test(target)) continue
        const [name = '', anchor] = target.split('#')
        const file = name === '' ? page : path.join(path.dirname(page), name)
        assert.ok(existsSync(path.join(ROOT, file)), `${page}:${line}: ${target}`)
        if (anchor !== undefined) assert.ok(anchorsOf(read(file)).has(anchor), `${page}:${line}: ${target}`)
      }
    })
  }

  test('what the code cites of the documentation is there', () => {
    for (const file of globSync('{sidecar,test,bench,examples,bin}/**/*.{ts,js}', {
      cwd: ROOT,
      exclude: ['**/node_modules/**', 'test/golden/**'],
    })) {
      for (const [cited, page = '', heading] of read(file).matchAll(/docs\/([\w/-]+\.md)(?:, "([^"]+)")?/g)) {
        const target = path.join('docs', page)
        assert.ok(existsSync(path.join(ROOT, target)), `${file}: ${cited}`)
        if (heading === undefined) continue
        const headings = [...read(target).matchAll(/^#+ (.+)$/gm)].map(([, title]) => title)
        assert.ok(headings.includes(heading), `${file}: ${cited}`)
      }
    }
  })

  test('every page of docs/ is reached from README.md', () => {
    const reached = new Set(['README.md'])
    for (const page of reached) {
      for (const { target } of linksOf(read(page))) {
        const file = path.join(path.dirname(page), target.split('#')[0] ?? '')
        if (PAGES.includes(file)) reached.add(file)
      }
    }
    assert.deepEqual(
      PAGES.filter(page => page.startsWith('docs/') && !reached.has(page)),
      [],
    )
  })
})

describe('what is named exists', () => {
  test('sidecar/README.md: every file and function, and the steps of handle.ts in their order', () => {
    const page = read('sidecar/README.md')
    for (const [file] of page.matchAll(/(?<![\w./])[a-z0-9]+\/[a-z0-9/-]+\.ts\b/g)) {
      const place = file.startsWith('test/') ? file : path.join('sidecar', file)
      assert.ok(existsSync(path.join(ROOT, place)), file)
    }
    const named = [...page.matchAll(/`([\w.]+)`(?: and `(\w+)`)?\s+in\s+`([\w/.-]+\.ts)`/g)]
    assert.ok(named.length > 30, `${named.length} names found`)
    const steps: number[] = []
    for (const [, first = '', second, file = ''] of named) {
      const source = read(path.join('sidecar', file))
      for (const name of second === undefined ? [first] : [first, second])
        assert.ok(declares(source, name), `${name} in ${file}`)
      if (file === 'proxy/handle.ts' && first !== 'handle' && first !== 'refuse')
        steps.push(source.search(new RegExp(`^function ${first}\\b`, 'm')))
    }
    assert.deepEqual(
      steps,
      [...steps].toSorted((a, b) => a - b),
    )
    assert.ok(steps.length >= 4)
  })

  test('docs/security.md: every test file', () => {
    const files = [...read('docs/security.md').matchAll(/`([\w/.-]+\.test\.ts)`/g)].map(
      ([, file = '']) => file,
    )
    assert.ok(files.length > 20)
    for (const file of files) assert.ok(existsSync(path.join(ROOT, file)), file)
  })

  test('docs/dependencies.md: the dependencies of package.json, each at its place', () => {
    // It is our own manifest.
    const manifest = JSON.parse(read('package.json')) as Record<string, Record<string, string> | undefined>
    const sections = read('docs/dependencies.md').split(/^## /m)
    const inSection = (start: string): string => sections.find(one => one.startsWith(start)) ?? ''
    const [now, dev, later] = ['At run time', 'For development', 'Chosen'].map(inSection)
    for (const name of Object.keys({ ...manifest['dependencies'], ...manifest['optionalDependencies'] }))
      assert.ok(now?.includes(`\`${name}\``), name)
    for (const name of Object.keys(manifest['devDependencies'] ?? {}))
      assert.ok(dev?.includes(`\`${name}\``), name)
    const table = (text = ''): string[] =>
      [...text.matchAll(/^\| (`.*?`) \|/gm)].flatMap(([, cell = '']) => cell.replaceAll('`', '').split(', '))
    const all = { ...manifest['dependencies'], ...manifest['devDependencies'] }
    assert.deepEqual(
      [...table(now), ...table(dev)].filter(name => !(name in all)),
      [],
    )
    assert.deepEqual(
      table(later).filter(name => name in all),
      [],
    )
  })

  test('docs/dependencies.md: no script runs at an install, and the lock file has integrity and no addresses', () => {
    assert.match(read('.npmrc'), /^ignore-scripts=true$/m)
    // It is npm's own format.
    const lock = JSON.parse(read('package-lock.json')) as {
      packages: Record<string, Record<string, unknown>>
    }
    for (const [name, entry] of Object.entries(lock.packages)) {
      assert.ok(name === '' || 'integrity' in entry, name)
      assert.ok(!('resolved' in entry), name)
    }
  })

  test('docs/operations.md: every metric and every field of the access log, and no other', () => {
    const page = read('docs/operations.md')
    const places = [
      'sidecar/telemetry/*.ts',
      'sidecar/filters/**/*.ts',
      'sidecar/process/certificate-watch.ts',
    ]
    const sources = globSync(places, { cwd: ROOT, exclude: ['**/*.test.ts'] })
      .map(read)
      .join('\n')
    const metrics = [...sources.matchAll(/'((?:gateway|outrigger)_[a-z_]+)'/g)].map(([, name]) => name)
    const rows = [...page.matchAll(/^\| `((?:gateway|outrigger)_\w+)`/gm)].map(([, name]) => name)
    assert.deepEqual(new Set(rows), new Set(metrics))
    const log = read('sidecar/telemetry/access-log.ts')
    const fields = [...log.matchAll(/[,{]"([a-z_]+)":/g)].map(([, name]) => name)
    const section = page.split(/^## /m).find(one => one.startsWith('Access log')) ?? ''
    const told = [...section.matchAll(/^\| (`.*?`) \|/gm)].flatMap(([, cell = '']) =>
      cell.replaceAll('`', '').split(', '),
    )
    assert.deepEqual(new Set(told), new Set(fields))
  })
})

/** Whether a source declares a function, class or type, or (as `Class.method`) a method of one. */
function declares(source: string, name: string): boolean {
  const [owner = '', method] = name.split('.')
  const declared = new RegExp(
    `^(?:export )?(?:async )?(?:function|class|interface|type|const) ${owner}\\b`,
    'm',
  )
  if (!declared.test(source)) return false
  return method === undefined || new RegExp(`^ {2}(?:async )?${method}(?:<.*>)?\\(`, 'm').test(source)
}

import assert from 'node:assert/strict'
import { existsSync, globSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'
import { anchorsOf, linksOf } from './markdown.ts'
import { PAGES, read, ROOT } from './pages.ts'

// What the documentation names: its links lead somewhere, and the files, functions, metrics and packages exist.

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
    const places = ['sidecar/telemetry/*.ts', 'sidecar/filters/**/*.ts', 'sidecar/process/*-watch.ts']
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

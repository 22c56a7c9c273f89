import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'
import type { Sources } from './harness/house-rules.ts'
import {
  importCycles,
  longFiles,
  servedPackages,
  uncheckedTypes,
  undocumentedExports,
  vagueNames,
  wrongDirections,
  wrongPackages,
} from './harness/house-rules.ts'
import { importsOf, maskSource } from './harness/source-scan.ts'

const ROOT = path.resolve(import.meta.dirname, '..')

/** The sources of some folders, read from the checkout. */
function readSources(folders: string): Sources {
  const files = globSync(`{${folders}}/**/*.{ts,js}`, { cwd: ROOT, exclude: ['**/node_modules'] }).toSorted()
  return new Map(
    files.map(file => [file.replaceAll(path.sep, '/'), readFileSync(path.join(ROOT, file), 'utf8')]),
  )
}

const product = readSources('sidecar,injector')
const everything = readSources('sidecar,injector,examples,test,bench,bin')

/** Fails with all problems, one a line. */
function assertNone(problems: readonly string[]): void {
  assert.ok(problems.length === 0, `\n${problems.join('\n')}`)
}

/** Source files that exist only here. */
function planted(files: Record<string, string>): Sources {
  return new Map(Object.entries(files))
}

describe('the tree', () => {
  test('is found', () => assert.ok(product.has('sidecar/exchange/exchange.ts')))
  test('imports one way', () => assertNone(wrongDirections(product)))
  test('has no import cycle', () => assertNone(importCycles(everything)))
  test('loads packages only where they belong', () => assertNone(wrongPackages(product)))
  test('serves without zod and yaml', () => assertNone(servedPackages(product)))
  test('has no long file', () => assertNone(longFiles(everything)))
  test('has no vague name', () => assertNone(vagueNames(everything)))
  test('has a doc comment on every export', () => assertNone(undocumentedExports(product)))
  test('has no any', () => assertNone(uncheckedTypes(everything)))
  test('has a lock file without download addresses', () => {
    assert.doesNotMatch(
      readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8'),
      /"resolved"|hasInstallScript/,
    )
  })
})

describe('each check can fail', () => {
  /** What the direction check says about one import. */
  const direction = (from: string, statement: string): string[] =>
    wrongDirections(planted({ [from]: statement }))

  test('direction', () => {
    for (const [from, statement, why] of [
      ['sidecar/http1/a.ts', `import { x } from '../proxy/b.ts'`, 'proxy is above http1'],
      ['sidecar/http1/a.ts', `import type { X } from '../listener/b.ts'`, 'listener is above http1'],
      ['sidecar/http1/a.ts', `export { x } from '../listener/b.ts'`, 'listener is above http1'],
      ['sidecar/http1/a.ts', `const x = await import('../listener/b.ts')`, 'listener is above http1'],
      ['sidecar/http1/a.ts', `import '../listener/b.ts'`, 'listener is above http1'],
      [
        'sidecar/http1/a.ts',
        `import {\n  x,\n  type Y,\n} from '../listener/b.ts'`,
        'listener is above http1',
      ],
      ['sidecar/routing/a.ts', `import type { X } from '../filters/filter.ts'`, 'do not know each other'],
      ['sidecar/admin/a.ts', `import { x } from '../config/b.ts'`, 'do not know each other'],
      ['sidecar/exchange/a.ts', `import { x } from '../runtime/clock.ts'`, 'exchange is a leaf'],
      ['sidecar/runtime/a.ts', `import { x } from '../exchange/body.ts'`, 'runtime is a leaf'],
      ['sidecar/filters/cors/filter.ts', `import { x } from '../headers/filter.ts'`, 'a filter imports only'],
      ['sidecar/filters/cors/filter.ts', `import { x } from '../../telemetry/b.ts'`, 'a filter imports only'],
      ['sidecar/proxy/a.ts', `import { x } from '../filters/cors/filter.ts'`, 'only config/ imports'],
      ['sidecar/snapshot/a.ts', `import { x } from '../filters/cors/schema.ts'`, 'only config/ imports'],
      [
        'sidecar/proxy/a.ts',
        `import { x } from '../../test/harness/leaks.ts'`,
        'sidecar/ imports only sidecar/',
      ],
      ['sidecar/plumbing/a.ts', `import { x } from '../runtime/clock.ts'`, 'plumbing is no room'],
      ['injector/main.ts', `import { x } from '../sidecar/proxy/b.ts'`, 'the injector knows only config'],
      ['sidecar/process/a.ts', `import { x } from '../../injector/b.ts'`, 'sidecar/ imports only sidecar/'],
    ] as const) {
      const problems = direction(from, statement)
      assert.equal(problems.length, 1, `${from}: ${statement}`)
      assert.match(problems[0] ?? '', new RegExp(why))
    }
    for (const [from, statement] of [
      ['sidecar/proxy/a.ts', `import { x } from '../http1/b.ts'`],
      [
        'sidecar/proxy/a.ts',
        `// import { x } from '../process/b.ts'\nconst y = "import { x } from '../process/b.ts'"`,
      ],
      ['sidecar/snapshot/policies.ts', `import type { X } from '../filters/cors/schema.ts'`],
      ['sidecar/config/compile/a.ts', `import { x } from '../../filters/cors/filter.ts'`],
      ['sidecar/filters/cors/filter.ts', `import type { X } from '../filter.ts'`],
      ['injector/a.ts', `import { x } from '../sidecar/certificates/b.ts'`],
      ['sidecar/commands/a.ts', `import type { X } from '../../injector/b.ts'`],
      ['sidecar/http1/a.test.ts', `import { x } from '../../test/harness/leaks.ts'`],
    ] as const) {
      assert.deepEqual(direction(from, statement), [])
    }
  })

  test('cycles', () => {
    const [problem] = importCycles(
      planted({
        'a/a.ts': `import type { B } from './b.ts'`,
        'a/b.ts': `export { c } from './c.ts'`,
        'a/c.ts': `import './a.ts'`,
      }),
    )
    assert.equal(problem, 'a/a.ts -> a/b.ts -> a/c.ts -> a/a.ts')
  })

  test('packages', () => {
    const wrong = (file: string, statement: string): number =>
      wrongPackages(planted({ [file]: statement })).length
    assert.equal(wrong('sidecar/proxy/a.ts', `import { request } from 'undici'`), 1)
    assert.equal(wrong('sidecar/proxy/a.ts', `import { z } from 'zod/mini'`), 1)
    assert.equal(wrong('sidecar/proxy/a.ts', `import fc from 'fast-check'`), 1)
    assert.equal(wrong('sidecar/proxy/a.ts', `const u = await import('undici')`), 0)
    assert.equal(wrong('sidecar/proxy/a.ts', `import type { Dispatcher } from 'undici'`), 0)
    assert.equal(wrong('sidecar/proxy/a.ts', `import net from 'node:net'`), 0)
    assert.equal(wrong('sidecar/proxy/a.test.ts', `import fc from 'fast-check'`), 0)
    const chain = {
      'sidecar/process/start.ts': `import { x } from '../config/watch.ts'`,
      'sidecar/config/watch.ts': `import { y } from './load/schema.ts'`,
      'sidecar/config/load/schema.ts': `import { z } from 'zod'`,
    }
    assert.deepEqual(servedPackages(planted(chain)), [
      'sidecar/process/start.ts -> sidecar/config/watch.ts -> sidecar/config/load/schema.ts -> zod',
    ])
    const typeOnly = { ...chain, 'sidecar/config/watch.ts': `import type { Y } from './load/schema.ts'` }
    assert.deepEqual(servedPackages(planted(typeOnly)), [])
  })

  test('length and names', () => {
    assert.equal(longFiles(planted({ 'a.ts': 'x\n'.repeat(331) })).length, 1)
    assert.equal(longFiles(planted({ 'a.ts': 'x\n'.repeat(330) })).length, 0)
    for (const name of [
      'sidecar/utils.ts',
      'sidecar/helpers/a.ts',
      'a/common.ts',
      'a/test-helpers.ts',
      'a/util/b.ts',
    ]) {
      assert.equal(vagueNames(planted({ [name]: '' })).length, 1, name)
    }
    assert.equal(vagueNames(planted({ 'a/uncommon-names.ts': '' })).length, 0)
  })

  test('doc comments', () => {
    const bare = (text: string): number => undocumentedExports(planted({ 'sidecar/proxy/a.ts': text })).length
    for (const declaration of [
      'function f() {}',
      'async function f() {}',
      'class F {}',
      'interface F {}',
      'type F = 1',
    ]) {
      assert.equal(bare(`const a = 1\nexport ${declaration}`), 1, declaration)
      assert.equal(bare(`// not a doc comment\nexport ${declaration}`), 1, declaration)
      assert.equal(bare(`/* nor this */\nexport ${declaration}`), 1, declaration)
      assert.equal(bare(`/** What it is. */\nexport ${declaration}`), 0, declaration)
      assert.equal(bare(`/** Of something else. */\nconst a = 1\nexport ${declaration}`), 1, declaration)
    }
  })

  test('any', () => {
    const unchecked = (text: string): number => uncheckedTypes(planted({ 'a.ts': text })).length
    // Put together here, so that this file itself holds none.
    const word = ['a', 'ny'].join('')
    for (const use of [
      'let a: W',
      'f(a as W)',
      'let a: W[]',
      'let a: Map<string, W>',
      'type A = W',
      'f<W>(a)',
      '(a: W) => a',
    ]) {
      assert.equal(unchecked(use.replace('W', word)), 1, use)
    }
    for (const fine of [
      '// W: any',
      `const a = ': any'`,
      '/** as any word */',
      'Promise.any(a)',
      'const b = { any: 1 }',
    ]) {
      assert.equal(unchecked(fine), 0, fine)
    }
    assert.equal(unchecked(['// @ts', 'ignore'].join('-')), 1)
  })
})

describe('the source scan', () => {
  test('blanks what is no code and keeps places', () => {
    const text =
      "a = 'it\\'s' // no\nb = `x${ {y: '}'}['y'] }z` /* no\n no */ + c / d / e\nf = /[/'\"]/.test(g)\n"
    const masked = maskSource(text)
    assert.equal(masked.length, text.length)
    assert.equal(
      masked.replaceAll(/ +/g, ' '),
      "a = ' '\nb = ` `\n + c / d / e\nf = / /.test(g)\n".replace('`\n', '` \n').replace("'\n", "' \n"),
    )
  })

  test('finds imports of every kind', () => {
    const text = [
      `import a from 'a'`,
      `import type { B } from 'b'`,
      `import { type C } from "c"`,
      `import * as d from 'd'`,
      `import 'e'`,
      `export * from 'f'`,
      `export type { G } from 'g'`,
      `const h = await import('h')`,
      `export const from = 'not'`,
      `const i = \`import j from 'not'\``,
      `import k, { l } from 'k'`,
    ].join('\n')
    const found = importsOf(text).map(({ specifier, kind, line }) => `${specifier} ${kind} ${line}`)
    assert.deepEqual(found.toSorted(), [
      ...[
        'a value 1',
        'b type 2',
        'c value 3',
        'd value 4',
        'e value 5',
        'f value 6',
        'g type 7',
        'h dynamic 8',
      ],
      'k value 11',
    ])
  })
})

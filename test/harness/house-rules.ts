import path from 'node:path'
import type { Import } from './source-scan.ts'
import { importsOf, maskSource } from './source-scan.ts'

/** Source files by their path in the checkout, with forward slashes. */
export type Sources = ReadonlyMap<string, string>

/** The rooms of sidecar/, from top to bottom. A file imports its own room and those of later lines. */
export const ROOMS: readonly (readonly string[])[] = [
  ['main.ts'],
  ['commands'],
  ['process'],
  ['config', 'admin'],
  ['listener'],
  ['proxy'],
  ['snapshot'],
  ['routing', 'filters', 'upstream'],
  ['http1', 'http2', 'websocket'],
  ['telemetry'],
  ['kubernetes'],
  ['exchange'],
  ['runtime'],
  ['certificates'],
]

/** The leaves: they import nothing of ours but their own room. */
const LEAVES = new Set(['exchange', 'runtime', 'certificates'])

/** What the injector may use of sidecar/. */
const INJECTOR_ROOMS = new Set(['config', 'telemetry', 'kubernetes', 'runtime', 'certificates'])

/**
 * The packages that a file of sidecar/ may load with itself, and where. What is not here comes by `import()`, so that
 * it is loaded only where it is configured. Type imports are free: they are erased.
 */
export const STATIC_PACKAGES: Readonly<
  Record<string, { readonly under: readonly string[]; readonly why: string }>
> = {
  zod: {
    under: ['config/load/'],
    why: 'runs in the forked child and in the commands that check, never where requests are',
  },
  yaml: { under: ['config/load/'], why: 'as zod' },
  re2js: {
    under: ['routing/', 'config/load/'],
    why: 'compiles the linear-time regular expressions of routes',
  },
  cockatiel: { under: ['upstream/'], why: 'when a circuit breaker opens, synchronously; one file of it' },
  'prom-client': { under: ['telemetry/'], why: 'its registry holds the process and low-cardinality metrics' },
  'lru-cache': {
    under: ['upstream/', 'routing/', 'filters/', 'telemetry/', 'config/'],
    why: 'every bounded cache',
  },
  '@peculiar/x509': { under: ['certificates/'], why: 'makes certificates; never where requests are' },
  'reflect-metadata': { under: ['certificates/'], why: 'what @peculiar/x509 needs' },
  'fast-check': { under: [''], why: 'property tests; it is in no file but tests' },
}

/** What the process that serves must never load; the chain that leads there is reported. */
const NEVER_SERVED = new Set(['zod', 'yaml', '@peculiar/x509'])

/** Names that say nothing about what is inside. */
const VAGUE = /(^|[/-])(utils?|helpers?|common|misc|shared)([-./]|$)/

const MAX_LINES = 330

const isTest = (file: string): boolean => file.endsWith('.test.ts')

interface Edge extends Import {
  /** The file it leads to, or null for a package. */
  readonly target: string | null
}

function edgesOf(file: string, text: string): Edge[] {
  return importsOf(text).map(one => ({
    ...one,
    target: one.specifier.startsWith('.') ? path.posix.join(path.posix.dirname(file), one.specifier) : null,
  }))
}

/** The room of a file under sidecar/, or null for a file elsewhere. */
function roomOf(file: string): string | null {
  const [top, room] = file.split('/')
  return top === 'sidecar' && room !== undefined ? room : null
}

const rankOf = (room: string): number => ROOMS.findIndex(rooms => rooms.includes(room))

/** Imports against the direction, type imports included. */
export function wrongDirections(sources: Sources): string[] {
  const problems: string[] = []
  for (const [file, text] of sources) {
    for (const { target, kind, line } of edgesOf(file, text)) {
      if (target === null) continue
      const why = wrongImport(file, target, kind)
      if (why !== null) problems.push(`${file}:${line} imports ${target}: ${why}`)
    }
  }
  return problems
}

function wrongImport(file: string, target: string, kind: Import['kind']): string | null {
  const to = roomOf(target)
  if (file.startsWith('injector/') && to !== null && !INJECTOR_ROOMS.has(to))
    return `the injector knows only ${[...INJECTOR_ROOMS].join(', ')}`
  const from = roomOf(file)
  if (from === null) return null
  if (rankOf(from) < 0) return `${from} is no room of sidecar/`
  if (to === null) {
    if (isTest(file) && target.startsWith('test/harness/')) return null
    // The commands of the injector; `servedPackages` sees that they load it when they are called.
    if (target.startsWith('injector/') && from === 'commands') return null
    return /^(package\.json|sidecar\/)/.test(target) ? null : 'sidecar/ imports only sidecar/'
  }
  if (rankOf(to) < 0) return `${to} is no room of sidecar/`
  return wrongFilterImport(file, target, kind) ?? wrongRank(from, to)
}

function wrongRank(from: string, to: string): string | null {
  if (from === to) return null
  if (LEAVES.has(from)) return `${from} is a leaf`
  if (rankOf(to) > rankOf(from)) return null
  return rankOf(to) === rankOf(from) ? `${from} and ${to} do not know each other` : `${to} is above ${from}`
}

/** Filters know the contract and the leaves; of the filters, only config/ knows which there are. */
function wrongFilterImport(file: string, target: string, kind: Import['kind']): string | null {
  const own = /^sidecar\/filters\/[^/]+\//.exec(file)?.[0]
  if (own !== undefined) {
    const to = roomOf(target) ?? ''
    const contract = ['sidecar/filters/filter.ts', 'sidecar/filters/live-fixture.ts'].includes(target)
    const allowed = target.startsWith(own) || contract || LEAVES.has(to)
    return allowed ? null : 'a filter imports only filters/filter.ts, its own folder and the leaves'
  }
  const isFilterItself = /^sidecar\/filters\/([^/]+\/|schemas\.ts|filters\.ts)/.test(target)
  if (!isFilterItself || roomOf(file) === 'filters' || roomOf(file) === 'config') return null
  const isPolicyType =
    file.startsWith('sidecar/snapshot/') && kind === 'type' && target.endsWith('/schema.ts')
  return isPolicyType ? null : 'only config/ imports single filters'
}

/** Files that import each other in a circle, type imports included. */
export function importCycles(sources: Sources): string[] {
  const problems: string[] = []
  const done = new Set<string>()
  const visit = (file: string, trail: readonly string[]): void => {
    const seenAt = trail.indexOf(file)
    if (seenAt >= 0) {
      problems.push([...trail.slice(seenAt), file].join(' -> '))
      return
    }
    if (done.has(file)) return
    for (const { target } of edgesOf(file, sources.get(file) ?? '')) {
      if (target !== null && sources.has(target)) visit(target, [...trail, file])
    }
    done.add(file)
  }
  for (const file of sources.keys()) visit(file, [])
  return problems
}

/** Packages that are loaded with a file where they must not be. */
export function wrongPackages(sources: Sources): string[] {
  const problems: string[] = []
  for (const [file, text] of sources) {
    if (roomOf(file) === null) continue
    for (const { target, specifier, kind, line } of edgesOf(file, text)) {
      if (target !== null || kind !== 'value' || specifier.startsWith('node:')) continue
      const name = packageOf(specifier)
      const places = STATIC_PACKAGES[name]?.under ?? []
      if (name === 'fast-check' && !isTest(file))
        problems.push(`${file}:${line} imports ${name}: only tests do`)
      if (isTest(file) || places.some(place => file.startsWith(`sidecar/${place}`))) continue
      problems.push(
        `${file}:${line} imports ${name} statically; see STATIC_PACKAGES in test/harness/house-rules.ts`,
      )
    }
  }
  return problems
}

/** Chains of static value imports by which the serving process would load a package that it never may. */
export function servedPackages(sources: Sources): string[] {
  const problems: string[] = []
  const seen = new Set<string>()
  const visit = (file: string, trail: readonly string[]): void => {
    if (seen.has(file)) return
    seen.add(file)
    for (const { target, specifier, kind } of edgesOf(file, sources.get(file) ?? '')) {
      if (kind !== 'value') continue
      if (target === null && NEVER_SERVED.has(packageOf(specifier))) {
        problems.push([...trail, file, packageOf(specifier)].join(' -> '))
      }
      if (target !== null && sources.has(target)) visit(target, [...trail, file])
    }
  }
  for (const file of sources.keys()) {
    const serves =
      file === 'sidecar/main.ts' || file === 'sidecar/commands/run.ts' || roomOf(file) === 'process'
    if (serves && !isTest(file)) visit(file, [])
  }
  return problems
}

function packageOf(specifier: string): string {
  const [first = '', second = ''] = specifier.split('/')
  return first.startsWith('@') ? `${first}/${second}` : first
}

/** Files that are too long. */
export function longFiles(sources: Sources): string[] {
  return [...sources]
    .map(([file, text]) => ({ file, lines: text.replace(/\n$/, '').split('\n').length }))
    .filter(({ lines }) => lines > MAX_LINES)
    .map(({ file, lines }) => `${file}: ${lines} lines, ${MAX_LINES} at most`)
}

/** Files and folders whose name says nothing. */
export function vagueNames(sources: Sources): string[] {
  return [...sources.keys()].filter(file => VAGUE.test(file)).map(file => `${file}: name it for what it is`)
}

/** Exported functions, classes and types of sidecar/ without a doc comment. */
export function undocumentedExports(sources: Sources): string[] {
  const problems: string[] = []
  for (const [file, text] of sources) {
    if (roomOf(file) === null || isTest(file)) continue
    const seen = new Set<string>()
    const declared =
      /^export (?:default )?(?:declare )?(?:async |abstract )?(?:function\*?|class|interface|type) +(\w+)/gm
    for (const match of maskSource(text).matchAll(declared)) {
      const [, name = ''] = match
      const isOverload = seen.has(name)
      seen.add(name)
      const before = text.slice(0, match.index).trimEnd()
      const comment = before.slice(before.lastIndexOf('/*'))
      if (isOverload || (before.endsWith('*/') && comment.startsWith('/**'))) continue
      problems.push(`${file}:${before.split('\n').length + 1} exports ${name} without a doc comment`)
    }
  }
  return problems
}

/** `any`, and comments that switch the type checker off. */
export function uncheckedTypes(sources: Sources): string[] {
  const problems: string[] = []
  for (const [file, text] of sources) {
    const masked = maskSource(text).split('\n')
    for (const [index, line] of text.split('\n').entries()) {
      if (/@ts-(ignore|nocheck)/.test(line))
        problems.push(`${file}:${index + 1} switches the type checker off`)
      if (/(?:[:<,|&(=]|\bas|=>)\s*any\b(?!\s*[:(=.])/.test(masked[index] ?? '')) {
        problems.push(`${file}:${index + 1} uses any`)
      }
    }
  }
  return problems
}

import { isDeepStrictEqual } from 'node:util'
import type { Tags } from 'yaml'
import { Document, parseDocument } from 'yaml'
import type { Report } from './report.ts'
import type { Settings } from './settings.ts'
import type { PodPlace } from './workloads.ts'
import { editDocument } from './edit-yaml.ts'
import { keepLines } from './keep-lines.ts'
import { mutate } from './mutate.ts'
import { readPod } from './pod.ts'
import { restore } from './restore.ts'
import { podsOf, withValue } from './workloads.ts'

/** What was done with one pod of a manifest. */
export interface Finding {
  readonly place: PodPlace
  /** As it is now. */
  readonly pod: unknown
  readonly report: Report
}

/** A manifest after a command. */
export interface ChangedManifest {
  readonly text: string
  readonly objects: readonly unknown[]
  readonly findings: readonly Finding[]
  /** What a user has to know of the text itself. */
  readonly notes: readonly string[]
}

/** One pod, changed or not. */
type Change = (place: PodPlace) => { readonly pod: unknown; readonly report: Report }

/** As kubectl reads: YAML 1.1 (`yes` is true, 0644 is octal), without its times and base 60. */
const KUBERNETES = {
  version: '1.1',
  logLevel: 'error',
  customTags: (tags: Tags): Tags => tags.filter(tag => !isForeign(tag)),
} as const

function isForeign(tag: Tags[number]): boolean {
  if (typeof tag === 'string') return ['timestamp', 'binary', 'intTime', 'floatTime'].includes(tag)
  return tag.format === 'TIME' || /:(?:timestamp|binary)$/.test(tag.tag)
}

/**
 * Injects every pod of a manifest. Documents without one stay to the byte.
 * @returns the manifest, or what is wrong with it
 */
export function injectManifest(text: string, settings: Settings): ChangedManifest | string {
  return changeManifest(text, place => {
    const name = place.namespace ?? settings.namespace.name
    const namespace = { labels: settings.namespace.labels, ...(name === undefined ? {} : { name }) }
    return mutate(place.pod, { ...settings, namespace })
  })
}

/**
 * Takes the sidecar out of every pod of a manifest.
 * @returns the manifest, or what is wrong with it
 */
export function uninjectManifest(text: string): ChangedManifest | string {
  return changeManifest(text, ({ pod }) => {
    const read = readPod(pod)
    const back = typeof read === 'string' ? read : restore(read)
    const isBack = typeof back !== 'string' && back !== read
    const detail =
      typeof back === 'string' ? back : isBack ? 'the sidecar is out' : 'it has no sidecar of the injector'
    const report: Report = { outcome: 'skipped', reason: null, detail, mode: null, ports: [], notes: [] }
    return { pod: isBack ? back : pod, report }
  })
}

/** A line of three dashes begins a document wherever it stands, inside of block text too. */
const DOCUMENTS = /^(?=---(?:[ \t\r]|$))/m

function changeManifest(text: string, change: Change): ChangedManifest | string {
  const objects: unknown[] = []
  const findings: Finding[] = []
  const notes: string[] = []
  let result = ''
  let line = 1
  for (const piece of text.split(DOCUMENTS)) {
    const document = parseDocument(piece, KUBERNETES)
    const [error] = document.errors
    if (error !== undefined) {
      const at = (error.linePos?.[0].line ?? 1) + line - 1
      return `line ${at}: ${error.message.split('\n')[0]?.replace(/ at line \d+.*$/, '') ?? ''}`
    }
    line += piece.split('\n').length - 1
    // Aliases as often as a manifest may sensibly have them: a bomb of them is refused.
    let before: unknown
    try {
      before = document.toJS({ maxAliasCount: 1000 })
    } catch (caught) {
      return `line ${line}: ${caught instanceof Error ? caught.message : String(caught)}`
    }
    let after = before
    for (const place of podsOf(before)) {
      const { pod, report } = change(place)
      findings.push({ place, pod, report })
      if (pod !== place.pod) after = withValue(after, place.path, pod)
    }
    objects.push(after)
    const written = after === before ? piece : write(piece, document, before, after)
    if (written === null)
      notes.push('a document was written anew, without its comments: its aliases did not fit')
    result += written ?? anew(piece, after)
  }
  return { text: result, objects, findings, notes }
}

/** The piece with the changes; null where it would not say what it has to, as with aliases. */
function write(piece: string, document: Document.Parsed, before: unknown, after: unknown): string | null {
  const json = /^\s*\{\s*?(?:\n( *))?"/.exec(piece)
  if (json !== null) return `${JSON.stringify(after, null, json[1])}\n`
  const style = styleOf(piece, document)
  const mark = (text: string): string =>
    piece.startsWith('---') && !text.startsWith('---') ? `---\n${text}` : text
  const old = mark(document.toString(style))
  editDocument(document, before, after)
  const next = mark(document.toString(style))
  const says = (text: string | null): text is string => text !== null && isSaid(text, after)
  const kept = keepLines(piece, old, next)
  return says(kept) ? kept : says(next) ? next : null
}

function isSaid(text: string, value: unknown): boolean {
  const document = parseDocument(text, KUBERNETES)
  return document.errors.length === 0 && isDeepStrictEqual(document.toJS({ maxAliasCount: 1000 }), value)
}

function anew(piece: string, value: unknown): string {
  const document = new Document(value, { ...KUBERNETES, aliasDuplicateObjects: false })
  return `${piece.startsWith('---') ? '---\n' : ''}${document.toString({ lineWidth: 0 })}`
}

interface Style {
  readonly lineWidth: 0
  readonly indent: number
  readonly indentSeq: boolean
}

const STYLES: readonly Style[] = [2, 4].flatMap(indent =>
  [false, true].map(indentSeq => ({ lineWidth: 0, indent, indentSeq })),
)

/** The writer has one way for the whole document: the one that leaves most lines as they are. */
function styleOf(text: string, document: Document.Parsed): Style {
  const lines = text.split('\n')
  const same = STYLES.map(style => {
    const written = new Set(document.toString(style).split('\n'))
    return lines.filter(line => written.has(line)).length
  })
  return STYLES[same.indexOf(Math.max(...same))] ?? { lineWidth: 0, indent: 2, indentSeq: false }
}

import { isAlias, isMap, isScalar, isSeq, parseDocument } from 'yaml'
import type { Alias, Node, Pair, Scalar, YAMLMap, YAMLSeq } from 'yaml'
import type { ConfigError } from '../config-error.ts'
import { faultAt } from './fault.ts'
import { putKey } from './merge.ts'
import type { ConfigMap, Container, Origins, SourceFile } from './origin.ts'
import { aliasFault, syntaxFaults, tagFault } from './syntax-fault.ts'

/** Limits of one file, against what is small to write and large to read. */
export const DOCUMENT_LIMITS = { bytes: 16 * 1024 * 1024, aliases: 100, depth: 64, expanded: 100_000 }

/**
 * Reads one YAML 1.2 (or JSON) document into plain values: maps, lists, text, numbers, booleans, null. Plain `on` and
 * `off` are true and false. Aliased values are shared, not copied.
 *
 * @returns the top-level map, or null after errors were added to `errors`: a document with an error is never used in part
 */
export function readDocument(file: SourceFile, origins: Origins, errors: ConfigError[]): ConfigMap | null {
  if (Buffer.byteLength(file.text) > DOCUMENT_LIMITS.bytes) {
    errors.push({ file: file.name, line: 0, column: 0, message: 'the file is larger than 16 MiB' })
    return null
  }
  const before = errors.length
  let contents: unknown
  try {
    const document = parseDocument(file.text, {
      version: '1.2',
      schema: 'core',
      merge: true,
      // Ours below costs no comparison of each key with each other.
      uniqueKeys: false,
      prettyErrors: false,
      keepSourceTokens: false,
      // `silent` would leave out that there is a second document.
      logLevel: 'error',
    })
    errors.push(...syntaxFaults(file, document.errors))
    contents = document.contents
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    errors.push({
      file: file.name,
      line: 0,
      column: 0,
      message: 'the document is nested too deeply to be read',
    })
  }
  if (errors.length > before) return null
  if (contents === null || contents === undefined) {
    errors.push({ file: file.name, line: 0, column: 0, message: 'the file is empty' })
    return null
  }
  const value = new Reader(file, origins, errors).read(contents)
  if (errors.length > before) return null
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    errors.push(
      faultAt({ file, offset: 0 }, 'expected a map at the top of the file (`version: 1`, `listeners: ...`)'),
    )
    return null
  }
  // Neither text, number, list nor null is left.
  return value as ConfigMap
}

/** Turns nodes into values, in document order, so that an alias finds the anchor written last before it. */
class Reader {
  readonly #file: SourceFile
  readonly #origins: Origins
  readonly #errors: ConfigError[]
  readonly #anchors = new Map<string, { value: unknown; size: number; open: boolean }>()
  #aliases = 0
  #expanded = 0
  #size = 0
  #tooDeep = false

  constructor(file: SourceFile, origins: Origins, errors: ConfigError[]) {
    this.#file = file
    this.#origins = origins
    this.#errors = errors
  }

  read(node: unknown): unknown {
    return this.#value(node, 1)
  }

  #fault(node: Node | null, message: string, suggestion?: string): void {
    this.#errors.push(faultAt({ file: this.#file, offset: node?.range?.[0] ?? 0 }, message, { suggestion }))
  }

  #value(node: unknown, depth: number): unknown {
    this.#size++
    if (isAlias(node)) return this.#alias(node)
    if (isScalar(node)) return this.#anchored(node, () => this.#scalar(node))
    if (!isMap(node) && !isSeq(node)) return null
    if (depth > DOCUMENT_LIMITS.depth) {
      if (!this.#tooDeep) this.#fault(node, `nested deeper than ${DOCUMENT_LIMITS.depth} levels`)
      this.#tooDeep = true
      return null
    }
    if (node.tag !== undefined) this.#errors.push(tagFault(this.#file, node))
    return this.#anchored(node, () => (isMap(node) ? this.#map(node, depth) : this.#list(node, depth)))
  }

  #anchored(node: Scalar | YAMLMap | YAMLSeq, read: () => unknown): unknown {
    const name = node.anchor
    if (name === undefined) return read()
    const anchor = { value: null as unknown, size: 0, open: true }
    this.#anchors.set(name, anchor)
    const before = this.#size
    anchor.value = read()
    anchor.size = this.#size - before + 1
    anchor.open = false
    return anchor.value
  }

  #alias(node: Alias): unknown {
    const anchor = this.#anchors.get(node.source)
    if (anchor === undefined || anchor.open) {
      this.#errors.push(aliasFault(this.#file, node, this.#anchors.keys(), anchor !== undefined))
      return null
    }
    this.#aliases++
    this.#size += anchor.size
    this.#expanded += anchor.size
    if (this.#aliases === DOCUMENT_LIMITS.aliases + 1) {
      this.#fault(node, `more than ${DOCUMENT_LIMITS.aliases} aliases in one file`)
    }
    const over = this.#expanded - DOCUMENT_LIMITS.expanded
    if (over > 0 && over <= anchor.size) {
      this.#fault(node, `the aliases of this file stand for more than ${DOCUMENT_LIMITS.expanded} values`)
    }
    return anchor.value
  }

  #scalar(node: Scalar): unknown {
    if (node.tag !== undefined) this.#errors.push(tagFault(this.#file, node))
    const value = node.value
    if (node.type === 'PLAIN') {
      if (value === 'on') return true
      if (value === 'off') return false
    }
    if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number') return value
    if (typeof value === 'symbol') return value.description ?? ''
    return null
  }

  #list(node: YAMLSeq, depth: number): unknown[] {
    const list = node.items.map(item => this.#value(item, depth + 1))
    this.#origins.read(list, this.#file, node)
    return list
  }

  #map(node: YAMLMap, depth: number): ConfigMap {
    const map: ConfigMap = {}
    this.#origins.read(map, this.#file, node)
    const sources: Container[] = []
    const seen = new Set<string>()
    for (const pair of node.items) {
      const key = this.#key(pair)
      if (key === null) continue
      const value = this.#value(pair.value, depth + 1)
      if (key === '<<' && isScalar(pair.key) && pair.key.type === 'PLAIN') {
        // An alias that names nothing has its own error.
        if (value !== null || !isAlias(pair.value)) this.#merge(pair, value, sources)
        continue
      }
      if (seen.has(key)) {
        // Every key of a pair that has a name is a node.
        this.#fault(pair.key as Node, `the key \`${key}\` stands twice in this map`)
        continue
      }
      seen.add(key)
      putKey(map, key, value)
    }
    // What is written in the map itself stays; of several sources the first that has a key gives it.
    for (const source of sources) {
      for (const [key, value] of Object.entries(source)) if (!Object.hasOwn(map, key)) putKey(map, key, value)
    }
    this.#origins.mergedIn(map, sources)
    return map
  }

  #key(pair: Pair): string | null {
    const key = pair.key
    if (isAlias(key)) {
      this.#errors.push(aliasFault(this.#file, key, this.#anchors.keys(), false))
      return null
    }
    if (!isScalar(key)) {
      this.#fault(
        isMap(key) || isSeq(key) ? key : null,
        'a key has to be text, not a map or a list',
        'a value that begins with `{` or `[` is quoted: "{id}"',
      )
      return null
    }
    if (key.tag !== undefined) this.#errors.push(tagFault(this.#file, key))
    if (key.anchor !== undefined) this.#anchors.set(key.anchor, { value: key.value, size: 1, open: false })
    if (typeof key.value === 'string') return key.value
    if (typeof key.value === 'symbol') return '<<'
    const written = key.source ?? String(key.value)
    this.#fault(
      key,
      `a key has to be text, and ${written === '' ? 'this is empty' : `\`${written}\` is not`}`,
      written === '' ? undefined : `quote it: "${written}"`,
    )
    return null
  }

  #merge(pair: Pair, value: unknown, sources: Container[]): void {
    const list = Array.isArray(value) ? value : [value]
    for (const one of list) {
      if (typeof one === 'object' && one !== null && !Array.isArray(one)) sources.push(one as ConfigMap)
      else
        this.#fault(
          isScalar(pair.key) ? pair.key : null,
          '`<<` takes a map or a list of maps, usually an alias: `<<: *name`',
        )
    }
  }
}

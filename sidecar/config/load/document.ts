import type { ConfigError } from '../config-error.ts'
import { faultAt } from './fault.ts'
import { putKey } from './merge.ts'
import type { AliasNode, ListNode, MapNode, Node, PairNode, ScalarNode } from './nodes.ts'
import type { ConfigMap, Container, Origins, SourceFile } from './origin.ts'
import { parsePlainYaml } from './plain-yaml.ts'
import { aliasFault, syntaxFaults, tagFault } from './syntax-fault.ts'
import { parseWholeYaml } from './whole-yaml.ts'

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
  const contents = parse(file, errors)
  if (errors.length > before) return null
  if (contents === null) {
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

/** Most configurations need a small part of YAML, which is read ten times as fast; the rest, and every error, is `yaml`'s. */
function parse(file: SourceFile, errors: ConfigError[]): Node | null {
  const plain = parsePlainYaml(file.text, DOCUMENT_LIMITS.depth)
  if (plain !== null) return plain
  try {
    // One level more than allowed, so that what is below is seen to be there.
    const { content, problems } = parseWholeYaml(file.text, DOCUMENT_LIMITS.depth + 1)
    errors.push(...syntaxFaults(file, problems))
    return content
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    const message = 'the document is nested too deeply to be read'
    errors.push({ file: file.name, line: 0, column: 0, message })
    return null
  }
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

  read(node: Node): unknown {
    return this.#value(node, 1)
  }

  #fault(node: Node | null, message: string, suggestion?: string): void {
    this.#errors.push(faultAt({ file: this.#file, offset: node?.offset ?? 0 }, message, { suggestion }))
  }

  #value(node: Node | null, depth: number): unknown {
    this.#size++
    if (node === null) return null
    if (node.kind === 'alias') return this.#alias(node)
    if (node.kind === 'scalar') return node.anchor === null ? this.#scalar(node) : this.#anchored(node, depth)
    if (depth > DOCUMENT_LIMITS.depth) {
      if (!this.#tooDeep) this.#fault(node, `nested deeper than ${DOCUMENT_LIMITS.depth} levels`)
      this.#tooDeep = true
      return null
    }
    if (node.tagged) this.#errors.push(tagFault(this.#file, node.offset))
    return node.anchor === null ? this.#content(node, depth) : this.#anchored(node, depth)
  }

  #content(node: ScalarNode | MapNode | ListNode, depth: number): unknown {
    if (node.kind === 'scalar') return this.#scalar(node)
    return node.kind === 'map' ? this.#map(node, depth) : this.#list(node, depth)
  }

  #anchored(node: ScalarNode | MapNode | ListNode, depth: number): unknown {
    const anchor = { value: null as unknown, size: 0, open: true }
    this.#anchors.set(node.anchor ?? '', anchor)
    const before = this.#size
    anchor.value = this.#content(node, depth)
    anchor.size = this.#size - before + 1
    anchor.open = false
    return anchor.value
  }

  #alias(node: AliasNode): unknown {
    const anchor = this.#anchors.get(node.name)
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

  #scalar(node: ScalarNode): unknown {
    if (node.tagged) this.#errors.push(tagFault(this.#file, node.offset))
    if (node.plain) {
      if (node.value === 'on') return true
      if (node.value === 'off') return false
    }
    return node.value
  }

  #list(node: ListNode, depth: number): unknown[] {
    const list = node.items.map(item => this.#value(item, depth + 1))
    this.#origins.read(list, this.#file, node)
    return list
  }

  #map(node: MapNode, depth: number): ConfigMap {
    const map: ConfigMap = {}
    this.#origins.read(map, this.#file, node)
    const sources: Container[] = []
    const seen = new Set<string>()
    for (const pair of node.pairs) {
      const key = this.#key(pair)
      if (key === null) continue
      const value = this.#value(pair.value, depth + 1)
      if (key === '<<' && pair.key?.kind === 'scalar' && pair.key.plain) {
        // An alias that names nothing has its own error.
        if (value !== null || pair.value?.kind !== 'alias') this.#merge(pair, value, sources)
        continue
      }
      if (seen.has(key)) {
        this.#fault(pair.key, `the key \`${key}\` stands twice in this map`)
        continue
      }
      seen.add(key)
      putKey(map, key, value)
    }
    // What is written in the map itself stays; of several sources the first that has a key gives it.
    for (const source of sources) {
      for (const [key, value] of Object.entries(source)) if (!Object.hasOwn(map, key)) putKey(map, key, value)
    }
    if (sources.length > 0) this.#origins.mergedIn(map, sources)
    return map
  }

  #key({ key }: PairNode): string | null {
    if (key?.kind === 'alias') {
      this.#errors.push(aliasFault(this.#file, key, this.#anchors.keys(), false))
      return null
    }
    if (key?.kind !== 'scalar') {
      this.#fault(
        key,
        'a key has to be text, not a map or a list',
        'a value that begins with `{` or `[` is quoted: "{id}"',
      )
      return null
    }
    if (key.tagged) this.#errors.push(tagFault(this.#file, key.offset))
    if (key.anchor !== null) this.#anchors.set(key.anchor, { value: key.value, size: 1, open: false })
    if (typeof key.value === 'string') return key.value
    const written = key.written ?? String(key.value)
    this.#fault(
      key,
      `a key has to be text, and ${written === '' ? 'this is empty' : `\`${written}\` is not`}`,
      written === '' ? undefined : `quote it: "${written}"`,
    )
    return null
  }

  #merge(pair: PairNode, value: unknown, sources: Container[]): void {
    const list = Array.isArray(value) ? value : [value]
    for (const one of list) {
      if (typeof one === 'object' && one !== null && !Array.isArray(one)) sources.push(one as ConfigMap)
      else this.#fault(pair.key, '`<<` takes a map or a list of maps, usually an alias: `<<: *name`')
    }
  }
}

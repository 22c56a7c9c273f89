import { createRequire } from 'node:module'
import type * as Yaml from 'yaml'
import type { Node, PairNode } from './nodes.ts'

/** Most configurations need only the plain part of YAML, so that the seventy files of the whole are loaded on demand. */
const load = createRequire(import.meta.url)
let loaded: typeof Yaml | null = null
const yaml = (): typeof Yaml => (loaded ??= load('yaml') as typeof Yaml)

/** A document as YAML 1.2 (core schema) reads it: its content, or what is wrong with it. */
export interface ParsedYaml {
  readonly content: Node | null
  readonly problems: readonly Yaml.YAMLParseError[]
}

/**
 * Reads all of YAML, with `<<` as the merge key.
 *
 * @param depth how many levels of maps and lists are wanted; of what is below only the outermost is given, empty
 * @throws RangeError where the document is nested too deeply for the stack
 */
export function parseWholeYaml(text: string, depth: number): ParsedYaml {
  const document = yaml().parseDocument(text, {
    version: '1.2',
    schema: 'core',
    merge: true,
    // The reader of nodes tells keys that stand twice, without a comparison of each key with each other.
    uniqueKeys: false,
    prettyErrors: false,
    keepSourceTokens: false,
    // `silent` would leave out that there is a second document.
    logLevel: 'error',
  })
  const problems = document.errors
  return { content: problems.length > 0 ? null : nodeOf(document.contents, depth), problems }
}

function nodeOf(node: unknown, depth: number): Node | null {
  const { isAlias, isMap, isScalar, isSeq } = yaml()
  if (isScalar(node)) return scalarOf(node)
  if (isAlias(node)) return { kind: 'alias', offset: node.range?.[0] ?? 0, name: node.source }
  if (!isMap(node) && !isSeq(node)) return null
  const offset = node.range?.[0] ?? 0
  const anchor = node.anchor ?? null
  const tagged = node.tag !== undefined
  if (isMap(node)) {
    const pairs = depth > 0 ? node.items.map(pair => pairOf(pair, depth - 1)) : []
    return { kind: 'map', offset, pairs, anchor, tagged }
  }
  const items = depth > 0 ? node.items.map(item => nodeOf(item, depth - 1)) : []
  return { kind: 'list', offset, items, anchor, tagged }
}

function pairOf(pair: Yaml.Pair, depth: number): PairNode {
  // A key that is a map or a list is refused, whatever is in it.
  return { key: nodeOf(pair.key, 0), value: nodeOf(pair.value, depth) }
}

function scalarOf(node: Yaml.Scalar): Node {
  const { value } = node
  // The merge key is a symbol of its own.
  const plainValue = typeof value === 'symbol' ? (value.description ?? '') : value
  const known =
    typeof plainValue === 'string' || typeof plainValue === 'boolean' || typeof plainValue === 'number'
  return {
    kind: 'scalar',
    offset: node.range?.[0] ?? 0,
    value: known ? plainValue : null,
    plain: node.type === 'PLAIN',
    written: typeof plainValue === 'string' ? null : (node.source ?? String(value)),
    anchor: node.anchor ?? null,
    tagged: node.tag !== undefined,
  }
}

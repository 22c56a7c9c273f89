import { isDeepStrictEqual } from 'node:util'
import type { Document, Node, YAMLMap, YAMLSeq } from 'yaml'
import { isMap, isScalar, isSeq } from 'yaml'
import { isTree } from './workloads.ts'

/**
 * Changes a document where two values differ, and nowhere else, so that comments, quotes and order stay. Entries of
 * lists are the same where their `name` is.
 */
export function editDocument(document: Document, before: unknown, after: unknown): void {
  const root = edit(document, document.contents, before, after)
  // What createNode makes is what a document holds.
  document.contents = root as typeof document.contents
}

function edit(document: Document, node: unknown, before: unknown, after: unknown): unknown {
  if (isDeepStrictEqual(before, after)) return node
  if (isMap(node) && isTree(before) && isTree(after)) return editMap(document, node, before, after)
  if (isSeq(node) && Array.isArray(before) && Array.isArray(after))
    return editList(document, node, before, after)
  if (isScalar(node) && typeof node.value === typeof after && typeof after === 'string') {
    node.value = after
    return node
  }
  return create(document, after)
}

function editMap(
  document: Document,
  map: YAMLMap,
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): YAMLMap {
  for (const key of Object.keys(before)) if (!Object.hasOwn(after, key)) map.delete(key)
  let place = 0
  for (const [key, value] of Object.entries(after)) {
    const found = map.items.findIndex(pair => keyOf(pair.key) === key)
    if (found < 0) {
      map.items.splice(place, 0, document.createPair(key, value, { aliasDuplicateObjects: false }))
      block(map.items[place]?.value)
      place++
      continue
    }
    const pair = map.items[found]
    if (pair !== undefined) pair.value = edit(document, pair.value, before[key], value)
    place = found + 1
  }
  // Inside of braces everything has to be in braces; a line that is too long helps nobody.
  if (map.flow === true && !isSimple(after)) map.flow = false
  return map
}

/** The text of a key; its tag and comments are no part of it. */
const keyOf = (key: unknown): string => String(isScalar(key) ? key.value : key)

function editList(
  document: Document,
  list: YAMLSeq,
  before: readonly unknown[],
  after: readonly unknown[],
): YAMLSeq {
  const nodes = list.items
  const used = new Set<number>()
  list.items = after.map((value, index) => {
    const isSame = (old: unknown, at: number): boolean =>
      !used.has(at) &&
      (nameOf(value) === null ? isDeepStrictEqual(old, value) : nameOf(old) === nameOf(value))
    const same = before.findIndex(isSame)
    // Entries without names are the same where their number is, as long as none came or went.
    const found = same < 0 && before.length === after.length && !used.has(index) ? index : same
    if (found < 0) return create(document, value)
    used.add(found)
    return edit(document, nodes[found], before[found], value)
  })
  list.flow = false
  return list
}

function nameOf(value: unknown): string | null {
  if (!isTree(value)) return null
  const { name } = value
  return typeof name === 'string' ? name : null
}

function create(document: Document, value: unknown): Node {
  return document.createNode(value, { aliasDuplicateObjects: false })
}

/** Text of several lines is written as such, not in quotes. */
function block(node: unknown): void {
  if (isScalar(node) && typeof node.value === 'string' && node.value.includes('\n'))
    node.type = 'BLOCK_LITERAL'
}

const isSimple = (value: Readonly<Record<string, unknown>>): boolean =>
  Object.values(value).every(
    one => typeof one !== 'object' && !(typeof one === 'string' && one.includes('\n')),
  )

import type { SourcePlace } from '../resolved.ts'
import type { ListNode, MapNode, Node, PairNode } from './nodes.ts'

/** A map or a list of configuration values. */
export type ConfigMap = Record<string, unknown>
/** A map or list of a document, whose members have places. */
export type Container = ConfigMap | unknown[]

/** A file that was read: its name as the user gave it, its absolute path, its text. */
export class SourceFile {
  readonly name: string
  readonly path: string
  readonly text: string
  #lineStarts: number[] | null = null
  constructor(name: string, path: string, text: string) {
    this.name = name
    this.path = path
    this.text = text
  }

  /** Line and column (from 1) of a character. */
  place(offset: number): SourcePlace {
    const starts = (this.#lineStarts ??= lineStarts(this.text))
    let low = 0
    let high = starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    return { file: this.name, line: low + 1, column: offset - (starts[low] ?? 0) + 1 }
  }

  /** The text of a line (from 1), without its end. */
  line(number: number): string {
    const starts = (this.#lineStarts ??= lineStarts(this.text))
    const start = starts[number - 1] ?? this.text.length
    return this.text.slice(start, starts[number] ?? this.text.length).replace(/\r?\n$/, '')
  }
}

function lineStarts(text: string): number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}

type Origin =
  /** Read from a file; `merged`: what `<<` brought, nearest first. */
  | {
      readonly kind: 'node'
      readonly file: SourceFile
      readonly node: MapNode | ListNode
      merged: Container[]
    }
  /** Laid over each other, the uppermost last. */
  | { readonly kind: 'layers'; readonly layers: readonly Container[] }
  /** A list whose members come from several lists. */
  | { readonly kind: 'list'; readonly from: readonly (readonly [Container, string | number])[] }
  /** Made from one value that stands elsewhere (a shorthand). */
  | { readonly kind: 'value'; readonly container: Container; readonly key: string | number }

/** A found place: the file and the character. */
export interface Spot {
  readonly file: SourceFile
  readonly offset: number
}

/**
 * Remembers where every map and list of a configuration was written, through merging and shorthands, at the cost of
 * one entry each. A line and a column are computed only when somebody asks.
 */
export class Origins {
  readonly #of = new WeakMap<Container, Origin>()
  readonly #keys = new WeakMap<MapNode, Map<string, PairNode>>()

  read(value: Container, file: SourceFile, node: MapNode | ListNode): void {
    this.#of.set(value, { kind: 'node', file, node, merged: [] })
  }
  mergedIn(value: Container, sources: readonly Container[]): void {
    const origin = this.#of.get(value)
    if (origin?.kind === 'node') origin.merged.push(...sources)
  }
  layered(value: Container, layers: readonly Container[]): void {
    this.#of.set(value, { kind: 'layers', layers })
  }
  listed(value: unknown[], from: readonly (readonly [Container, string | number])[]): void {
    this.#of.set(value, { kind: 'list', from })
  }
  derived(value: Container, container: Container, key: string | number): void {
    this.#of.set(value, { kind: 'value', container, key })
  }

  /**
   * The spot of a path from `root`; of its longest part that was written where it was not written whole.
   * @param what whether the key or the value at the path's end is meant
   */
  find(root: Container, path: readonly (string | number)[], what: 'key' | 'value'): Spot | undefined {
    let container = root
    let best = this.self(root)
    for (const [index, key] of path.entries()) {
      // One value stands for a list of one.
      if (key === 0 && !Array.isArray(container) && !Object.hasOwn(container, key)) continue
      // A list of limits, or one of them, stands for the map around them.
      if (key === 'limits' && path[index - 1] === 'rateLimit' && !Object.hasOwn(container, key)) continue
      const last = index === path.length - 1
      const spot = this.#locate(container, key, last ? what : 'key')
      if (spot === undefined) return best
      best = spot
      const value: unknown = Array.isArray(container) ? container[Number(key)] : container[key]
      if (typeof value !== 'object' || value === null)
        return last ? best : (this.#locate(container, key, 'value') ?? best)
      // Maps and lists are the only objects that a path leads through; a referenced value is at a path's end.
      container = value as Container
    }
    return best
  }

  /** Where a map or a list begins. */
  self(value: Container): Spot | undefined {
    const origin = this.#of.get(value)
    switch (origin?.kind) {
      case undefined:
        return undefined
      case 'node':
        return { file: origin.file, offset: origin.node.offset }
      case 'layers': {
        const first = origin.layers[0]
        return first && this.self(first)
      }
      case 'list': {
        const first = origin.from[0]
        return first && this.self(first[0])
      }
      case 'value':
        return this.#locate(origin.container, origin.key, 'value')
    }
  }

  #locate(container: Container, key: string | number, what: 'key' | 'value'): Spot | undefined {
    const origin = this.#of.get(container)
    switch (origin?.kind) {
      case undefined:
        return undefined
      case 'value':
        return this.#locate(origin.container, origin.key, 'value')
      case 'list': {
        const from = origin.from[Number(key)]
        return from && this.#locate(from[0], from[1], what)
      }
      case 'layers': {
        for (const layer of origin.layers.toReversed()) {
          if (Object.hasOwn(layer, key)) return this.#locate(layer, key, what)
        }
        return undefined
      }
      case 'node':
        return this.#locateNode(origin, key, what)
    }
  }

  #locateNode(
    origin: Extract<Origin, { kind: 'node' }>,
    key: string | number,
    what: 'key' | 'value',
  ): Spot | undefined {
    const { file, node } = origin
    if (node.kind === 'list') return spot(file, node.items[Number(key)])
    const pair = this.#pair(node, String(key))
    if (pair !== undefined) {
      const value = what === 'value' ? spot(file, pair.value) : undefined
      return value ?? spot(file, pair.key)
    }
    for (const source of origin.merged) {
      if (Object.hasOwn(source, key)) return this.#locate(source, key, what)
    }
    return undefined
  }

  #pair(node: MapNode, key: string): PairNode | undefined {
    if (node.pairs.length <= 16) return node.pairs.find(pair => keyOf(pair) === key)
    let keys = this.#keys.get(node)
    if (keys === undefined) {
      keys = new Map()
      for (const pair of node.pairs) keys.set(keyOf(pair), pair)
      this.#keys.set(node, keys)
    }
    return keys.get(key)
  }
}

function keyOf({ key }: PairNode): string {
  return key?.kind === 'scalar' ? String(key.value) : ''
}

function spot(file: SourceFile, node: Node | null | undefined): Spot | undefined {
  return node ? { file, offset: node.offset } : undefined
}

import type { ListNode, MapNode, Node, PairNode, ScalarNode } from './nodes.ts'
import { plainScalar, quotedScalar, SOMETHING_ELSE } from './plain-scalars.ts'

/** Tabs, other control characters, line ends and blanks of other kinds, and marks that take no room. */
// oxlint-disable-next-line no-control-regex
const UNUSUAL = /[\x00-\x09\x0b-\x1f\x7f-\xa0\xad\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]/
/** An implicit key is at most 1,024 characters long (YAML 1.2, 7.4.2). */
const LONGEST_KEY = 1000

const COLON = 58
const SPACE = 32
const LINE_FEED = 10
const HASH = 35
const DASH = 45
const DOUBLE = 34
const SINGLE = 39
const BACKSLASH = 92

/**
 * Reads a document of the small part of YAML that most configurations are written in: maps and lists by indentation,
 * `{ }` and `[ ]` on one line, values on one line, comments. It reads what it is sure of and nothing else.
 *
 * @returns what `parseWholeYaml` gives for the same text, or null where something else is in it
 */
export function parsePlainYaml(text: string, depth: number): Node | null {
  if (UNUSUAL.test(text)) return null
  try {
    return new PlainYaml(text, depth).document()
  } catch (error) {
    if (error === SOMETHING_ELSE) return null
    throw error
  }
}

class PlainYaml {
  readonly #text: string
  readonly #depth: number
  #at = 0
  /** The column of what comes next, which is the first of its line; -1 at the end. */
  #indent = -1

  constructor(text: string, depth: number) {
    this.#text = text
    this.#depth = depth
  }

  document(): Node {
    this.#nextLine()
    if (this.#indent !== 0) throw SOMETHING_ELSE
    const node = this.#block(0, 1)
    if (this.#indent >= 0) throw SOMETHING_ELSE
    return node
  }

  /** Goes to the first character of the next line that has more than a comment. */
  #nextLine(): void {
    const text = this.#text
    let at = this.#at
    for (;;) {
      const start = at
      let code = text.charCodeAt(at)
      while (code === SPACE) code = text.charCodeAt(++at)
      if (at >= text.length) {
        this.#at = text.length
        this.#indent = -1
        return
      }
      if (code !== LINE_FEED && code !== HASH) {
        // The end of a document, and the beginning of another.
        if (at === start && /^(?:\.\.\.|---)/.test(text.slice(at, at + 3))) throw SOMETHING_ELSE
        this.#at = at
        this.#indent = at - start
        return
      }
      const end = code === LINE_FEED ? at : text.indexOf('\n', at)
      at = end === -1 ? text.length : end + 1
    }
  }

  /** Goes over blanks and a comment to the end of the line, where nothing else may stand, and to the next line. */
  #endLine(): void {
    const text = this.#text
    const before = this.#at
    let at = before
    while (text.charCodeAt(at) === SPACE) at++
    const code = text.charCodeAt(at)
    if (code === HASH) {
      if (at === before) throw SOMETHING_ELSE
      const end = text.indexOf('\n', at)
      at = end === -1 ? text.length : end
    } else if (at < text.length && code !== LINE_FEED) throw SOMETHING_ELSE
    this.#at = at + 1
    this.#nextLine()
  }

  /** A map or a list whose first key or dash stands here, in this column. */
  #block(column: number, depth: number): Node {
    if (depth > this.#depth) throw SOMETHING_ELSE
    return this.#onDash() ? this.#list(column, depth) : this.#map(column, depth)
  }

  #onDash(): boolean {
    return this.#text.charCodeAt(this.#at) === DASH && isBlank(this.#text.charCodeAt(this.#at + 1))
  }

  #list(column: number, depth: number): ListNode {
    const offset = this.#at
    const items: Node[] = []
    do {
      if (!this.#onDash()) throw SOMETHING_ELSE
      const dash = this.#at
      this.#at++
      this.#blanks()
      const code = this.#text.charCodeAt(this.#at)
      if (code === LINE_FEED || code === HASH || this.#at >= this.#text.length) throw SOMETHING_ELSE
      items.push(this.#item(column + this.#at - dash, depth))
      if (this.#indent > column) throw SOMETHING_ELSE
    } while (this.#indent === column && this.#onDash())
    return { kind: 'list', offset, items, anchor: null, tagged: false }
  }

  /** What stands behind a dash: a map that begins there, or a value. */
  #item(column: number, depth: number): Node {
    if (this.#onDash()) return this.#block(column, depth + 1)
    const start = this.#at
    const first = this.#inline(depth + 1, false)
    if (this.#text.charCodeAt(this.#at) === COLON) {
      this.#at = start
      return this.#block(column, depth + 1)
    }
    this.#endLine()
    return first
  }

  #map(column: number, depth: number): MapNode {
    const offset = this.#at
    const pairs: PairNode[] = []
    do {
      const start = this.#at
      const key = this.#inline(depth, false)
      // Whether what stands here is a key is said by the colon; a map or a list is none.
      if (key.kind !== 'scalar' || typeof key.value !== 'string') throw SOMETHING_ELSE
      if (this.#text.charCodeAt(this.#at) !== COLON || this.#at - start > LONGEST_KEY) throw SOMETHING_ELSE
      this.#at++
      if (!isBlank(this.#text.charCodeAt(this.#at))) throw SOMETHING_ELSE
      pairs.push({ key, value: this.#value(column, depth) })
      if (this.#indent > column) throw SOMETHING_ELSE
    } while (this.#indent === column && !this.#onDash())
    return { kind: 'map', offset, pairs, anchor: null, tagged: false }
  }

  /** What a key stands for: a value on its line, or a map or a list on the lines below. */
  #value(column: number, depth: number): Node {
    const before = this.#at
    this.#blanks()
    const code = this.#text.charCodeAt(this.#at)
    if (code === LINE_FEED || code === HASH || this.#at >= this.#text.length) {
      this.#at = before
      this.#endLine()
      // A list may stand in the column of its key. A key without a value is for the whole reader.
      if (this.#indent > column) return this.#block(this.#indent, depth + 1)
      if (this.#indent === column && this.#onDash()) return this.#block(column, depth + 1)
      throw SOMETHING_ELSE
    }
    const value = this.#inline(depth + 1, false)
    if (this.#text.charCodeAt(this.#at) === COLON) throw SOMETHING_ELSE
    this.#endLine()
    return value
  }

  /** A value on this line. Stops behind it and the blanks that follow a plain one, at a colon where it is a key. */
  #inline(depth: number, flow: boolean): Node {
    switch (this.#text[this.#at]) {
      case '"':
        return this.#doubleQuoted()
      case "'":
        return this.#singleQuoted()
      case '{':
        return this.#flowMap(depth)
      case '[':
        return this.#flowList(depth)
      default:
        return this.#plain(flow)
    }
  }

  #flowMap(depth: number): MapNode {
    if (depth > this.#depth) throw SOMETHING_ELSE
    const offset = this.#at++
    const pairs: PairNode[] = []
    this.#blanks()
    if (this.#text[this.#at] === '}') this.#at++
    else
      do {
        this.#blanks()
        const start = this.#at
        const key = this.#inline(depth, true)
        if (key.kind !== 'scalar' || typeof key.value !== 'string') throw SOMETHING_ELSE
        if (this.#text.charCodeAt(this.#at) !== COLON || this.#at - start > LONGEST_KEY) throw SOMETHING_ELSE
        this.#at++
        if (this.#text.charCodeAt(this.#at) !== SPACE) throw SOMETHING_ELSE
        this.#blanks()
        pairs.push({ key, value: this.#inline(depth + 1, true) })
      } while (this.#another('}'))
    return { kind: 'map', offset, pairs, anchor: null, tagged: false }
  }

  #flowList(depth: number): ListNode {
    if (depth > this.#depth) throw SOMETHING_ELSE
    const offset = this.#at++
    const items: Node[] = []
    this.#blanks()
    if (this.#text[this.#at] === ']') this.#at++
    else
      do {
        this.#blanks()
        items.push(this.#inline(depth + 1, true))
      } while (this.#another(']'))
    return { kind: 'list', offset, items, anchor: null, tagged: false }
  }

  /** Goes over a comma, or over the end of a flow map or list. @returns whether it was a comma */
  #another(end: string): boolean {
    this.#blanks()
    const character = this.#text[this.#at++]
    if (character === ',') return true
    if (character === end) return false
    throw SOMETHING_ELSE
  }

  #blanks(): void {
    while (this.#text.charCodeAt(this.#at) === SPACE) this.#at++
  }

  #doubleQuoted(): ScalarNode {
    const text = this.#text
    const offset = this.#at
    let end = offset + 1
    let escaped = false
    for (let code = text.charCodeAt(end); code !== DOUBLE; code = text.charCodeAt(end)) {
      if (code === LINE_FEED || end >= text.length) throw SOMETHING_ELSE
      if (code === BACKSLASH) {
        const next = text.charCodeAt(end + 1)
        if (next !== BACKSLASH && next !== DOUBLE) throw SOMETHING_ELSE
        escaped = true
        end++
      }
      end++
    }
    this.#at = end + 1
    const inside = text.slice(offset + 1, end)
    return quotedScalar(offset, escaped ? inside.replace(/\\(.)/g, '$1') : inside)
  }

  #singleQuoted(): ScalarNode {
    const text = this.#text
    const offset = this.#at
    let end = offset + 1
    let doubled = false
    for (;;) {
      const code = text.charCodeAt(end)
      if (code === LINE_FEED || end >= text.length) throw SOMETHING_ELSE
      if (code === SINGLE) {
        if (text.charCodeAt(end + 1) !== SINGLE) break
        doubled = true
        end++
      }
      end++
    }
    this.#at = end + 1
    const inside = text.slice(offset + 1, end)
    return quotedScalar(offset, doubled ? inside.replaceAll("''", "'") : inside)
  }

  #plain(flow: boolean): ScalarNode {
    const text = this.#text
    const offset = this.#at
    let at = offset
    let end = offset
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (code === LINE_FEED) break
      if (code === SPACE) continue
      if (code === COLON) {
        const next = text.charCodeAt(at + 1)
        if (isBlank(next)) break
        if (flow && isFlowMark(next)) throw SOMETHING_ELSE
      } else if (code === HASH && text.charCodeAt(at - 1) === SPACE) break
      else if (flow && isFlowMark(code)) break
      end = at + 1
    }
    // A colon that makes a key is where its name ends.
    if (text.charCodeAt(at) === COLON && end !== at) throw SOMETHING_ELSE
    this.#at = end
    return plainScalar(offset, text.slice(offset, end))
  }
}

/** A blank, the end of the line, or the end of the text. */
function isBlank(code: number): boolean {
  return code === SPACE || code === LINE_FEED || Number.isNaN(code)
}

/** One of `,[]{}`. */
function isFlowMark(code: number): boolean {
  return code === 44 || code === 91 || code === 93 || code === 123 || code === 125
}
